"""Off, tracing costs nothing: nothing of it is imported, no header is made. Asked for and not installed, it is told."""

import re
import subprocess
import sys
from typing import Any

import pytest
from pydantic import SecretStr

from stream.core.clock import SystemClock
from stream.doors import tracing_of
from stream.metrics.silent import SilentRecorder
from stream.settings import Settings
from stream.topics import Topics
from stream.tracing.port import NOTHING, NoTracing
from tests.composed.worker import surroundings
from tests.unit.runtime.scene import arrived, written

ENDPOINT = "http://127.0.0.1:4318"
LIBRARIES = ("opentelemetry", "google.protobuf", "requests")
WORKER = """
import sys
from stream import assembly, settings
from stream.cli import run
from stream.core.clock import SystemClock
from stream.doors import tracing_of
from stream.metrics.silent import SilentRecorder
from stream.topics import Topics
tracing_of(settings.load(), Topics(), SystemClock(), SilentRecorder())
print(sorted(name for name in {libraries} if name in sys.modules))
"""
NOT_INSTALLED = """
import sys
sys.modules["opentelemetry"] = None
from stream.cli.main import main
main()
"""


def python(code: str, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, timeout=120,
        env=surroundings() | environment,
    )  # fmt: skip


def test_off_nothing_of_it_is_imported_by_all_that_a_worker_is_made_of() -> None:
    code = WORKER.format(libraries=LIBRARIES)
    assert python(code).stdout == "[]\n"
    assert "'opentelemetry'" in python(code, OTEL_EXPORTER_OTLP_ENDPOINT=ENDPOINT).stdout, "or this proves nothing"


def test_a_setting_that_the_library_cannot_read_is_told_in_one_line() -> None:
    """It reads its own from the environment, while it is imported."""
    told = python(
        "from stream.cli.main import main; main()", "run",
        OTEL_EXPORTER_OTLP_ENDPOINT=ENDPOINT, OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT="many", SKUSTREAM_STORE="file:///tmp/nowhere",
        KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1", PIXELAPI_KEY="pk_test", SKUSTREAM_HTTP_PORT="0",
    )  # fmt: skip
    assert told.returncode == 2, told.stderr
    assert re.fullmatch(r"skustream: .*OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT.*many\n", told.stderr)


def test_off_a_walk_is_one_and_the_same_for_every_record_without_a_trace() -> None:
    tracing = tracing_of(Settings(), Topics(), SystemClock(), SilentRecorder())
    assert isinstance(tracing, NoTracing)
    for headers in ((), (("skustream.stage", b"upscale"),)):
        assert tracing.walk("upscale", arrived(written("A", "a1"), 0), None) is NOTHING, headers


@pytest.mark.parametrize("command", ["run", "check"])
def test_asked_for_and_not_installed_is_one_line_with_the_way_out(command: str) -> None:
    told = python(
        NOT_INSTALLED, command, *(["--offline"] if command == "check" else []),
        OTEL_EXPORTER_OTLP_ENDPOINT=ENDPOINT, KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1", PIXELAPI_KEY="pk_test",
        SKUSTREAM_STORE="file:///tmp/nowhere",
    )  # fmt: skip
    said = told.stdout + told.stderr
    assert told.returncode == 2, said
    (sentence,) = re.findall(r"OTEL_EXPORTER_OTLP_ENDPOINT is set.*?it unset", " ".join(said.split()))
    assert "pip install 'skustream[tracing]', or leave" in sentence
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"otlp_endpoint": "collector:4318"}, "http:// or https:// URL"),
        ({"otlp_endpoint": "http://user:word@collector:4318"}, "without query, fragment, user name or password"),
        ({"otlp_headers": "no pair"}, "name=value"),
        ({"otlp_headers": "x=a%0Ab"}, "name=value"),
        ({"otlp_headers": "a b=c"}, "name=value"),
        ({"trace_ratio": 1.5}, "less than or equal to 1"),
        ({"trace_ratio": "nan"}, "finite"),
    ],
)
def test_wrong_values_are_refused_in_words_without_the_secret(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told) as found:
        Settings(**fields)
    assert "word" not in str(found.value).replace("password", "")


def test_headers_are_read_as_opentelemetry_writes_them_and_are_secrets() -> None:
    settings = Settings(otlp_headers=SecretStr("Authorization=Basic%20Zm9v%3D, x-tenant = shop,,"))
    assert settings.otlp_header_pairs == {"authorization": "Basic Zm9v=", "x-tenant": "shop"}
    assert {"Basic Zm9v=", "shop"} <= set(settings.secrets())
    assert "Zm9v" not in repr(settings)
