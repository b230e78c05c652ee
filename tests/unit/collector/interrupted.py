"""A store in which something happens just before or just after one call: the moment between two steps of another."""

from collections.abc import Awaitable, Callable

from stream.objects.memory import MemoryStore
from stream.objects.port import Document
from tests.unit.collector.walker import GatedStore

Scene = Callable[[], Awaitable[object]]


class InterruptedStore(GatedStore):
    """Each scene is played once, at the first call of its kind on a key with its beginning."""

    def __init__(self) -> None:
        super().__init__()
        self.before_write: dict[str, Scene] = {}
        self.after_read: dict[str, Scene] = {}

    async def read(self, key: str) -> Document | None:
        found = await MemoryStore.read(self, key)
        await _play(self.after_read, key)
        return found

    async def create(self, key: str, body: bytes) -> str | None:
        await _play(self.before_write, key)
        return await MemoryStore.create(self, key, body)

    async def replace(self, key: str, body: bytes, tag: str) -> str | None:
        await _play(self.before_write, key)
        return await MemoryStore.replace(self, key, body, tag)


async def _play(scenes: dict[str, Scene], key: str) -> None:
    for beginning in list(scenes):
        if key.startswith(beginning):
            await scenes.pop(beginning)()
