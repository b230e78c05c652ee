"""Reading the notes about batches in the store, again and again: a batch is listed before its first record.

Comes in: the store's documents. Goes out: notes by batch, for the watcher. A store that is gone is waited for.
"""

from collections.abc import Mapping

import structlog

from stream.catalog.notes import BatchNote, BatchNotes
from stream.console.watching import Watcher
from stream.core.clock import Clock
from stream.core.errors import CorruptDocument, Unavailable
from stream.objects import keys
from stream.objects.port import ObjectStore

log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0
SETTLED_LOOKS = 12
"""The note of a batch whose submit has told its end is read every so many looks: somebody may submit into it again."""
MAX_NOTES = 5_000


async def keep_noted(watcher: Watcher, objects: ObjectStore, clock: Clock) -> None:
    """Look until cancelled."""
    looks = 0
    while True:
        try:
            watcher.notes = await noted(objects, watcher.notes, is_thorough=looks % SETTLED_LOOKS == 0)
        except Unavailable as error:
            log.warning("console-notes", trouble=str(error))
        except Exception:  # notes that are read late are better than notes that are never read again
            log.exception("console-notes")
        looks += 1
        await clock.sleep(LOOK_SECONDS)


async def noted(
    objects: ObjectStore, known: Mapping[str, BatchNote], *, is_thorough: bool = True
) -> Mapping[str, BatchNote]:
    """Every batch's note; unless `is_thorough`, those of submits that have ended as they are `known`.

    Raises `Unavailable(store)`. A document there that is no note of ours is nobody's batch.
    """
    notes: dict[str, BatchNote] = {}
    async for listed in objects.list_keys(f"{keys.BATCHES}/"):
        batch_id = _batch_of(listed.key)
        if batch_id is None:
            continue
        note = known.get(batch_id)
        if note is None or note.is_sending or is_thorough:
            note = await _read(objects, batch_id)
        if note is not None:
            notes[batch_id] = note
        if len(notes) >= MAX_NOTES:
            break
    return notes


def _batch_of(key: str) -> str | None:
    segment = key.removeprefix(f"{keys.BATCHES}/").removesuffix(".json")
    try:
        batch_id = keys.unquote(segment)
    except ValueError:  # shortened: it is found by its records alone
        return None
    return batch_id if keys.batch_path(batch_id) == key else None


async def _read(objects: ObjectStore, batch_id: str) -> BatchNote | None:
    try:
        return await BatchNotes(objects).find(batch_id)
    except CorruptDocument as error:
        log.warning("console-note", trouble=str(error))
        return None
