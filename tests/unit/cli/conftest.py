"""Commands run in this process, from an environment that says nothing."""

import os
from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from stream.cli.main import app

Skustream = Callable[..., Result]


@pytest.fixture(autouse=True)
def silent_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("SKUSTREAM_", "PIXELAPI_", "KAFKA_", "AWS_", "OTEL_")):
            monkeypatch.delenv(name)


@pytest.fixture
def skustream() -> Skustream:
    """Run the command as typed; stdout, stderr and exit code come back."""
    return lambda *words: CliRunner().invoke(app, list(words), prog_name="skustream", env={"TERM": "dumb"})
