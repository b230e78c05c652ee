"""What a person or a script sees first: help, exit codes, one line instead of a traceback."""

import subprocess
import sys

import pytest

from stream.core.errors import Misconfigured, Resource, Transient, Unavailable
from tests.unit.cli.conftest import Skustream

HEAVY = ["confluent_kafka", "aiohttp", "aiobotocore", "botocore", "pydantic", "pyvips", "prometheus_client", "uvloop"]


def test_help_loads_nothing_heavy() -> None:
    """Measured by what is imported, because seconds on a shared machine prove nothing."""
    code = (
        "import sys\nfrom stream.cli.main import main\nsys.argv = ['skustream', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print('loaded:', [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage: skustream" in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded: []"


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("run",),
        ("topics", "create"),
        ("topics", "check"),
        ("pipeline", "show"),
        ("check",),
        ("cost",),
        ("submit",),
        ("status",),
        ("simulate",),
        ("demo",),
    ],
    ids=" ".join,
)
def test_every_command_explains_itself(words: tuple[str, ...], skustream: Skustream) -> None:
    told = skustream(*words, "--help")
    assert told.exit_code == 0
    assert "Usage: skustream" in told.stdout
    assert "Exit codes" in told.stdout or "Example" in told.stdout


def test_the_versions_are_told(skustream: Skustream) -> None:
    told = skustream("version")
    assert told.stdout.startswith("skustream ")
    assert "librdkafka" in told.stdout
    assert skustream("--version").stdout == told.stdout


def test_wrong_usage_is_exit_2(skustream: Skustream) -> None:
    assert skustream("rnu").exit_code == 2
    assert skustream("run", "--http-port", "many").exit_code == 2


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (Misconfigured("one\ntwo"), 2, "skustream: one\nskustream: two\n"),
        (Unavailable(Resource.STORE, "no answer"), 3, "skustream: unavailable (store): no answer\n"),
        (Transient("odd"), 1, "skustream: odd\n"),
    ],
)
def test_errors_made_for_a_person_are_lines_and_codes(
    error: Exception, code: int, line: str, skustream: Skustream, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr("stream.pipeline.load_pipeline", fail)
    told = skustream("pipeline", "show")
    assert (told.exit_code, told.stderr, told.stdout) == (code, line, "")


def test_a_bug_is_not_dressed_up(skustream: Skustream, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise KeyError("bug")

    monkeypatch.setattr("stream.pipeline.load_pipeline", fail)
    told = skustream("pipeline", "show")
    assert told.exit_code == 1
    assert isinstance(told.exception, KeyError)


def test_an_interruption_is_exit_130(skustream: Skustream, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stream.pipeline.load_pipeline", interrupt)
    assert skustream("pipeline", "show").exit_code == 130
