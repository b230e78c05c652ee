"""docs/library.md, done as it says: its files are laid down, linted, type-checked, and their stage makes a picture."""

import json
import os
import pydoc
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pyvips
from confluent_kafka import Consumer, Producer

from stream.broker.embedded import EmbeddedBroker
from stream.records import Terminal
from tests.composed import photos
from tests.composed.provider import API_KEY, Provider
from tests.library.conftest import PAGE
from tests.services import leash
from tests.services.waiting import until
from tests.services.wheel import Installed

RETRIES = ("retry.now", "retry.10s", "retry.1m", "retry.10m")
TOPICS = ("raw", "raw.backfill", "transparent", *RETRIES, "completed", "dead-letter")
MYPY = "[mypy]\nstrict = true\n[mypy-pyvips.*]\nignore_missing_imports = true\n"


def test_the_files_pass_the_linter_of_pipelines(installed: Installed, shop: Path) -> None:
    told = installed.run("skustream", "pipeline", "check", "pipeline.yaml", cwd=shop, PYTHONPATH=str(shop))
    assert told.returncode == 0, told.stderr
    bought = shop / "bought.yaml"
    bought.write_text((shop / "pipeline.yaml").read_text().replace("shop.grey:Grey", "shop.text:RemoveText"))
    told = installed.run("skustream", "pipeline", "check", bought, cwd=shop, PYTHONPATH=str(shop))
    assert told.returncode == 2
    assert "params.quality: unknown field" in told.stderr
    assert "remove-text takes no parameters" in told.stderr


def test_a_stage_that_cannot_be_imported_is_told_in_a_line(installed: Installed, shop: Path) -> None:
    told = installed.run("skustream", "pipeline", "check", "pipeline.yaml", cwd=shop)
    assert told.returncode == 2
    assert "stage print: operation 'shop.grey:Grey' cannot be imported" in told.stderr
    assert "PYTHONPATH" in told.stderr
    assert "Traceback" not in told.stderr


def test_strict_types_pass_against_the_wheel(installed: Installed, shop: Path) -> None:
    (shop / "mypy.ini").write_text(MYPY)
    told = subprocess.run(
        [sys.executable, "-m", "mypy", "--python-executable", str(installed.python), "-p", "shop"],
        cwd=shop, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout
    (shop / "shop" / "wrong.py").write_text(
        "from stream.records import Terminal\n\nwidth: str = Terminal.model_fields\n"
    )
    told = subprocess.run(
        [sys.executable, "-m", "mypy", "--python-executable", str(installed.python), "-p", "shop"],
        cwd=shop, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Incompatible types in assignment" in told.stdout


def test_everything_the_page_leans_on_is_there() -> None:
    named = re.findall(r"`(stream\.[\w.]+)`", PAGE.read_text().partition("## A stage of your own")[0])
    assert len(named) > 15
    for name in named:
        assert pydoc.locate(name) is not None, name


@contextmanager
def worker(installed: Installed, shop: Path, kafka: str, provider: Provider) -> Iterator[list[int]]:
    """The page's worker, as a process of the fresh environment; the list holds its exit code afterwards."""
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(shop), "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "PIXELAPI_BASE": provider.base_url, "PIXELAPI_KEY": API_KEY, "SKUSTREAM_DELIVERY": "at-least-once",
        "SKUSTREAM_STORE": (shop / "store").as_uri(), "SKUSTREAM_FETCH_ALLOW": "127.0.0.1",
        "SKUSTREAM_QUOTA_STARTS_CLOSED": "false", "SKUSTREAM_SESSION_SECONDS": "6", "SKUSTREAM_HTTP_PORT": "0",
        "SKUSTREAM_SPOOL_DIR": str(shop / "spool"), "SKUSTREAM_POLL_FIRST_SECONDS": "0.3",
        "SKUSTREAM_LOG_FORMAT": "json",
    }  # fmt: skip
    codes: list[int] = []
    with (shop / "worker.log").open("wb") as log:
        process = leash.start([str(installed.python), "-m", "shop.worker"], log=log, env=environment, cwd=shop)
    try:
        yield codes
    finally:
        codes.append(leash.reap(process, signal.SIGTERM, timeout_seconds=150))


def one_end(kafka: str) -> Terminal:
    """The first record of `completed`."""
    found: list[bytes] = []
    options = {"bootstrap.servers": kafka, "group.id": "reader", "auto.offset.reset": "earliest"}
    reader = Consumer(options)
    reader.subscribe(["product-images.completed"])

    def look() -> bool:
        record = reader.poll(0.2)
        if record is not None and record.error() is None:
            found.append(record.value() or b"")
        return bool(found)

    try:
        until(look, timeout_seconds=150, what="the event's end")
    finally:
        reader.close()
    return Terminal.model_validate_json(found[0])


def test_the_pages_worker_makes_the_pages_picture(installed: Installed, shop: Path, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    provider = Provider(tmp_path)
    photos.draw(provider.photos, "mug.jpg", colour=2)
    try:
        with EmbeddedBroker() as broker:
            broker.create_topics(f"product-images.{name}" for name in TOPICS)
            with worker(installed, shop, broker.bootstrap_servers, provider) as codes:
                pim = Producer({"bootstrap.servers": broker.bootstrap_servers})
                event = {
                    "sku_id": "MUG",
                    "raw_url": f"{provider.root}/photos/mug.jpg",
                    "params": {"print": {"quality": 60}},
                }
                pim.produce("product-images.raw", key="MUG", value=json.dumps(event))
                pim.flush(10)
                end = one_end(broker.bootstrap_servers)
            assert codes == [0], (shop / "worker.log").read_text()
    finally:
        provider.stop()
    assert end.assets.keys() == {"raw", "transparent", "grey"}
    grey = end.assets["grey"]
    assert (grey.content_type, grey.credits) == ("image/jpeg", Decimal(0))
    picture = pyvips.Image.new_from_file(str(tmp_path / "store" / grey.key))
    assert (picture.bands, picture.width, picture.height) == (1, grey.width, grey.height)
    shown = installed.run(
        installed.python, "-c", "import sys; from shop.ends import pictures; print(pictures(sys.argv[1].encode()))",
        end.encode().decode(), cwd=shop,
    )  # fmt: skip
    assert grey.url in shown.stdout, shown.stderr


def test_a_worker_beside_other_work_ends_in_order(installed: Installed, shop: Path, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    with EmbeddedBroker() as broker:
        broker.create_topics(f"product-images.{topic}" for topic in TOPICS)
        text = f"""
import asyncio
from pathlib import Path
from pydantic import SecretStr
from shop.inside import work_beside
from stream.settings import Delivery, Settings

settings = Settings(
    kafka_bootstrap_servers={broker.bootstrap_servers!r}, delivery=Delivery.AT_LEAST_ONCE,
    pixelapi_key=SecretStr("pk_x"), pixelapi_base="http://127.0.0.1:9/v1",
    store={(tmp_path / "store").as_uri()!r}, spool_dir=Path("spool"), http_port=0,
    pipeline=Path("pipeline.yaml"), session_seconds=6.0,
)
print("in order:", asyncio.run(work_beside(settings, asyncio.sleep(1))))
"""
        told = installed.run(installed.python, "-c", text, cwd=shop)
    assert told.returncode == 0, told.stderr
    assert "health at http://127.0.0.1:" in told.stdout
    assert "in order: True" in told.stdout
