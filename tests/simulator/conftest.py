"""A simulator on a free port, and a client that behaves well."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from stream.simulator import Behaviour, Simulator
from tests.simulator import drawn


@dataclass
class Client:
    """Speaks both dialects; every method gives (status, headers, body)."""

    sim: Simulator
    http: aiohttp.ClientSession
    photo: str

    async def call(self, method: str, path: str, **how: Any) -> tuple[int, dict[str, str], Any]:
        url = path if path.startswith("http") else f"{self.sim.base_url}{path}"
        async with self.http.request(method, url, **how) as answer:
            kind = answer.content_type
            body = await (answer.json() if kind == "application/json" else answer.read())
            return answer.status, dict(answer.headers), body

    async def submit(self, operation: str = "remove-background", **fields: Any) -> tuple[int, dict[str, str], Any]:
        return await self.call("POST", f"/image/{operation}", json={"image_url": self.photo, **fields})

    async def finished(self, job: str) -> Any:
        """Poll until the job has ended."""
        while True:
            _, _, body = await self.call("GET", f"/image/{job}")
            if body.get("status") in {"completed", "failed", "blocked"}:
                return body
            await asyncio.sleep(0.01)  # the pause of a polite client, not a wait for a state

    async def bought(self, operation: str = "remove-background", **fields: Any) -> Any:
        """Submit and follow to the end."""
        _, _, body = await self.submit(operation, **fields)
        return await self.finished(body["generation_id"])

    async def keyless(self, path: str) -> bytes:
        """Get an output the way it should be got: without the key."""
        async with aiohttp.ClientSession(headers={"User-Agent": "tests/1"}) as plain, plain.get(path) as answer:
            return await answer.read()


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one photo, one that is too small and one that is none."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "ring.jpg").write_bytes(drawn.jpeg())
    (folder / "tiny.jpg").write_bytes(drawn.photo().resize(0.15).write_to_buffer(".jpg"))
    (folder / "broken.jpg").write_bytes(drawn.jpeg()[:900])
    (folder / "text.jpg").write_bytes(b"this is no picture")
    return folder


@pytest.fixture
async def client(photos: Path) -> AsyncIterator[Client]:
    """A well-behaved client of a well-behaved simulator; tests change `client.sim.behaviour`."""
    headers = {"Authorization": "Bearer pk_test", "User-Agent": "skustream-tests/1"}
    async with Simulator(Behaviour(), photos=photos) as sim, aiohttp.ClientSession(headers=headers) as http:
        yield Client(sim, http, f"{sim.origin}/photos/ring.jpg")
