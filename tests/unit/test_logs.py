"""The diary: one JSON object a line, libraries included, and nothing secret in any form."""

import io
import json
import logging
from typing import Any

import pytest
import structlog

from stream.logs import MASK, Scrubber, configure

SECRET = 'pk_live_"quoted"\\slash/ü'


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


pytestmark = pytest.mark.usefixtures("diary_as_before")


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_off_a_terminal() -> None:
    out = io.StringIO()
    configure(stream=out)
    structlog.get_logger().info("letter-written", stage="upscale", attempts=3)
    (line,) = _lines(out)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "letter-written", "level": "info", "stage": "upscale", "attempts": 3}


def test_a_line_is_readable_on_a_terminal() -> None:
    out = Terminal()
    configure(stream=out)
    structlog.get_logger().info("letter-written", stage="upscale")
    assert "letter-written" in out.getvalue()
    assert not out.getvalue().startswith("{")


def test_the_format_can_be_forced() -> None:
    out = Terminal()
    configure("json", stream=out)
    structlog.get_logger().info("started")
    assert _lines(out)[0]["event"] == "started"


def test_lines_below_the_level_are_dropped() -> None:
    out = io.StringIO()
    configure(level="warning", stream=out)
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    assert [line["event"] for line in _lines(out)] == ["loud"]


def test_libraries_speak_through_it_from_warning_on() -> None:
    out = io.StringIO()
    configure(level="debug", stream=out)
    logging.getLogger("aiohttp.client").info("nothing")
    logging.getLogger("botocore").warning("slow down, %s", "please")
    (line,) = _lines(out)
    assert line["event"] == "library"
    assert line["logger"] == "botocore"
    assert line["message"] == "slow down, please"
    assert line["level"] == "warning"


@pytest.mark.parametrize("log_format", ["json", "console"])
class TestSecrets:
    def test_they_are_found_wherever_they_are(self, log_format: Any) -> None:
        out = io.StringIO()
        configure(log_format, secrets=[SECRET], stream=out)
        log = structlog.get_logger()
        log.info("told", plain=SECRET, nested={"list": [SECRET, {SECRET: 1}]}, text=f"key {SECRET} refused")
        try:
            int(f"refused {SECRET}")
        except ValueError:
            log.exception("failed")
            logging.getLogger("aiohttp").exception("failed with %s", SECRET)
        assert "quoted" not in out.getvalue()
        assert "failed" in out.getvalue()
        assert out.getvalue().count(MASK) >= 6

    def test_signed_queries_are_cut_off(self, log_format: Any) -> None:
        out = io.StringIO()
        configure(log_format, stream=out)
        signed = "https://s3.local/bucket/key.png?X-Amz-Algorithm=A&X-Amz-Signature=hush&x=hush"
        old = "https://s3.local/b/k.png?AWSAccessKeyId=hush&Signature=hush&Expires=1"
        structlog.get_logger().info("fetched", url=signed, urls=[old, "https://pim.local/a.jpg?width=100"])
        assert "hush" not in out.getvalue()
        assert "https://s3.local/bucket/key.png?***" in out.getvalue()
        assert "https://pim.local/a.jpg?width=100" in out.getvalue()

    def test_credentials_in_urls_and_headers_are_masked(self, log_format: Any) -> None:
        out = io.StringIO()
        configure(log_format, stream=out)
        structlog.get_logger().info(
            "asked", url="https://user:hush@pim.local/", headers={"Authorization": "Bearer hush"}
        )
        assert "hush" not in out.getvalue()


def test_a_secret_that_begins_another_one_hides_both() -> None:
    assert Scrubber(["abcd", "abcdefgh"]).scrub("abcdefgh abcd") == "*** ***"


def test_very_short_values_do_not_ruin_the_diary() -> None:
    assert Scrubber(["1", ""]).scrub("1 + 1") == "1 + 1"


def test_json_stays_json_when_scrubbed() -> None:
    out = io.StringIO()
    configure("json", secrets=[SECRET], stream=out)
    structlog.get_logger().info("told", value=SECRET, url="https://h/p?X-Amz-Signature=hush", other="ü")
    (line,) = _lines(out)
    assert line["value"] == MASK
    assert line["url"] == "https://h/p?***"
    assert line["other"] == "ü"
