"""The note about a batch in the object store: written before anything is sent, so that a crash in the middle shows.

Comes in: a submit. Goes out: one document per batch, `_batches/<batch>.json`, that `status` begins from. Changed by
compare-and-swap only, like the ledger: two people may submit into one batch.
"""

import uuid
from collections.abc import Callable, Mapping
from enum import StrEnum

from stream.broker.port import Partition
from stream.core.errors import CorruptDocument
from stream.events import FORMAT, Count, FormatVersion, Kept, Priority
from stream.ledger.documents import read_document
from stream.objects.keys import batch_path
from stream.objects.port import Documents
from stream.records import dump

KEPT_SUBMISSIONS = 200
"""The latest ones: the document stays below the store's limit however often a batch is submitted."""


class SubmitState(StrEnum):
    """How far a submit came. `sending` long after its time: it was killed."""

    SENDING = "sending"
    SENT = "sent"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


class Start(Kept):
    """Where a topic's partition ended before the batch's first record was sent."""

    topic: str
    partition: Count
    offset: Count


class Submission(Kept):
    """One `skustream submit`. `rows`: valid rows of the catalog; `events`: those it was to send."""

    id: str
    at: float
    by: str
    source: str
    topic: str
    priority: Priority
    rows: Count
    events: Count
    skipped: Count = 0
    is_sample: bool = False
    state: SubmitState = SubmitState.SENDING
    acknowledged: Count = 0


class BatchNote(Kept):
    """`images`: the most (sku_id, image_id) that one submit was to send; `starts` are the first submit's."""

    v: FormatVersion = FORMAT
    batch_id: str
    images: Count
    starts: tuple[Start, ...]
    submissions: tuple[Submission, ...]
    nonce: str

    @property
    def unfinished(self) -> Submission | None:
        """The latest submit that has not told its end, and was not followed by another of its source.

        It runs, or it was killed; two people may submit two files side by side.
        """
        latest = {each.source: each for each in self.submissions}
        sending = [each for each in latest.values() if each.state is SubmitState.SENDING]
        return max(sending, key=lambda each: each.at, default=None)

    @property
    def is_sending(self) -> bool:
        """Whether a submit has not told its end: it runs, or it was killed."""
        return self.unfinished is not None

    @property
    def noted_events(self) -> int:
        """Records that its submits have put into the topics, or are putting there; none of those that were killed."""
        latest = {each.source: each.id for each in self.submissions}
        return sum(
            each.acknowledged
            if each.state is not SubmitState.SENDING
            else each.events * (latest[each.source] == each.id)
            for each in self.submissions
        )

    def start_of(self, partition: Partition) -> int:
        """Where to begin reading it; 0 for a partition that did not exist then."""
        known = {Partition(start.topic, start.partition): start.offset for start in self.starts}
        return known.get(partition, 0)


class BatchNotes:
    """Every method raises `Unavailable(store)`, and `CorruptDocument` where somebody else wrote into the note."""

    def __init__(self, documents: Documents) -> None:
        """`documents`: the store's conditional documents."""
        self._documents = documents

    async def find(self, batch_id: str) -> BatchNote | None:
        """The batch's note, or None for one that was never submitted from here."""
        path = batch_path(batch_id)
        document = await self._documents.read(path)
        return None if document is None else _read(path, document.body, batch_id)

    async def open(
        self, batch_id: str, submission: Submission, *, images: int, starts: Mapping[Partition, int]
    ) -> BatchNote:
        """Note that `submission` is about to send. The first one's `starts` stand for the whole batch, being lowest."""
        first = tuple(Start(topic=each.topic, partition=each.number, offset=starts[each]) for each in sorted(starts))

        def with_it(note: BatchNote | None) -> BatchNote:
            if note is None:
                return BatchNote(
                    batch_id=batch_id, images=images, starts=first, submissions=(submission,), nonce=uuid.uuid4().hex
                )
            kept = (*note.submissions, submission)[-KEPT_SUBMISSIONS:]
            return note.model_copy(update={"images": max(images, note.images), "submissions": kept})

        return await self._change(batch_id, with_it)

    async def close(self, batch_id: str, submission_id: str, state: SubmitState, *, acknowledged: int) -> None:
        """Note how `submission_id` ended."""
        end = {"state": state, "acknowledged": acknowledged}

        def ended(note: BatchNote | None) -> BatchNote:
            if note is None:
                raise CorruptDocument(f"the note {batch_path(batch_id)} vanished while its catalog was sent")
            changed = tuple(
                each.model_copy(update=end) if each.id == submission_id else each for each in note.submissions
            )
            return note.model_copy(update={"submissions": changed})

        await self._change(batch_id, ended)

    async def _change(self, batch_id: str, change: Callable[[BatchNote | None], BatchNote]) -> BatchNote:
        path = batch_path(batch_id)
        while True:
            document = await self._documents.read(path)
            before = None if document is None else _read(path, document.body, batch_id)
            after = change(before).model_copy(update={"nonce": uuid.uuid4().hex})
            body = dump(after)
            if document is None:
                written = await self._documents.create(path, body)
            else:
                written = await self._documents.replace(path, body, document.tag)
            if written is not None:
                return after


def _read(path: str, body: bytes, batch_id: str) -> BatchNote:
    note = read_document(BatchNote, path, body)
    if note.batch_id != batch_id:
        raise CorruptDocument(f"the document {path} is about another batch")
    return note
