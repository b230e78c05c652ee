"""Sessions end, and guesses are slow: by the clock alone."""

from dataclasses import dataclass

from stream.console.sessions import GUESS_SECONDS, GUESSES, LASTS_SECONDS, Guesses, Sessions, is_token


@dataclass
class Hands:
    """A clock whose hands are moved."""

    now: float = 1_000.0

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def chance(self) -> float:
        return 0.5

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_session_ends_by_itself_and_by_leaving() -> None:
    clock = Hands()
    sessions = Sessions(clock)
    session = sessions.begin("Ada")
    cookie = sessions.cookie(session)
    assert sessions.read(cookie) == session
    other = sessions.begin("Ada")
    sessions.end(other)
    assert sessions.read(sessions.cookie(other)) is None
    clock.now += LASTS_SECONDS + 1
    assert sessions.read(cookie) is None


def test_a_cookie_of_another_process_is_worth_nothing() -> None:
    mine, theirs = Sessions(Hands()), Sessions(Hands())
    session = mine.begin("Ada")
    assert theirs.read(mine.cookie(session)) is None
    assert not theirs.is_form_token(session, mine.form_token(session))
    for broken in ("", ".", "a.b", "é.é", "a" * 5_000):
        assert mine.read(broken) is None


def test_guesses_come_back_one_by_one_and_each_address_has_its_own() -> None:
    clock = Hands()
    guesses = Guesses(clock)
    assert [guesses.take("a") for _ in range(GUESSES)] == [0.0] * GUESSES
    assert 0 < guesses.take("a") <= GUESS_SECONDS
    assert guesses.take("b") == 0.0
    clock.now += GUESS_SECONDS
    assert guesses.take("a") == 0.0
    assert guesses.take("a") > 0


def test_a_token_is_itself_only() -> None:
    assert is_token("correct horse", "correct horse")
    assert not any(is_token(told, "correct horse") for told in ("", "correct", "correct horse ", "\ud800"))
