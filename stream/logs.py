"""The diary: structured lines on stderr, JSON off a terminal and readable on one, never with a secret in them.

Comes in: `structlog.get_logger()` anywhere (one event word and its facts), and warnings of the libraries' own loggers.
Goes out: lines whose text passed the scrubber as a whole, so that no nesting, traceback or escaping hides a secret.
"""

import json
import logging
import re
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any, Literal, TextIO
from urllib.parse import quote

import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import ExceptionRenderer, JSONRenderer, TimeStamper
from structlog.stdlib import ProcessorFormatter

Format = Literal["auto", "json", "console"]

MASK = "***"
SHORTEST_SECRET = 4
"""Shorter values are not looked for: replacing every "1" would ruin the diary and hide nothing."""
_STOP = r"\s\"'<>\\\x1b"
_SIGNED_URL = re.compile(
    rf"([a-z][a-z0-9+.-]*://[^{_STOP}?]+)\?[^{_STOP}]*?(?:X-Amz-|Signature=|sig=)[^{_STOP}]*", re.IGNORECASE
)
_USER_INFO = re.compile(rf"([a-z][a-z0-9+.-]*://)[^{_STOP}/]+@", re.IGNORECASE)
_BEARER = re.compile(rf"(Bearer )[^{_STOP},;)]+", re.IGNORECASE)

EventDict = MutableMapping[str, Any]


class Scrubber:
    """Takes registered secrets, signed queries, credentials in URLs and bearer tokens out of a text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: list[str] = []
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Register more secrets, in every form a renderer may give them."""
        forms = set(self._forms)
        for secret in secrets:
            if len(secret) >= SHORTEST_SECRET:
                once = _escaped(secret) | {quote(secret, safe="")}
                forms.update(once, *map(_escaped, once))  # twice: a repr inside JSON
        # The longest first: one secret may begin with another.
        self._forms = sorted(forms, key=len, reverse=True)

    def scrub(self, text: str) -> str:
        """`text` without anything secret."""
        for form in self._forms:
            text = text.replace(form, MASK)
        text = _SIGNED_URL.sub(rf"\1?{MASK}", text)
        text = _USER_INFO.sub(rf"\1{MASK}@", text)
        return _BEARER.sub(rf"\1{MASK}", text)


def _escaped(text: str) -> set[str]:
    return {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]}


def configure(
    log_format: Format = "auto", level: str = "info", *, secrets: Iterable[str] = (), stream: TextIO | None = None
) -> Scrubber:
    """Set up the diary of this process on `stream` (stderr); call again to change it.

    `level`: debug, info, warning or error, for our own lines; libraries speak from WARNING on.
    Returns the scrubber, which takes further secrets and scrubs other texts.
    """
    out = stream or sys.stderr
    scrubber = Scrubber(secrets)
    as_json = log_format == "json" or (log_format == "auto" and not out.isatty())
    ending = _ending(scrubber, as_json=as_json, colours=out.isatty())
    common: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        TimeStamper("iso", utc=True),
    ]
    structlog.configure(
        processors=[*common, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[*common, _as_library],
            processors=[ProcessorFormatter.remove_processors_meta, *ending],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    return scrubber


def _ending(scrubber: Scrubber, *, as_json: bool, colours: bool) -> list[Any]:
    def scrubbed(_: object, __: str, line: str) -> str:
        return scrubber.scrub(line)

    if as_json:
        return [ExceptionRenderer(), JSONRenderer(default=repr, ensure_ascii=False), scrubbed]
    # Tracebacks unwrapped: a box drawn around them would break a secret in two.
    return [ConsoleRenderer(colors=colours, exception_formatter=plain_traceback), scrubbed]


def _as_library(logger: object, _: str, event: EventDict) -> EventDict:
    """A library's sentence becomes the fact `message` of the event word `library`."""
    record = event.get("_record")
    event["logger"] = record.name if record is not None else getattr(logger, "name", "?")
    event["message"] = event.pop("event")
    event["event"] = "library"
    return event
