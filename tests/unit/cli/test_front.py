"""What a person or a script sees first: help, exit codes, one line instead of a traceback."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from stream.core.errors import WAYS_OUT, Misconfigured, Resource, Transient, Unavailable
from tests.services.waiting import free_ports
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
        ("dlq", "list"),
        ("dlq", "stats"),
        ("dlq", "show"),
        ("dlq", "export"),
        ("dlq", "watch"),
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
        (
            Unavailable(Resource.STORE, "no answer"),
            3,
            f"skustream: unavailable (store): no answer; {WAYS_OUT[Resource.STORE]}\n",
        ),
        (Transient("odd"), 1, "skustream: odd\n"),
        (OSError(errno.ENOSPC, "full"), 3, f"skustream: unavailable (disk): [Errno {errno.ENOSPC}] full\n"),
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


ASKS_KAFKA = """
import logging
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from stream import pipeline
from stream.cli.main import main
from stream.core.errors import Resource, Unavailable

def ask(_):
    client = AdminClient({"bootstrap.servers": "127.0.0.1:PORT"}, logger=logging.getLogger("librdkafka"))
    try:
        client.list_topics(timeout=1)
    except KafkaException:
        client.poll(0.1)
        raise Unavailable(Resource.BROKER, "no answer") from None

pipeline.load_pipeline = ask
main()
"""


def test_a_kafka_that_is_away_is_one_line_not_every_failed_connection() -> None:
    """In a process of its own: in this one pytest's handlers would swallow what librdkafka says."""
    (nobody,) = free_ports(1)
    command = [sys.executable, "-c", ASKS_KAFKA.replace("PORT", str(nobody)), "pipeline", "show"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        3,
        f"skustream: unavailable (broker): no answer; {WAYS_OUT[Resource.BROKER]}\n",
    )


def test_a_batch_no_event_can_bear_is_told_before_anybody_is_asked(skustream: Skustream, tmp_path: Path) -> None:
    words = ("--bootstrap-servers", "127.0.0.1:1", "--store", f"file://{tmp_path}")
    told = skustream("status", "--batch", "", *words)
    assert (told.exit_code, told.stderr) == (2, "skustream: --batch: got ''; expected at least 1 character\n")
