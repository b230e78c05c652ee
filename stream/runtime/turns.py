"""Who walks after whom: the events of one image one after the other, everybody else beside them.

Comes in: an image that joins. Goes out: its turn, which comes when all before it have ended.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

Image = tuple[str, str]
"""(sku_id, image_id)."""


@dataclass(slots=True, eq=False)
class Turn:
    """A walk's place in the line of an image: over when its own walk and all before it have ended."""

    image: Image
    before: "Turn | None"
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def come(self) -> None:
        """Wait for every walk before this one, also behind one that was called off while it waited itself."""
        while self.before is not None:
            await self.before.ended.wait()
            self.before = self.before.before


@dataclass(slots=True)
class Lines:
    """The last in line of every image that somebody walks for."""

    last_of_image: dict[Image, Turn] = field(default_factory=dict)

    def join(self, image: Image) -> Turn:
        """The last place in the line of `image`."""
        turn = Turn(image, self.last_of_image.get(image))
        self.last_of_image[image] = turn
        return turn

    def leave(self, turns: Iterable[Turn]) -> None:
        """These have ended, or were called off; an image is forgotten with the last one."""
        for turn in turns:
            turn.ended.set()
            # Called off behind one that still walks, it stays last: who comes next must find that one through it.
            while turn.before is not None and turn.before.ended.is_set():
                turn.before = turn.before.before
            if self.last_of_image.get(turn.image) is turn:
                if turn.before is None:
                    del self.last_of_image[turn.image]
                else:
                    self.last_of_image[turn.image] = turn.before
