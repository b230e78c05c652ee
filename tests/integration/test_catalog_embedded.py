"""submit and status on the broker inside librdkafka, as in a second terminal beside `skustream demo --serve`."""

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from stream.broker.embedded import EmbeddedBroker
from stream.broker.port import OutRecord
from stream.broker.publishing import publish
from stream.cli.main import app
from stream.topics import Topics


def test_a_catalog_and_a_pims_batch_are_followed_without_times_or_transactions(tmp_path: Path) -> None:
    topics = Topics()
    path = tmp_path / "catalog.csv"
    path.write_text("sku_id,raw_url\n" + "".join(f"SKU-{number},https://x.example.com/a\n" for number in range(30)))
    with EmbeddedBroker() as broker:
        broker.create_topics([*topics.entries(), topics.completed, topics.dead_letter])
        environment = {
            "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers, "SKUSTREAM_STORE": (tmp_path / "store").as_uri(),
        }  # fmt: skip

        def run(*words: str) -> Result:
            return CliRunner().invoke(app, list(words), prog_name="skustream", env=environment)

        assert run("status", "--batch", "spring").exit_code == 1
        assert "30 of 30 rows sent" in run("submit", str(path), "--batch", "spring").stdout
        told = json.loads(run("status", "--batch", "spring", "--json").stdout)
        assert (told["total"], told["in_progress"], told["warnings"]) == (30, 30, [])
        event = {"sku_id": "A", "raw_url": "https://x.example.com/a", "batch_id": "pim"}
        publish(
            {"bootstrap.servers": broker.bootstrap_servers}, [OutRecord(topics.raw, b"A", json.dumps(event).encode())]
        )
        for since in ([], ["--since", "2020-01-01"]):
            assert json.loads(run("status", "--batch", "pim", "--json", *since).stdout)["total"] == 1
