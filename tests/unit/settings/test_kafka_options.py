"""librdkafka's options are free, except those that would break a law."""

from pathlib import Path

import pytest

from stream.core.errors import Misconfigured
from stream.settings import describe, load
from stream.settings.kafka_options import REFUSED


def test_options_reach_the_client_from_environment_and_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("kafka:\n  security.protocol: PLAINTEXT\n  socket.keepalive.enable: true\n  linger.ms: 5\n")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092")
    monkeypatch.setenv("SKUSTREAM_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    settings = load({"config": path})
    assert settings.kafka_client() == {
        "bootstrap.servers": "kafka:9092",
        "security.protocol": "SASL_SSL",
        "socket.keepalive.enable": "true",
        "linger.ms": "5",
    }
    sources = {row.name: row.source for row in describe(settings)}
    assert sources["SKUSTREAM_KAFKA_SECURITY_PROTOCOL"] == "environment"
    assert sources["SKUSTREAM_KAFKA_LINGER_MS"] == f"file {path}"


@pytest.mark.parametrize("option", sorted(REFUSED))
def test_an_option_that_would_break_a_law_is_refused_with_the_reason(
    option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKUSTREAM_KAFKA_" + option.upper().replace(".", "_"), "1")
    with pytest.raises(Misconfigured) as refused:
        load()
    assert str(refused.value) == f"kafka: the option {option} cannot be set: {REFUSED[option]}"


def test_upper_case_in_the_file_is_no_way_around(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("kafka:\n  Enable.Auto.Commit: true\n")
    with pytest.raises(Misconfigured, match=r"enable.auto.commit cannot be set"):
        load({"config": path})


def test_no_servers_is_said_when_a_client_is_wanted() -> None:
    with pytest.raises(Misconfigured, match="KAFKA_BOOTSTRAP_SERVERS is not set"):
        load().kafka_client()
