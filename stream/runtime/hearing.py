"""How a stopped stage hears a person's word that it may go on (`skustream dlq resume`).

Comes in: reasons the stage is stopped for, and since when. Goes out: the word, if there is one newer than the stop.
The store is asked only while a stage is stopped.
"""

import structlog

from stream.core.errors import CorruptDocument, Reason, Unavailable
from stream.ledger.resumes import Resume, Resumes

log = structlog.get_logger(__name__)


class Hearing:
    """One per stage and process."""

    def __init__(self, stage: str, resumes: Resumes) -> None:
        """`resumes`: the words in the store."""
        self._stage = stage
        self._resumes = resumes
        self._known: dict[tuple[Reason, Reason | None], str] = {}
        """The words that were followed or found too old, by their nonces; kept from one stop to the next."""
        self._looked: dict[Reason, set[Reason | None]] = {}
        """What was looked up since the stop began: whatever appears there later is newer, whatever a clock says."""

    def began(self, reason: Reason) -> None:
        """The stage is stopped for `reason` from now on."""
        self._looked[reason] = set()

    async def newer(self, reason: Reason, stopped_seconds: float) -> Resume | None:
        """A word about `reason` or about every one, newer than the stop of so many seconds; each is told once."""
        for about in (reason, None):
            try:
                word = await self._word(reason, about, stopped_seconds)
            except (Unavailable, CorruptDocument) as error:
                log.warning("resume-not-read", stage=self._stage, reason=reason, cause=str(error))
            else:
                if word is not None:
                    return word
        return None

    async def _word(self, reason: Reason, about: Reason | None, stopped_seconds: float) -> Resume | None:
        looked = self._looked[reason]
        is_first_look = about not in looked
        heard = await self._resumes.latest(self._stage, about)
        looked.add(about)
        if heard is None or heard.resume.nonce == self._known.get((reason, about)):
            return None
        self._known[reason, about] = heard.resume.nonce
        return None if is_first_look and heard.age_seconds >= stopped_seconds else heard.resume
