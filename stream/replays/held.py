"""Why a letter is not put back: what was decided already, what cannot go back, what would only fail again.

Comes in: whoever looks at a letter. Goes out: a `Held`, a sentence and a way out for a person. The words of `Cause` are
a closed list: tables, JSON and docs use them.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from stream.core.errors import Reason


class Cause(StrEnum):
    """In the order in which they are told."""

    REPLAYED = "replayed already"
    DISCARDED = "discarded already"
    REPEAT = "repeat of another letter"
    """Written twice (at-least-once): the same event of the same replay number, put back once."""
    LEFT_OUT = "left out by --mend"
    TOO_OFTEN = "replay cap"
    FOREIGN = "foreign letter"
    STAGE_GONE = "stage gone"
    IDENTITY = "identity changed"
    DONE_BEFORE = "earlier stage changed"
    UNMENDABLE = "not mended"
    NO_PLACE = "no record time"
    OLD_PHOTO = "photo known"
    INVALID_EVENT = Reason.INVALID_EVENT.value
    ORDER_KIND = Reason.ORDER_KIND.value
    AMBIGUOUS = Reason.AMBIGUOUS_SUBMIT.value
    BLOCKED = Reason.JOB_BLOCKED.value
    FAILED = Reason.JOB_FAILED.value
    ASSET_MISSING = Reason.ASSET_MISSING.value
    TOO_MANY_PIXELS = Reason.TOO_MANY_PIXELS.value
    CORRUPT = "ledger unreadable"


DECIDED = frozenset({Cause.REPLAYED, Cause.DISCARDED, Cause.REPEAT, Cause.LEFT_OUT})
"""Nothing is wrong with these: there is nothing to do."""
FAILS_AGAIN = frozenset(
    {Cause.ORDER_KIND, Cause.AMBIGUOUS, Cause.BLOCKED, Cause.FAILED, Cause.ASSET_MISSING, Cause.TOO_MANY_PIXELS}
)
"""What the store and the ledger say now: true until somebody changes it, so a person may insist."""

WAYS_OUT: Mapping[Cause, str] = MappingProxyType(
    {
        Cause.TOO_OFTEN: "find out why it fails each time; --max-replays allows more",
        Cause.FOREIGN: "--from raw, where its value is a raw-image event",
        Cause.STAGE_GONE: "--from raw",
        Cause.IDENTITY: "--from raw",
        Cause.DONE_BEFORE: "--from raw",
        Cause.UNMENDABLE: "correct the mend, or leave these letters out by a filter",
        Cause.NO_PLACE: "publish the event anew",
        Cause.OLD_PHOTO: "change version too, e.g. --set version=2: a version stands for its photo",
        Cause.INVALID_EVENT: "--set or --mend what the sentence names",
        Cause.ORDER_KIND: "publish the event with the field that orders its image",
        Cause.AMBIGUOUS: "look the job up in PixelAPI's usage, then --buy-again or dlq discard",
        Cause.BLOCKED: "another photo or other parameters (--set)",
        Cause.FAILED: "raise the stage's job_attempts in the pipeline file, or change its parameters (--set)",
        Cause.ASSET_MISSING: "--from raw: what is gone is bought again",
        Cause.TOO_MANY_PIXELS: "a lower scale (--set), or a higher SKUSTREAM_MAX_PIXELS",
        Cause.CORRUPT: "look at the document that the sentence names",
    }
)


class Held(Exception):
    """This letter stays where it is."""

    def __init__(self, cause: Cause, sentence: str = "") -> None:
        """`sentence`: what is special about this one."""
        self.cause = cause
        self.sentence = sentence
        super().__init__(f"{cause}: {sentence}" if sentence else cause.value)

    @property
    def may_insist(self) -> bool:
        """Whether `--include-failing` puts it back all the same."""
        return self.cause in FAILS_AGAIN
