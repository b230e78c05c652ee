"""The photo shelf: a seed comes in, a folder of made-up product photos goes out.

Workers block SVG in libvips for their whole process, and drawings need it, so photos are
made in a child process: `render_in_child`, or by hand `python -m stream.demo.photos --out DIR`.
"""

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stream.demo.drawings.studio import Photo

BROKEN_SKU: Final = "MUG-404-BROKEN"
"""The one photo whose file name makes the simulated provider fail its job; the picture itself is sound."""

LATE_SKU: Final = "MUG-104-SAGE"
"""Its event names a retouched photo that nobody has put on the shelf yet: a letter that a replay can help."""

DEFAULT_SEED: Final = 7

_CHILD_SECONDS: Final = 180.0


@dataclass(frozen=True, slots=True)
class CatalogPhoto:
    """One article of the made catalog.

    `file_name` is a bare name in the catalog's folder (JPEG, one PNG); `note` says what is hard about the photo, or "".
    """

    sku_id: str
    title: str
    file_name: str
    note: str = ""

    @property
    def published_name(self) -> str:
        """The file that the article's event names."""
        return self.file_name.replace(".", "-retouched.") if self.sku_id == LATE_SKU else self.file_name


class RenderFailed(Exception):
    """The drawing child ended badly; the text is the end of what it said."""


def _table() -> "list[tuple[str, str, str, Callable[[], Photo]]]":
    """SKU, title, note and drawing of each article, in catalog order."""
    # Drawing modules load libvips; whoever only wants the list should not pay for it twice.
    from stream.demo.drawings import bottles, footwear, household, packages, tableware, wearables  # noqa: PLC0415

    def midnight() -> "Photo":
        return tableware.mug("#26324a", "#f2f1ec", "concrete")

    def sage() -> "Photo":
        return tableware.mug("#8fa287", "#f4efe6", "grey")

    return [
        ("BTL-001-AMBER", "Face oil in amber glass", "", bottles.dropper),
        ("SHO-501-COBALT", "Cobalt trainer", "", footwear.sneaker),
        ("KET-301-CHROME", "Stove kettle, chrome", "chrome", tableware.kettle),
        ("MUG-101-RED", "Red breakfast mug", "open handle", tableware.mug),
        ("WAT-702-NAVY", "Steel watch, navy dial", "chrome", wearables.watch),
        ("GLS-201-STEM", "Red wine glass", "glass", tableware.wine_glass),
        ("BAG-701-TAN", "Leather tote, tan", "open handles", wearables.bag),
        ("BTL-002-MONTBRAY", "Montbray, grande reserve", "", bottles.wine),
        ("MUG-102-WHITE", "White mug", "white on white", lambda: tableware.mug("#f7f7f5", "#f1f0ec", "white")),
        ("POT-403-CLAY", "House plant in a clay pot", "thin leaves", household.plant),
        ("CHR-802-MUSTARD", "Shell chair, mustard", "thin legs", household.chair),
        ("BTL-005-NOEMIE", "Noemie, eau de parfum", "glass", bottles.perfume),
        ("SHO-502-WHITE", "White trainer", "white on white", footwear.white_sneaker),
        ("BOX-601-MILK", "Whole milk, one litre", "", packages.carton),
        ("HDP-703-GRAPHITE", "Over-ear headphones", "open ring", wearables.headphones),
        ("LMP-405-TEAL", "Table lamp, teal base", "glow", household.lamp),
        ("BOT-503-TAN", "Laced leather boot", "", footwear.boot),
        ("TAP-302-CHROME", "Gooseneck tap", "chrome", tableware.tap),
        ("CAN-402-ZESTO", "Zesto blood orange", "", bottles.can),
        ("GLS-202-CARAFE", "Carafe with cork", "glass", tableware.carafe),
        (
            BROKEN_SKU,
            "Enamel mug, midnight",
            "fails at the API",
            midnight,
        ),
        ("BOX-602-GIFT", "Gift box with bow", "", packages.gift),
        ("HEL-504-CHERRY", "Patent pump, cherry", "thin heel", footwear.heel),
        ("JAR-401-HONEY", "Wildflower honey", "", bottles.jar),
        ("TOY-801-DUCK", "Rubber duck", "", household.duck),
        ("BTL-003-FERN", "Fern shampoo", "", bottles.pump),
        ("BOK-603-SALT", "Salt wind, a novel", "", packages.book),
        ("CND-410-FIG", "Fig leaf candle", "flame", household.candle),
        ("BTL-004-BRIO", "Glass cleaner, trigger spray", "", bottles.spray),
        ("MUG-103-OAT", "Stoneware mug, oat", "", tableware.speckled_mug),
        ("BTL-006-NORDA", "Steel bottle, graphite", "", bottles.flask),
        (LATE_SKU, "Breakfast mug, sage", "its photo comes late", sage),
    ]


_PNG_SKUS: Final = frozenset({"GLS-202-CARAFE"})


def _file_name(sku_id: str) -> str:
    return sku_id.lower() + (".png" if sku_id in _PNG_SKUS else ".jpg")


def catalog(seed: int = DEFAULT_SEED) -> list[CatalogPhoto]:
    """The made catalog, in order; `seed` changes the pixels only, never the list."""
    del seed
    return [CatalogPhoto(sku, title, _file_name(sku), note) for sku, title, note, _ in _table()]


def render(
    folder: Path, seed: int = DEFAULT_SEED, progress: Callable[[int, int], None] | None = None
) -> list[CatalogPhoto]:
    """Make the files that are missing in `folder` (created if need be) and return the catalog.

    Each file appears whole or not at all. `progress` hears (photos there, photos in all) after each one.
    Needs SVG in libvips; raises pyvips.Error where it is blocked, OSError where the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows, photos = _table(), catalog(seed)
    for done, (photo, row) in enumerate(zip(photos, rows, strict=True), start=1):
        target = folder / photo.file_name
        if not target.exists():
            _write(target, _shot(row[3](), photo.file_name, seed * 1000 + done))
        if progress:
            progress(done, len(photos))
    return photos


def _shot(drawing: "Photo", name: str, seed: int) -> bytes:
    from stream.demo.drawings.studio import encode, shoot  # noqa: PLC0415 - see _table

    return encode(shoot(drawing, seed), name)


def _write(target: Path, content: bytes) -> None:
    handle, draft = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(draft).chmod(0o644)
        Path(draft).replace(target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


async def render_in_child(
    folder: Path, seed: int = DEFAULT_SEED, progress: Callable[[int, int], None] | None = None
) -> list[CatalogPhoto]:
    """As `render`, in a child process, so it works where this process has SVG blocked.

    Raises RenderFailed with the child's last words, TimeoutError after 180 s. A cancelled call ends the child.
    """
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "stream.demo.photos", "--out", str(folder), "--seed", str(seed)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # One drawing thread: the demo's worker runs beside it, and SVG must not inherit the worker's block.
        env={k: v for k, v in os.environ.items() if k != "VIPS_BLOCK_UNTRUSTED"} | {"VIPS_CONCURRENCY": "1"},
    )
    try:
        async with asyncio.timeout(_CHILD_SECONDS):
            photos, words = await asyncio.gather(_listen(child, progress), _last_words(child))
            code = await child.wait()
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    if code != 0 or not photos:
        raise RenderFailed(f"drawing the demo's photos ended with code {code}: {words[-400:] or 'no message'}")
    return photos


async def _listen(child: asyncio.subprocess.Process, progress: Callable[[int, int], None] | None) -> list[CatalogPhoto]:
    """One JSON line per photo: {"done", "of"}, and the catalog as the last line."""
    photos: list[CatalogPhoto] = []
    if child.stdout is None:  # pragma: no cover - asked for above
        return photos
    async for raw in child.stdout:
        line = json.loads(raw)
        if "photos" in line:
            photos = [CatalogPhoto(**photo) for photo in line["photos"]]
        elif progress:
            progress(line["done"], line["of"])
    return photos


async def _last_words(child: asyncio.subprocess.Process) -> str:
    return (await child.stderr.read()).decode(errors="replace").strip() if child.stderr else ""


def _say(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main(arguments: list[str] | None = None) -> int:
    """Draw the catalog into --out; one JSON line of progress per photo, the catalog in the last line."""
    parser = argparse.ArgumentParser(prog="python -m stream.demo.photos", description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the photos; existing ones are kept")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    options = parser.parse_args(arguments)
    photos = render(options.out, options.seed, lambda done, total: _say({"done": done, "of": total}))
    _say({"photos": [asdict(photo) for photo in photos]})
    return 0


if __name__ == "__main__":
    sys.exit(main())
