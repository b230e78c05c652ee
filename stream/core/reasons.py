"""What each reason of a letter means: whose fault, whether a replay helps, what to do. One source for code and docs.

Comes in: a `Reason`. Goes out: its card. `docs/reasons.md` and the runbook are checked against it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from stream.core.errors import Reason


class Fault(StrEnum):
    """Who can put it right."""

    SENDER = "sender"
    """Whoever published the event or serves its photo: the PIM."""
    PROVIDER = "provider"
    """PixelAPI."""
    OPERATOR = "operator"
    """Settings, the pipeline file, or what was deleted by hand."""
    NOBODY = "nobody"
    """An answer was lost, a fault did not pass in time."""
    OURS = "ours"
    """skustream itself."""


class Replay(StrEnum):
    """Whether putting the same bytes back helps."""

    USELESS = "no"
    AFTER_A_CHANGE = "after a change"
    USEFUL = "yes"
    BY_DECISION = "by decision"
    """Only where a person decides to buy again."""


@dataclass(frozen=True, slots=True)
class ReasonCard:
    """`what` happened and the `way_out`, each a sentence for a person."""

    fault: Fault
    replay: Replay
    what: str
    way_out: str
    may_wait: bool = False
    """Whether a stage may be told to try again later by itself (`retries` in the pipeline file)."""
    is_malformed: bool = False
    """The input alone is at fault: such letters never stop a stage (a bad catalog must not stop anyone)."""
    is_remembered: bool = False
    """The ledger answers from now on: whoever walks again learns nothing of whether the provider is well."""


CARDS: Mapping[Reason, ReasonCard] = MappingProxyType({
    Reason.INVALID_EVENT: ReasonCard(
        Fault.SENDER, Replay.AFTER_A_CHANGE, "The record could not be read as an event, or a field is wrong.",
        "Correct the field that the sentence names: publish a new event, or replay with --set.", is_malformed=True,
    ),
    Reason.ORDER_KIND: ReasonCard(
        Fault.SENDER, Replay.USELESS, "The image's events are ordered by another field than this one carries.",
        "Send every event of one image with the same field: sequence, or occurred_at, or neither.", is_malformed=True,
    ),
    Reason.SOURCE_REFUSED: ReasonCard(
        Fault.SENDER, Replay.AFTER_A_CHANGE, "raw_url leads somewhere that is not fetched from.",
        "Publish a public https URL; or allow the place (SKUSTREAM_FETCH_ALLOW, _FILE_ROOT, _SOURCE_BUCKETS): replay.",
        may_wait=True, is_malformed=True,
    ),
    Reason.SOURCE_MISSING: ReasonCard(
        Fault.SENDER, Replay.AFTER_A_CHANGE, "The photo's server answered definitely that there is no photo.",
        "Put the photo there and replay, or publish the right URL.", may_wait=True, is_malformed=True,
    ),
    Reason.INVALID_IMAGE: ReasonCard(
        Fault.SENDER, Replay.AFTER_A_CHANGE, "The photo's bytes are not a picture that is taken.",
        "Put a whole, still JPEG, PNG or WebP picture there, and replay.", may_wait=True, is_malformed=True,
    ),
    Reason.TOO_MANY_PIXELS: ReasonCard(
        Fault.SENDER, Replay.AFTER_A_CHANGE, "The stage's output would pass the pixel cap; nothing was bought.",
        "Send a smaller photo, replay with a lower scale, or raise SKUSTREAM_MAX_PIXELS.", is_malformed=True,
    ),
    Reason.API_REJECTED: ReasonCard(
        Fault.SENDER, Replay.AFTER_A_CHANGE, "PixelAPI refused the picture or a parameter; nothing was bought.",
        "Read PixelAPI's sentence; change the parameter or the photo, and replay.", may_wait=True,
    ),
    Reason.JOB_BLOCKED: ReasonCard(
        Fault.SENDER, Replay.USELESS, "PixelAPI's safety filter blocked the picture.",
        "The verdict is remembered: send another photo or other parameters.", is_remembered=True,
    ),
    Reason.JOB_FAILED: ReasonCard(
        Fault.PROVIDER, Replay.AFTER_A_CHANGE, "PixelAPI reported every numbered attempt failed.",
        "Change the photo or a parameter; or raise the stage's job_attempts, then a replay buys a further attempt.",
        is_remembered=True,
    ),
    Reason.JOB_OVERDUE: ReasonCard(
        Fault.PROVIDER, Replay.USEFUL, "The job did not end within its deadline; its id is kept.",
        "Replay: it goes on polling the same job and buys nothing.", may_wait=True,
    ),
    Reason.BAD_RESULT: ReasonCard(
        Fault.PROVIDER, Replay.USEFUL, "The job is completed, but its result cannot be used.",
        "Replay: it asks for the result again and buys nothing. If that fails, ask PixelAPI about the job id.",
        may_wait=True,
    ),
    Reason.ASSET_MISSING: ReasonCard(
        Fault.OPERATOR, Replay.AFTER_A_CHANGE, "An asset that the record names was deleted since.",
        "Replay with --from raw: what is still there is reused, what is gone is bought again.",
    ),
    Reason.AMBIGUOUS_SUBMIT: ReasonCard(
        Fault.NOBODY, Replay.BY_DECISION, "A submit's answer was lost: the job may exist and be charged.",
        "Look the job up in PixelAPI's usage by time and operation; then decide: replay with --buy-again, or discard.",
        is_remembered=True,
    ),
    Reason.RETRIES_EXHAUSTED: ReasonCard(
        Fault.NOBODY, Replay.USEFUL, "A passing fault did not pass within the attempts allowed.",
        "Replay once the fault that the sentence names has passed.", may_wait=True,
    ),
    Reason.BUG: ReasonCard(
        Fault.OURS, Replay.AFTER_A_CHANGE, "An error nobody foresaw; the letter holds the traceback.",
        "Report it with skustream.traceback; replay with a corrected version.", may_wait=True,
    ),
})  # fmt: skip
