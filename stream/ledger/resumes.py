"""A person's word that a stopped stage may go on (`skustream dlq resume`), where every worker of the fleet can hear it.

Comes in: a stage, perhaps a reason, who and why. Goes out: the latest word about it, and how old it is by the store's
clock. One small document each, changed only under a condition, so that of two operators both were heard.
"""

import uuid
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from stream.core.errors import Reason
from stream.events import FORMAT, FormatVersion, Kept
from stream.ledger.documents import read_document
from stream.objects.keys import resume_path
from stream.objects.port import Documents
from stream.records import dump

MAX_WORDS = 500
Words = Annotated[str, Field(max_length=MAX_WORDS)]
"""A person's, cut before they are written: they stand in every worker's log."""


class Resume(Kept):
    """One word. `reason` is empty where it is about every reason; `nonce` tells it from all others."""

    v: FormatVersion = FORMAT
    stage: str
    reason: str = ""
    by: Words
    why: Words
    nonce: Annotated[str, Field(max_length=64)]


@dataclass(frozen=True, slots=True)
class Heard:
    """A word as it stands in the store; `age_seconds` by the store's own clock."""

    resume: Resume
    age_seconds: float


class Resumes:
    """The latest word about each stage and reason."""

    def __init__(self, documents: Documents) -> None:
        """`documents`: the store's conditional documents."""
        self._documents = documents

    async def tell(self, stage: str, reason: Reason | None, *, by: str, why: str) -> None:
        """Let `stage` go on, after letters of `reason` or of any. Raises `Unavailable(store)`."""
        path = resume_path(stage, reason)
        nonce = uuid.uuid4().hex
        told = dump(Resume(stage=stage, reason=reason or "", by=_cut(by), why=_cut(why), nonce=nonce))
        written = None
        while written is None:
            standing = await self._documents.read(path)
            if standing is None:
                written = await self._documents.create(path, told)
            else:
                written = await self._documents.replace(path, told, standing.tag)

    async def latest(self, stage: str, reason: Reason | None) -> Heard | None:
        """The latest word about exactly this. Raises `Unavailable(store)`, `CorruptDocument`."""
        path = resume_path(stage, reason)
        document = await self._documents.read(path)
        if document is None:
            return None
        return Heard(read_document(Resume, path, document.body), document.age_seconds)


def _cut(words: str) -> str:
    """As they can be written, whatever bytes were typed."""
    return words.encode(errors="replace").decode()[:MAX_WORDS]
