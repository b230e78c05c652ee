"""`demo --serve`: what a second terminal needs, as lines to copy.

Comes in: the settings of the demo's worker, its letters. Goes out: a settings file, and the lines.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from rich.console import Console

from stream.core.errors import Reason
from stream.demo.ends import Lettered
from stream.demo.photos import LATE_SKU, catalog
from stream.settings import Settings

FILE_NAME = "settings.yaml"


@dataclass(frozen=True, slots=True)
class Serving:
    """What stays up. `command`: how this program is called; `settings`: the file that the other commands read."""

    command: str
    settings: Path
    health_url: str
    batch_id: str
    photos: Path
    letters: Mapping[str, Lettered]


def write_settings(settings: Settings, out: Path) -> Path:
    """The settings that the other commands share with the worker, as a file that SKUSTREAM_CONFIG names."""
    told = {
        "kafka_bootstrap_servers": settings.kafka_bootstrap_servers,
        "delivery": settings.delivery.value,
        "store": settings.store,
        "pixelapi_base": settings.pixelapi_base,
        "pixelapi_key": settings.need_pixelapi_key().get_secret_value(),  # the simulator's, made up
        "quota_requests": settings.quota_requests,
        "quota_window_seconds": settings.quota_window_seconds,
        "fetch_allow": list(settings.fetch_allow),
    }
    path = out / FILE_NAME
    path.write_text(f"# Written by `skustream demo --serve`; good while it runs.\n{yaml.safe_dump(told)}")
    return path


def tell_serving(console: Console, serving: Serving) -> None:
    """Print what to type in a second terminal."""
    console.print()
    console.print("Staying up until Ctrl-C. In a second terminal, in this folder:")
    console.print()
    for line in _lines(serving):
        console.print(f"  {line}", soft_wrap=True, markup=False, highlight=False)
    console.print()
    console.print(
        "The embedded broker delivers at least once (so does a replay here), finds records of a time by reading all of "
        "them, and forgets everything when this command ends."
    )


def _lines(serving: Serving) -> list[str]:
    me = serving.command
    lines = [
        f"export SKUSTREAM_CONFIG={shlex.quote(str(serving.settings))}",
        f"{me} status --batch {serving.batch_id}",
        f"{me} dlq list",
    ]
    lines += [f"{me} dlq show {letter.place}" for letter in list(serving.letters.values())[:1]]
    late = serving.letters.get(LATE_SKU)
    if late is not None and late.reason == Reason.SOURCE_MISSING:
        photo = next(photo for photo in catalog() if photo.sku_id == LATE_SKU)
        there, wanted = (_near(serving.photos / name) for name in (photo.file_name, photo.published_name))
        lines += [
            f"cp {there} {wanted}   # the missing photo",
            f"{me} dlq replay --reason source-missing --why 'the photo is there now'",
        ]
    lines += [
        f"{me} explain {LATE_SKU}",
        f"{me} console --allow-replay",
        f"curl {serving.health_url}/metrics   # also /livez, /readyz",
    ]
    return lines


def _near(path: Path) -> str:
    """Seen from here, where that is shorter."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))
