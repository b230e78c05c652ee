"""Every test here starts from an environment that says nothing."""

import os

import pytest

_OURS = ("SKUSTREAM_", "PIXELAPI_", "KAFKA_", "AWS_", "OTEL_")


@pytest.fixture(autouse=True)
def silent_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(_OURS):
            monkeypatch.delenv(name)
