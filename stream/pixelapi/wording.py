"""What an answer's body says, made fit to be shown: every body shape read, every secret taken out.

Bytes come in; a `Content` (JSON, text, a web page or nothing) and one bounded, scrubbed sentence go out. Pure; any
bytes are taken.
"""

import html
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson
from pydantic import SecretStr

MESSAGE_CHARACTERS = 500
HIDDEN = "***"

# The expressions below are quadratic at worst, so what they see is bounded first.
_SCRUBBED_CHARACTERS = 8_192
_DEPTH = 4
_ITEMS = 8
_MESSAGE_KEYS = ("detail", "error", "message", "error_message", "msg", "errors", "reason", "title")
_USERINFO = re.compile(r"\b(https?|s3|gs|ftp)://[^/\s@]{1,200}@", re.IGNORECASE)
_URL_QUERY = re.compile(r"\b((?:https?|s3|gs|ftp)://[^\s?#\"'<>]{0,2000})[?#][^\s\"'<>]*", re.IGNORECASE)
_SIGNATURE = re.compile(
    r"\b(x-(?:amz|goog|oss)-[a-z-]{1,40}|signature|sig|awsaccesskeyid|policy|key-pair-id|token|api_?key)"
    r"(?:=|%3D)[^\s\"'<>]+",
    re.IGNORECASE,
)
_KEY_SHAPES = re.compile(r"\b(bearer\s{1,4}|pk_(?:live|test)_|pxapi_)[A-Za-z0-9._~+/=-]{3,}", re.IGNORECASE)
_HIDDEN_PARTS = re.compile(r"<(script|style|head)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_TITLE = re.compile(r"<title[^>]*>([^<]{1,200})", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
# Control characters, surrogates, and what turns or hides text.
_NOT_SHOWN = re.compile("[\x00-\x1f\x7f-\xa0\ud800-\udfff\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]")


class Scrubber:
    """Text from outside → text for a person: no key, no signatures, one line, at most `MESSAGE_CHARACTERS`."""

    __slots__ = ("_own_key",)

    def __init__(self, key: SecretStr) -> None:
        secret = key.get_secret_value()
        self._own_key = re.compile(re.escape(secret), re.IGNORECASE) if secret else None

    def __repr__(self) -> str:
        return "Scrubber(***)"

    def holds_key(self, text: str) -> bool:
        """Whether our key stands in `text`."""
        return self._own_key is not None and self._own_key.search(text) is not None

    def __call__(self, text: str) -> str:
        """The text as it may be shown, logged and kept."""
        # The key goes first, before anything is cut: half a key is a leak too.
        text = self._without_key(text)[:_SCRUBBED_CHARACTERS]
        text = _NOT_SHOWN.sub(" ", text)
        text = _USERINFO.sub(rf"\1://{HIDDEN}@", text)
        text = _URL_QUERY.sub(rf"\1?{HIDDEN}", text)
        text = _SIGNATURE.sub(rf"\1={HIDDEN}", text)
        text = _KEY_SHAPES.sub(HIDDEN, text)
        # Once more: what was taken out may have stood between two halves.
        text = self._without_key(" ".join(text.split()))
        return text if len(text) <= MESSAGE_CHARACTERS else f"{text[: MESSAGE_CHARACTERS - 1]}…"

    def _without_key(self, text: str) -> str:
        return self._own_key.sub(HIDDEN, text) if self._own_key else text


class Kind(StrEnum):
    """What sort of body came."""

    JSON = "json"
    TEXT = "text"
    HTML = "html"
    EMPTY = "empty"
    BINARY = "binary"


@dataclass(frozen=True, slots=True)
class Content:
    """A body, read. `value` is set for JSON only; an empty JSON value (`{}`, `null`, ...) counts as EMPTY."""

    kind: Kind
    value: Any = None
    text: str = ""

    @property
    def fields(self) -> dict[str, Any]:
        """The JSON object, or an empty one."""
        return self.value if isinstance(self.value, dict) else {}


def content_of(body: bytes, content_type: str) -> Content:
    """Look at the bytes first and at the label last: labels are often wrong."""
    stripped = body.removeprefix(b"\xef\xbb\xbf").strip()
    if not stripped:
        return Content(Kind.EMPTY)
    try:
        value = orjson.loads(stripped)
    except orjson.JSONDecodeError:
        return _unparsed(stripped, content_type)
    return Content(Kind.JSON, value, stripped.decode("utf-8", errors="replace")) if value else Content(Kind.EMPTY)


def _unparsed(stripped: bytes, content_type: str) -> Content:
    is_page = stripped.startswith(b"<") or "html" in content_type.lower()
    try:
        text = stripped.decode("utf-8", errors="replace" if is_page else "strict")
    except UnicodeDecodeError:
        return Content(Kind.BINARY)
    return Content(Kind.HTML if is_page else Kind.TEXT, text=text)


def message_in(content: Content, scrub: Scrubber) -> str:
    """The other side's own words, in any of the shapes seen; scrubbed; empty when it said nothing."""
    if content.kind is Kind.JSON:
        return scrub(_spoken(content.value) or content.text)
    if content.kind is Kind.HTML:
        return scrub(_page_text(content.text))
    return scrub(content.text)


def _spoken(value: Any, depth: int = _DEPTH) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or value is None or depth == 0:
        return ""
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list):
        parts = (_spoken(item, depth - 1) for item in value[:_ITEMS])
        return "; ".join(part for part in parts if part)
    return _spoken_object(value, depth)


def _spoken_object(value: dict[str, Any], depth: int) -> str:
    words = next((said for key in _message_keys(value) if (said := _spoken(value[key], depth - 1))), "")
    place = value.get("loc")
    if isinstance(place, list) and words:
        words = f"{'.'.join(str(part) for part in place[:_ITEMS])}: {words}"
    code, guidance = value.get("code"), value.get("guidance")
    if isinstance(code, str) and code and code not in words:
        words = f"{code}: {words}" if words else code
    if isinstance(guidance, str) and guidance and words:
        words = f"{words} ({guidance.strip()})"
    return words


def _message_keys(value: dict[str, Any]) -> list[str]:
    """In an object with both, `message` is the sentence and `error` often a mere code."""
    keys = [key for key in _MESSAGE_KEYS if key in value]
    if "message" in keys and isinstance(value["message"], str) and isinstance(value.get("error"), str):
        keys.remove("error")
    return keys


def _page_text(page: str) -> str:
    """A web page without its tags."""
    if len(page) > _SCRUBBED_CHARACTERS:
        # Cut between words: half a key would pass the scrubber, which has not run yet.
        page = page[:_SCRUBBED_CHARACTERS]
        page = page[: max(page.rfind(" "), page.rfind("\n"), 0)]
    title = _TITLE.search(page)
    body = _TAG.sub(" ", _HIDDEN_PARTS.sub(" ", page))
    return html.unescape(f"{title.group(1)}: {body}" if title else body)
