"""`skustream console` at the counter: what it refuses, in one line and with the house's exit codes."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from stream.cli.front import Exit
from stream.cli.main import app

pytestmark = pytest.mark.usefixtures("diary_as_before")


NOWHERE = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "SKUSTREAM_STORE": "file:///nowhere/at/all"}


@pytest.mark.parametrize(
    ("words", "environment", "told"),
    [
        ((), {"SKUSTREAM_STORE": ""}, "SKUSTREAM_STORE is not set"),
        ((), {"KAFKA_BOOTSTRAP_SERVERS": ""}, "KAFKA_BOOTSTRAP_SERVERS is not set"),
        (("--host", "0.0.0.0"), {}, "SKUSTREAM_CONSOLE_TOKEN"),
        (("--port", "70000"), {}, "--port"),
        ((), {"SKUSTREAM_CONSOLE_TOKEN": "short"}, "16 to 512 printable characters"),
        ((), {"SKUSTREAM_CONSOLE_TOKEN": "x" * 20, "SKUSTREAM_CONSOLE_TOKEN_FILE": "/x"}, "keep one of them"),
        ((), {"SKUSTREAM_CONSOLE_TOKEN_FILE": "/no/such/file"}, "cannot be read"),
        ((), {"SKUSTREAM_CONSOLE_PROXY_HEADER": "X-User"}, "belong together"),
        ((), {"SKUSTREAM_CONSOLE_PROXY_HEADER": "X User"}, "SKUSTREAM_CONSOLE_PROXY_HEADER"),
        ((), {"SKUSTREAM_CONSOLE_PROXY_ADDRESSES": "the proxy"}, "addresses or networks"),
        ((), {"SKUSTREAM_CONSOLE_HOSTS": "https://a.example"}, "host or host:port"),
        (
            (),
            {"SKUSTREAM_CONSOLE_PROXY_HEADER": "X-User", "SKUSTREAM_CONSOLE_PROXY_ADDRESSES": "10.0.0.1"},
            "SKUSTREAM_CONSOLE_HOSTS",
        ),
    ],
)
def test_what_cannot_be_is_told_before_anything_listens(
    words: tuple[str, ...], environment: dict[str, str], told: str
) -> None:
    result = CliRunner().invoke(app, ["console", *words], env=NOWHERE | environment)
    assert result.exit_code == Exit.MISCONFIGURED, result.output
    assert told in " ".join(result.output.split())
    assert "x" * 20 not in result.output


def test_a_token_stands_in_a_file_and_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("correct horse battery staple\n")
    environment = NOWHERE | {"SKUSTREAM_CONSOLE_TOKEN_FILE": str(tmp_path / "token")}
    result = CliRunner().invoke(app, ["check", "--offline", "--all"], env=environment)
    assert "SKUSTREAM_CONSOLE_TOKEN" in result.output
    assert "battery" not in result.output
