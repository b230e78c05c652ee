"""Who sits in front of the browser: signed cookies, the token of every form, and how often a token may be guessed.

Comes in: cookies and forms, which anybody can write. Goes out: a `Session` that we signed, or none. The key lives as
long as the process: a restart lets everybody log in again.
"""

import base64
import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass

import orjson

from stream.core.clock import Clock

LASTS_SECONDS = 12 * 3600
GUESSES = 5
"""So many at once, and then one in each `GUESS_SECONDS`."""
GUESS_SECONDS = 10.0
KNOWN_ADDRESSES = 4_096
KEPT_ENDED = 10_000
MAX_COOKIE_CHARACTERS = 2_048


@dataclass(frozen=True, slots=True)
class Session:
    """`person` is empty for somebody who has not been let in (and who still has forms to send: the login)."""

    nonce: str
    expires: int
    person: str


class Sessions:
    """Makes and reads cookies."""

    def __init__(self, clock: Clock) -> None:
        """With a key of its own."""
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._ended: OrderedDict[str, None] = OrderedDict()

    def begin(self, person: str = "") -> Session:
        """A new session."""
        return Session(secrets.token_urlsafe(18), int(self._clock.wall()) + LASTS_SECONDS, person)

    def cookie(self, session: Session) -> str:
        """What the browser keeps."""
        body = base64.urlsafe_b64encode(orjson.dumps([session.nonce, session.expires, session.person])).decode()
        return f"{body}.{self._sign('cookie', body)}"

    def read(self, cookie: str) -> Session | None:
        """The session, if we signed it, and it has not ended."""
        body, _, signature = cookie.partition(".")
        if len(cookie) > MAX_COOKIE_CHARACTERS or not _is_same(signature, self._sign("cookie", body)):
            return None
        nonce, expires, person = orjson.loads(base64.urlsafe_b64decode(body))
        if expires < self._clock.wall() or nonce in self._ended:
            return None
        return Session(nonce, expires, person)

    def end(self, session: Session) -> None:
        """It lets nobody in any more."""
        self._ended[session.nonce] = None
        while len(self._ended) > KEPT_ENDED:
            self._ended.popitem(last=False)

    def form_token(self, session: Session) -> str:
        """What every form of this session carries."""
        return self._sign("form", session.nonce)

    def is_form_token(self, session: Session, told: str) -> bool:
        """Whether the form was ours."""
        return _is_same(told, self.form_token(session))

    def _sign(self, purpose: str, text: str) -> str:
        return hmac.new(self._key, f"{purpose}:{text}".encode(), hashlib.sha256).hexdigest()


class Guesses:
    """How often the token may be tried, by the address that tries."""

    def __init__(self, clock: Clock) -> None:
        """Nobody has tried yet."""
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> float:
        """Note a try: 0 when it is allowed, else in how many seconds the next one is."""
        now = self._clock.monotonic()
        left, at = self._left.pop(address, (float(GUESSES), now))
        left = min(float(GUESSES), left + (now - at) / GUESS_SECONDS)
        is_allowed = left >= 1
        self._left[address] = (left - 1 if is_allowed else left, now)
        while len(self._left) > KNOWN_ADDRESSES:
            self._left.popitem(last=False)
        return 0.0 if is_allowed else (1 - left) * GUESS_SECONDS


def is_token(told: str, token: str) -> bool:
    """Compared in constant time, whatever their lengths."""
    return _is_same(
        hashlib.sha256(told.encode(errors="replace")).hexdigest(), hashlib.sha256(token.encode()).hexdigest()
    )


def _is_same(told: str, own: str) -> bool:
    return hmac.compare_digest(told.encode(errors="replace"), own.encode())
