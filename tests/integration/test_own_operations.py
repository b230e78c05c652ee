"""Foreign operations at real doors: one drawn here, one bought from another path of PixelAPI, each exactly once."""

from pathlib import Path

import orjson
import pytest
import pyvips

from tests.integration.shop import open_shop

DRAWN = """
from pathlib import Path

import pyvips

from stream.images.loading import NotAPicture
from stream.operations import Params
from stream.stages.local import DrawnOperation


class StampParams(Params):
    size: int = 40


class Stamp(DrawnOperation[StampParams]):
    name = "stamp"
    params = StampParams

    def draw(self, source: Path, params: StampParams) -> bytes:
        image = pyvips.Image.new_from_file(str(source), access="sequential")
        if params.size > image.width:
            raise NotAPicture("too small for the stamp")
        if params.size == 13:
            return b"no picture at all"
        return image.draw_rect([255, 0, 0], 0, 0, params.size, params.size, fill=True).pngsave_buffer()
"""
BOUGHT = """
from stream.stages.bought import BoughtOperation
from stream.operations import Params


class SoftParams(Params):
    shadow_blur: float | None = None
    shadow_type: str = "soft"


class Soft(BoughtOperation[SoftParams]):
    name = "soft-shadow"
    params = SoftParams
    path = "image/add-shadow"
"""
MISTAKEN = """
from stream.stages.bought import BoughtOperation, Plan
from stream.operations import Params


class SlipParams(Params):
    mode: str = "plain"


class Slip(BoughtOperation[SlipParams]):
    name = "slip"
    params = SlipParams
    path = "image/add-shadow"

    def plan(self, source, params, max_pixels):
        told = {"strength": 1} if params.mode == "stranger" else {"mode": {params.mode}}
        return Plan(params, told, source.width, source.height)
"""
PIPELINE = """
version: 1
stages:
  - {{name: only, operation: "{operation}", needs: raw, makes: made, params: {params}}}
"""


@pytest.fixture(autouse=True)
def _own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "own_stamp.py").write_text(DRAWN)
    (tmp_path / "own" / "own_shadow.py").write_text(BOUGHT)
    (tmp_path / "own" / "own_slip.py").write_text(MISTAKEN)
    monkeypatch.syspath_prepend(str(tmp_path / "own"))


def write(folder: Path, operation: str, params: str = "{}") -> None:
    (folder / "pipeline.yaml").write_text(PIPELINE.format(operation=operation, params=params))


async def test_a_drawn_picture_is_rehosted_and_not_drawn_again_for_another_worker(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        write(tmp_path, "own_stamp:Stamp")
        async with shop.counter() as table:
            table.take(shop.event("A"))
            assert await table.ended(1) == {"A": "completed"}
            made = table.forwarded("A")["assets"]["made"]
        stored = pyvips.Image.new_from_file(str(tmp_path / "store" / made["key"]))
        assert stored.getpoint(5, 5)[:3] == [255, 0, 0]
        assert (made["content_type"], made["credits"]) == ("image/png", "0")
        assert (stored.width, stored.height) == (made["width"], made["height"])
        written = (tmp_path / "store" / made["key"]).stat().st_mtime_ns
        async with shop.counter() as table:
            table.take(shop.event("A"))
            assert await table.ended(1) == {"A": "completed"}
            assert table.forwarded("A")["assets"]["made"] == made
        assert (tmp_path / "store" / made["key"]).stat().st_mtime_ns == written
        assert sum(shop.jobs().values()) == 0


async def test_a_picture_that_cannot_be_drawn_is_a_letter(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        write(tmp_path, "own_stamp:Stamp")
        async with shop.counter() as table:
            table.take(
                shop.event("A", params={"only": {"size": 9_000}}), shop.event("B", params={"only": {"size": 13}})
            )
            assert await table.ended(2) == {"A": "bad-result", "B": "bad-result"}
            assert table.letter("A")["error"] == "only of raw: too small for the stamp"
            assert "JPEG, PNG and WebP are taken" in table.letter("B")["error"]


async def test_a_foreign_bought_operation_is_ordered_at_its_own_path_and_once(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        write(tmp_path, "own_shadow:Soft", "{shadow_type: hard}")
        async with shop.counter() as table:
            table.take(shop.event("A"))
            assert await table.ended(1) == {"A": "completed"}
            paid = table.forwarded("A")["assets"]["made"]["credits"]
            table.take(shop.event("A"))
            assert await table.ended(2) == {"A": "completed"}
        (job,) = shop.simulator.book.jobs.values()
        assert str(job.price_credits) == paid
        assert (job.operation.value, job.params) == ("add-shadow", {"shadow_type": "hard"})
        assert shop.asked("/image/add-shadow", method="POST") == 1


async def test_a_changed_parameter_makes_another_picture_beside_the_first(tmp_path: Path) -> None:
    async with open_shop(tmp_path) as shop:
        write(tmp_path, "own_stamp:Stamp")
        keys = []
        for params in ({}, {"only": {"size": 20}}):
            async with shop.counter() as table:
                table.take(shop.event("A", params=params))
                await table.ended(1)
                keys.append(table.forwarded("A")["assets"]["made"]["key"])
        assert keys[0] != keys[1]
        assert all((tmp_path / "store" / key).exists() for key in keys)


@pytest.mark.parametrize("mode", ["stranger", "a set, which is no JSON"])
async def test_a_mistake_in_what_is_ordered_is_found_before_anything_is_claimed(tmp_path: Path, mode: str) -> None:
    """Behind the claim it would leave every job in doubt, though nothing was ever sent (L2)."""
    async with open_shop(tmp_path) as shop:
        write(tmp_path, "own_slip:Slip", f'{{mode: "{mode}"}}')
        async with shop.counter() as table:
            table.take(shop.event("A"))
            assert await table.ended(1) == {"A": "bug"}
        assert shop.asked("/image/add-shadow", method="POST") == 0
        jobs = [orjson.loads(path.read_bytes()) for path in (tmp_path / "store" / "_ledger" / "jobs").rglob("*.json")]
        assert {job["operation"]: job["state"] for job in jobs} == {"raw": "settled"}
