"""docs/pim.md as a PIM engineer uses it: its producer and its consumer are run as they stand, against a whole plant.

Only the values of their capitals (addresses, topic names) are exchanged for the test's own.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from stream.events import read_raw
from tests.composed import photos
from tests.composed.conftest import Plants
from tests.services.clients import read_all

PAGE = (Path(__file__).parents[2] / "docs/pim.md").read_text()
PATIENCE_SECONDS = 300


def program(name: str, **values: str) -> str:
    """A program of the page, with other values for its capitals."""
    (text,) = re.findall(rf"<!-- run: {name} -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    for capital, value in values.items():
        text, changed = re.subn(rf'^{capital} = ".*"$', f'{capital} = "{value}"', text, flags=re.MULTILINE)
        assert changed == 1, capital
    return str(text)


def run(text: str, folder: Path) -> str:
    """Run by a plain interpreter, elsewhere: what it imports is installed, nothing of ours is near."""
    told = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", text], cwd=folder, capture_output=True, text=True, check=False,
        timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    return told.stdout


@pytest.mark.kafka
@pytest.mark.s3
def test_the_producer_publishes_what_we_read_and_the_consumer_reads_how_it_ended(
    plants: Plants, tmp_path: Path
) -> None:
    plant = plants()
    photos.draw(plant.provider.photos, "mug-1.jpg", colour=1)
    kafka = plant.kafka.bootstrap_servers
    run(program("producer", KAFKA=kafka, RAW=plant.topic("raw"), PHOTOS=f"{plant.provider.root}/photos"), tmp_path)
    published = read_all(plant.kafka, plant.topic("raw"))
    events = {event.sku_id: event for event in (read_raw(record.value()) for record in published)}
    assert {record.key() for record in published} == {b"MUG-1", b"BAG-1"}
    assert {(event.event_id, event.sequence) for event in events.values()} == {("pim-1", 1), ("pim-2", 1)}

    plant.worker()
    said = run(program("consumer", KAFKA=kafka, PREFIX=plant.prefix), tmp_path).splitlines()
    assert len(said) == 2
    (mug,) = (line for line in said if line.startswith("pim-1"))
    assert re.fullmatch(r"pim-1 MUG-1 completed \S+/MUG-1/main/lifestyle-\S+", mug)
    (bag,) = (line for line in said if line.startswith("pim-2"))
    assert re.fullmatch(r"pim-2 source-missing .*/no-such\.jpg answered 404.*", bag)


def test_a_broker_that_is_not_there_is_told_by_the_producer(tmp_path: Path) -> None:
    text = program("producer", KAFKA="127.0.0.1:9", RAW="raw").replace(
        '"enable.idempotence": True', '"enable.idempotence": True, "message.timeout.ms": 500'
    )
    told = subprocess.run(
        [sys.executable, "-I", "-c", text], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert told.returncode == 1
    assert "not published, send again" in told.stderr
