"""Flags are stronger than the environment, the environment than the file, the file than the defaults."""

from pathlib import Path

import pytest

from stream.core.errors import Misconfigured
from stream.settings import Settings, describe, load


def _file(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text)
    return path


def test_the_stronger_source_wins_and_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _file(tmp_path, "http_port: 1\nlane_tickets: 2\nquota_requests: 3\n")
    monkeypatch.setenv("SKUSTREAM_HTTP_PORT", "11")
    monkeypatch.setenv("SKUSTREAM_LANE_TICKETS", "12")
    settings = load({"config": path, "http_port": 21, "store": None})
    assert (settings.http_port, settings.lane_tickets, settings.quota_requests) == (21, 12, 3)
    sources = {row.name: row.source for row in describe(settings)}
    assert sources["SKUSTREAM_HTTP_PORT"] == "flag"
    assert sources["SKUSTREAM_LANE_TICKETS"] == "environment"
    assert sources["SKUSTREAM_QUOTA_REQUESTS"] == f"file {path}"
    assert sources["SKUSTREAM_STORE"] == "default"


def test_the_environment_may_name_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKUSTREAM_CONFIG", str(_file(tmp_path, "store: s3://bucket/assets\n")))
    assert load().store == "s3://bucket/assets"


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKUSTREAM_STORE", "")
    monkeypatch.setenv("PIXELAPI_KEY", "")
    settings = load()
    assert settings.store is None
    assert settings.pixelapi_key is None


def test_constructing_settings_reads_nothing_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKUSTREAM_HTTP_PORT", "11")
    assert Settings().http_port == 9464


def test_the_s3_endpoint_is_stronger_than_the_general_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://general:1/")
    assert load().aws_endpoint_url == "http://general:1"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://store:2")
    assert load().aws_endpoint_url == "http://store:2"


def test_the_variables_kubernetes_adds_for_services_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKUSTREAM_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("SKUSTREAM_PORT_9464_TCP_ADDR", "10.0.0.1")
    monkeypatch.setenv("SKUSTREAM_SIMULATOR_SERVICE_PORT_HTTP", "80")
    monkeypatch.setenv("SKUSTREAM_PORT", "tcp://10.0.0.1:9464")
    monkeypatch.setenv("SKUSTREAM_HTTP_PORT", "tcp://10.0.0.1:9464")
    assert load().http_port == 9464


@pytest.mark.parametrize(
    ("name", "hint"), [("SKUSTREAM_STOER", "SKUSTREAM_STORE"), ("SKUSTREAM_HTTPPORT", "HTTP_PORT")]
)
def test_an_unknown_variable_is_refused_with_a_suggestion(
    name: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "x")
    with pytest.raises(Misconfigured, match=rf"{name} in the environment is no setting; did you mean \w*{hint}\?"):
        load()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("stor: s3://b\n", "stor in .* is no setting; did you mean store?"),
        ("- a\n", "must be a map"),
        ("a: [\n", "is not YAML"),
        ("kafka: fast\n", "kafka: a map of librdkafka options"),
        ("http_port: many\n", r"http_port in .*settings.yaml: got 'many'; expected a whole number"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(text: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=complaint):
        load({"config": _file(tmp_path, text)})


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read: No such file"):
        load({"config": tmp_path / "none.yaml"})


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    assert load({"config": _file(tmp_path, "")}).http_port == 9464


def test_a_wrong_flag_is_named_as_it_was_typed() -> None:
    with pytest.raises(Misconfigured, match=r"--http-port: got 70000; expected less than or equal to 65535"):
        load({"http_port": 70_000})


class TestKey:
    def test_it_may_lie_in_a_file_with_a_newline_at_its_end(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "key").write_text("pk_live_1\n")
        monkeypatch.setenv("PIXELAPI_KEY_FILE", str(tmp_path / "key"))
        assert load().need_pixelapi_key().get_secret_value() == "pk_live_1"

    def test_given_twice_it_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PIXELAPI_KEY_FILE", str(tmp_path / "key"))
        monkeypatch.setenv("PIXELAPI_KEY", "pk")
        with pytest.raises(Misconfigured, match="both set"):
            load()

    def test_an_unreadable_file_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PIXELAPI_KEY_FILE", str(tmp_path / "key"))
        with pytest.raises(Misconfigured, match=r"PIXELAPI_KEY_FILE=.*cannot be read"):
            load()

    def test_none_at_all_is_said_when_it_is_needed(self) -> None:
        with pytest.raises(Misconfigured, match="PIXELAPI_KEY is not set"):
            load().need_pixelapi_key()


class TestSecrets:
    def test_no_secret_is_ever_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PIXELAPI_KEY", "key-hush")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "aws-hush")
        monkeypatch.setenv("SKUSTREAM_KAFKA_SASL_PASSWORD", "kafka-hush")
        settings = load()
        assert "hush" not in repr(settings) + str(settings) + repr(describe(settings))
        assert sorted(settings.secrets()) == ["aws-hush", "kafka-hush", "key-hush"]

    def test_not_even_a_wrong_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PIXELAPI_KEY", "key hush")
        with pytest.raises(Misconfigured) as refused:
            load()
        assert str(refused.value).startswith("PIXELAPI_KEY: got ***; expected ")
        assert "hush" not in str(refused.value)


SECRETS = {
    "PIXELAPI_KEY": "key-hush",
    "AWS_SECRET_ACCESS_KEY": "aws-hush",
    "AWS_SESSION_TOKEN": "session-hush",
    "SKUSTREAM_CONSOLE_TOKEN": "console-token-hush",
    "SKUSTREAM_KAFKA_SASL_PASSWORD": "sasl-hush ",  # a blank may be part of a password
    "SKUSTREAM_KAFKA_SSL_KEY_PASSWORD": "tls-hush",
}


class TestSecretsInFiles:
    """Every secret can be kept out of the environment, and whoever rotates one restarts."""

    def test_a_file_says_what_the_environment_would(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
        for name, secret in SECRETS.items():
            monkeypatch.setenv(name, secret)
        given = load()
        for name, secret in SECRETS.items():
            (tmp_path / name).write_text(f"{secret}\r\n")
            monkeypatch.delenv(name)
            monkeypatch.setenv(f"{name}_FILE", str(tmp_path / name))
        read = load()
        assert sorted(read.secrets()) == sorted(given.secrets()) == sorted(SECRETS.values())
        assert read.kafka == given.kafka
        rows = {row.name: row for row in describe(read)}
        assert {rows[name].value for name in SECRETS} == {"***"}
        assert all(rows[name].source == f"file {tmp_path / name}" for name in SECRETS)
        assert "hush" not in repr(read) + repr(rows)

    @pytest.mark.parametrize("name", SECRETS)
    def test_given_twice_missing_or_empty_it_is_refused_in_one_line(
        self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "secret"
        monkeypatch.setenv(f"{name}_FILE", str(file))
        with pytest.raises(Misconfigured, match=rf"^{name}_FILE={file} cannot be read: No such file or directory$"):
            load()
        file.write_text("\n")
        with pytest.raises(Misconfigured, match=rf"^{name}_FILE={file} is empty; expected the secret"):
            load()
        file.write_bytes(b"\xff\xfe")
        with pytest.raises(Misconfigured, match=rf"^{name}_FILE={file} cannot be read: not text$"):
            load()
        monkeypatch.setenv(name, SECRETS[name])
        with pytest.raises(Misconfigured, match=rf"^{name} and {name}_FILE are both set; keep one of them$"):
            load()

    def test_the_settings_file_may_name_a_file_too(self, tmp_path: Path) -> None:
        (tmp_path / "password").write_text("kafka-hush\n")
        path = _file(tmp_path, f"kafka: {{sasl.password.file: {tmp_path / 'password'}, log.queue: true}}\n")
        assert load({"config": path}).kafka == {"log.queue": "true", "sasl.password": "kafka-hush"}

    def test_a_rotated_file_is_read_at_the_next_start(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "key").write_text("pk_old\n")
        monkeypatch.setenv("PIXELAPI_KEY_FILE", str(tmp_path / "key"))
        before = load()
        (tmp_path / "key").write_text("pk_new\n")
        assert before.need_pixelapi_key().get_secret_value() == "pk_old"
        assert load().need_pixelapi_key().get_secret_value() == "pk_new"
