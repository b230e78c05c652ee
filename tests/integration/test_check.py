"""The check-up against real parts: each that fails is told with its way out, and none hides another."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from stream.broker.admin import create_topics
from stream.checkup.examine import Scope, examine
from stream.checkup.findings import Area, Finding, Mark, exit_code
from stream.pipeline import default_pipeline
from stream.roles import Role, grants
from stream.settings import Settings
from stream.simulator import Behaviour, Simulator
from stream.topics import TopicPlan, Topics
from tests.services.acls import allow
from tests.services.kafka import ExistingKafka, KafkaCluster
from tests.services.s3 import S3Server
from tests.services.waiting import free_ports

KEY = "pk_test"


def told(findings: list[Finding], area: Area, *marks: Mark) -> list[Finding]:
    return [each for each in findings if each.area is area and each.mark in (marks or tuple(Mark))]


def serious(findings: list[Finding]) -> list[Finding]:
    return [each for each in findings if each.mark not in {Mark.OK, Mark.INFO}]


def one(findings: list[Finding], area: Area, mark: Mark) -> Finding:
    (finding,) = told(findings, area, mark)
    return finding


def settings_of(**fields: Any) -> Settings:
    """As `load` makes them of texts, and of nothing around us."""
    return Settings(**fields)


def api_settings(base: str, **fields: Any) -> Settings:
    return settings_of(**{"pixelapi_key": KEY, "pixelapi_base": base, "quota_requests": 200, **fields})


def asked(simulator: Simulator) -> list[str]:
    return [f"{each.method} {each.path.removeprefix('/v1')}" for each in simulator.book.requests]


async def api_findings(simulator: Simulator, **fields: Any) -> list[Finding]:
    """What is said of PixelAPI; whatever it was, nothing was bought."""
    findings = await examine(api_settings(simulator.base_url, **fields), Scope(part_seconds=10))
    assert simulator.summary()["submits_accepted"] == 0
    (count,) = [each.what for each in told(findings, Area.API) if each.what.startswith("requests sent")]
    assert count.startswith(f"requests sent: {len(simulator.book.requests)};")
    return told(findings, Area.API)


class TestApi:
    async def test_two_requests_tell_the_key_the_balance_the_plan_and_the_dialect(self) -> None:
        async with Simulator(Behaviour()) as simulator:
            findings = await api_findings(simulator)
            assert asked(simulator) == ["GET /account/balance", "POST /image/remove-background"]
        assert [each.mark for each in findings] == [Mark.OK, Mark.OK, Mark.OK, Mark.INFO]
        assert "300,000 credits left, enough for about 4,285 events" in findings[0].what
        assert "plan scale: 200 requests a minute" in findings[1].what
        assert "dialect image" in findings[2].what
        assert exit_code(findings) == 0

    @pytest.mark.parametrize("missing_status", [404, 405])
    async def test_the_articles_dialect_is_found_by_a_third(self, missing_status: int) -> None:
        behaviour = Behaviour.model_validate({"dialects": "edit", "disabled_status": missing_status})
        async with Simulator(behaviour) as simulator:
            findings = await api_findings(simulator)
            assert asked(simulator)[1:] == ["POST /image/remove-background", "POST /edit"]
        assert any("dialect edit is understood" in each.what for each in findings)

    async def test_a_wrong_address_understands_no_dialect(self) -> None:
        async with Simulator(Behaviour()) as simulator:
            findings = await examine(api_settings(f"{simulator.base_url}/old"), Scope())
            assert one(findings, Area.API, Mark.ERROR).what == "no known dialect is understood at this base URL"

    @pytest.mark.parametrize("chosen", ["image", "edit"])
    async def test_a_chosen_dialect_that_is_not_spoken_is_an_error(self, chosen: str) -> None:
        other = {"image": "edit", "edit": "image"}[chosen]
        async with Simulator(Behaviour.model_validate({"dialects": other})) as simulator:
            findings = await api_findings(simulator, dialect=chosen)
            assert len(asked(simulator)) == 2
        assert "SKUSTREAM_DIALECT" in one(findings, Area.API, Mark.ERROR).way_out

    async def test_a_refused_key_is_an_error_after_one_request(self) -> None:
        async with Simulator(Behaviour()) as simulator:
            findings = await api_findings(simulator, pixelapi_key="pk_wrong_and_secret")
            assert len(asked(simulator)) == 1
        refused = one(findings, Area.API, Mark.ERROR)
        assert "401" in refused.what
        assert "PIXELAPI_KEY" in refused.way_out
        assert exit_code(findings) == 1

    @pytest.mark.parametrize(
        ("fault", "mark", "words"),
        [
            ({"status": 403, "shape": "html"}, Mark.ERROR, "barred"),
            ({"status": 402}, Mark.ERROR, "top up"),
            ({"status": 500}, Mark.UNAVAILABLE, "check again"),
            ({"status": 429}, Mark.UNAVAILABLE, "uses up the contract"),
        ],
    )
    async def test_every_refusal_has_its_way_out(self, fault: dict[str, Any], mark: Mark, words: str) -> None:
        faults = [{"kind": "error", "at": "account", **fault}]
        async with Simulator(Behaviour.model_validate({"faults": faults})) as simulator:
            findings = await api_findings(simulator)
        refused = one(findings, Area.API, mark)
        assert str(fault["status"]) in refused.what
        assert words in refused.way_out

    @pytest.mark.parametrize(
        ("credits_", "mark", "words"),
        [
            ("0", Mark.ERROR, "0 credits left, and one event costs 70"),
            ("69.5", Mark.ERROR, "69.5 credits left, and one event costs 70"),
            ("6999", Mark.WARNING, "enough for about 99 events"),
            ("7000", Mark.OK, "enough for about 100 events"),
        ],
    )
    async def test_a_low_balance_is_told_in_events(self, credits_: str, mark: Mark, words: str) -> None:
        async with Simulator(Behaviour.model_validate({"balance_credits": credits_})) as simulator:
            findings = await api_findings(simulator)
        assert (findings[0].mark, words in findings[0].what) == (mark, True)

    @pytest.mark.parametrize(
        ("fields", "mark", "words"),
        [
            ({"quota_requests": 201}, Mark.WARNING, "429s"),
            ({"quota_requests": 100, "quota_window_seconds": 30.0}, Mark.OK, ""),
            ({"quota_requests": 60}, Mark.WARNING, "unused"),
            ({"prices": "may-2026"}, Mark.INFO, "make sure"),
        ],
    )
    async def test_the_contract_is_compared_with_the_accounts_plan(
        self, fields: dict[str, Any], mark: Mark, words: str
    ) -> None:
        async with Simulator(Behaviour()) as simulator:
            (plan,) = [each for each in await api_findings(simulator, **fields) if each.what.startswith("plan scale")]
        assert plan.mark is mark
        assert words in plan.way_out

    async def test_an_api_without_an_account_page_is_still_known_by_its_dialect(self) -> None:
        faults = [{"kind": "error", "at": "account", "status": 404}]
        async with Simulator(Behaviour.model_validate({"faults": faults})) as simulator:
            findings = await api_findings(simulator)
        assert "no balance" in findings[0].what
        assert serious(findings) == []

    async def test_nobody_at_the_address_is_unavailable_and_costs_nothing(self) -> None:
        findings = await examine(api_settings(f"http://127.0.0.1:{free_ports(1)[0]}/v1"), Scope())
        assert "PIXELAPI_BASE" in one(findings, Area.API, Mark.UNAVAILABLE).way_out
        assert "requests sent: 0;" in told(findings, Area.API, Mark.INFO)[0].what

    @pytest.mark.parametrize("scope", [Scope(offline=True), Scope(api=False)])
    async def test_left_alone_it_gets_no_request(self, scope: Scope) -> None:
        async with Simulator(Behaviour()) as simulator:
            await examine(api_settings(simulator.base_url), scope)
            assert asked(simulator) == []


class TestStore:
    async def test_a_folder_holds(self, tmp_path: Path) -> None:
        findings = told(await examine(settings_of(store=tmp_path.as_uri()), Scope()), Area.STORE)
        assert [each.mark for each in findings] == [Mark.OK, Mark.INFO]
        assert "conditional writes hold" in findings[0].what
        assert "as uploads" in findings[1].what

    async def test_a_folder_that_cannot_be_made_is_unavailable(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        findings = await examine(settings_of(store=(tmp_path / "file" / "store").as_uri()), Scope())
        assert "SKUSTREAM_STORE" in one(findings, Area.STORE, Mark.UNAVAILABLE).way_out

    @pytest.mark.s3
    async def test_a_real_bucket_holds_and_what_is_wrong_with_others_is_told(self, s3: S3Server, prefix: str) -> None:
        fields = {
            "store": f"s3://{s3.create_bucket(prefix)}/shop", "aws_endpoint_url": s3.endpoint_url,
            "aws_region": s3.region, "aws_access_key_id": s3.access_key, "aws_secret_access_key": s3.secret_key,
        }  # fmt: skip
        assert [each.mark for each in told(await examine(settings_of(**fields), Scope()), Area.STORE)] == [
            Mark.OK, Mark.INFO,
        ]  # fmt: skip
        for wrong in ({"store": f"s3://{prefix}-missing/shop"}, {"aws_secret_access_key": "not-the-secret"}):
            findings = await examine(settings_of(**{**fields, **wrong}), Scope(part_seconds=30))
            refused = one(findings, Area.STORE, Mark.UNAVAILABLE)
            assert "bucket" in refused.way_out
            assert "not-the-secret" not in refused.what


@pytest.mark.kafka
class TestKafka:
    async def test_topics_in_order_pass_and_a_missing_one_and_a_wrong_limit_are_named(
        self, kafka: KafkaCluster | ExistingKafka, prefix: str
    ) -> None:
        client, topics = {"bootstrap.servers": kafka.bootstrap_servers}, Topics(prefix)
        plans = {plan.name: plan for plan in topics.plans(default_pipeline().topics_between(topics))}
        missing = plans.pop(topics.completed)
        small = {**plans.pop(topics.raw).limits, "max.message.bytes": "1000", "message.timestamp.type": "CreateTime"}
        made = [*plans.values(), TopicPlan(topics.raw, "too small, and the PIM's clock", small)]
        create_topics(client, made, partitions=1, replication_factor=1)
        settings = settings_of(kafka_bootstrap_servers=kafka.bootstrap_servers, topic_prefix=prefix)

        async def errors(count: int) -> list[str]:
            """What is wrong, once the broker shows all that was created."""
            async with asyncio.timeout(30):
                while True:
                    found = [each.what for each in told(await examine(settings, Scope()), Area.KAFKA, Mark.ERROR)]
                    if len(found) == count:
                        return found

        found = await errors(2)
        assert found[0].startswith(f"{topics.raw}: max.message.bytes=1000 is below")
        assert found[1].startswith(f"{topics.completed}: missing")
        findings = await examine(settings, Scope())
        assert any("message.timestamp.type=CreateTime" in each.what for each in told(findings, Area.KAFKA))
        assert any("the broker checks no rights" in each.what for each in told(findings, Area.KAFKA))
        assert exit_code(told(findings, Area.KAFKA)) == 1

        create_topics(client, [missing], partitions=1, replication_factor=1)
        assert (await errors(1))[0].startswith(topics.raw)

    async def test_a_user_without_rights_is_told_which(self, guarded_kafka: KafkaCluster, prefix: str) -> None:
        topics = Topics(prefix)
        plans = topics.plans(default_pipeline().topics_between(topics))
        create_topics({"bootstrap.servers": guarded_kafka.bootstrap_servers}, plans, partitions=1, replication_factor=1)
        settings = _guarded(guarded_kafka, prefix, "nobody")
        findings = await examine(settings, Scope(part_seconds=30))
        refused = [each for each in told(findings, Area.KAFKA, Mark.ERROR) if "not allowed" in each.what]
        stages = len(default_pipeline().stages)
        assert len(refused) == len(plans) + 2 * stages  # topics; a group and an id for each stage
        assert any("Read and Write and DescribeConfigs on the topic" in each.what for each in refused)
        operator = Scope(part_seconds=30, role=Role.OPERATOR)
        refused = told(await examine(settings, operator), Area.KAFKA, Mark.ERROR)
        ids = [each.what for each in refused if "transactional-id" in each.what]
        assert ids == [f"{topics.operator}: Write on the transactional-id is not allowed to this user"]
        assert any(each.what.startswith(f"{topics.replays}: Read and Write on the topic") for each in refused)

    async def test_a_worker_that_may_not_replay_is_as_it_should_be(
        self, guarded_kafka: KafkaCluster, prefix: str
    ) -> None:
        topics, pipeline = Topics(prefix), default_pipeline()
        plans = topics.plans(pipeline.topics_between(topics))
        create_topics({"bootstrap.servers": guarded_kafka.bootstrap_servers}, plans, partitions=1, replication_factor=1)
        allow(guarded_kafka, "worker", grants(Role.WORKER, topics, pipeline))
        findings = await examine(_guarded(guarded_kafka, prefix, "worker"), Scope(part_seconds=30))
        assert told(findings, Area.KAFKA, Mark.ERROR) == []
        assert any("every right of a worker" in each.what for each in told(findings, Area.KAFKA, Mark.OK))
        (note,) = (each for each in told(findings, Area.KAFKA, Mark.INFO) if "may not replay" in each.what)
        assert topics.operator in note.what
        assert "--role operator" in note.way_out

    async def test_a_wrong_password_is_unavailable_in_the_brokers_words(
        self, guarded_kafka: KafkaCluster, prefix: str
    ) -> None:
        findings = await examine(_guarded(guarded_kafka, prefix, "worker", "wr0ng-password"), Scope(part_seconds=30))
        refused = one(findings, Area.KAFKA, Mark.UNAVAILABLE)
        assert "Authentication failed" in refused.what
        assert "SKUSTREAM_KAFKA_SASL_PASSWORD" in refused.what


def _guarded(kafka: KafkaCluster, prefix: str, user: str, password: str | None = None) -> Settings:
    options = kafka.identities().options(user, password)
    return settings_of(kafka_bootstrap_servers=kafka.guarded_servers, kafka=options, topic_prefix=prefix)


class TestTogether:
    async def test_one_that_fails_hides_no_other(self, tmp_path: Path) -> None:
        """No Kafka, a wrong pipeline, a refused key, a good store: all are told, and the settings come first."""
        path = tmp_path / "pipeline.yaml"
        path.write_text(
            "stages:\n- {name: cut, operation: remove-gb, needs: raw, makes: cutout}\n"
            "- {name: grow, operation: upscale, needs: cut-out, makes: grown}\n"
            "- {name: again, operation: upscale, needs: cutout, makes: grown}\n"
        )
        async with Simulator(Behaviour()) as simulator:
            settings = api_settings(
                simulator.base_url, pixelapi_key="pk_wrong", store=(tmp_path / "store").as_uri(), pipeline=path,
                kafka_bootstrap_servers=f"127.0.0.1:{free_ports(1)[0]}",
            )  # fmt: skip
            findings = await examine(settings, Scope(part_seconds=6))
        lint = told(findings, Area.PIPELINE, Mark.WRONG)
        assert [each.what.removeprefix(f"{path}: ").partition(":")[0] for each in lint] == [
            "stage cut", "stage grow", "stage again",
        ]  # fmt: skip
        assert "did you mean remove-bg?" in lint[0].what
        assert "did you mean cutout?" in lint[1].what
        assert "'grown', which an earlier stage" in lint[2].what
        assert one(findings, Area.KAFKA, Mark.UNAVAILABLE).way_out
        assert told(findings, Area.STORE, Mark.OK)
        assert one(findings, Area.API, Mark.ERROR).way_out
        assert exit_code(findings) == 2

    async def test_parts_that_never_answer_are_told_when_their_time_is_over(self) -> None:
        async with deaf() as port:
            settings = settings_of(
                pixelapi_key=KEY, pixelapi_base=f"http://127.0.0.1:{port}/v1", store="s3://bucket/shop",
                aws_endpoint_url=f"http://127.0.0.1:{port}", aws_access_key_id="a", aws_secret_access_key="b",
                kafka_bootstrap_servers=f"127.0.0.1:{port}",
            )  # fmt: skip
            findings = await examine(settings, Scope(part_seconds=1))
        for area in (Area.KAFKA, Area.STORE, Area.API):
            assert one(findings, area, Mark.UNAVAILABLE).way_out
        assert exit_code(findings) == 3

    @pytest.mark.parametrize(
        ("marks", "code"),
        [
            ([], 0),
            ([Mark.OK, Mark.INFO, Mark.WARNING], 0),
            ([Mark.WARNING, Mark.ERROR], 1),
            ([Mark.ERROR, Mark.UNAVAILABLE], 3),
            ([Mark.ERROR, Mark.UNAVAILABLE, Mark.WRONG], 2),
            ([Mark.WRONG], 2),
        ],
    )
    def test_what_is_wrong_here_comes_before_what_is_missing_there(self, marks: list[Mark], code: int) -> None:
        assert exit_code(Finding(mark, Area.API, "x") for mark in marks) == code


@asynccontextmanager
async def deaf() -> AsyncIterator[int]:
    """A port that takes every connection and never says a word."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


HIDDEN = "h1dden"
SECRETS = {
    "PIXELAPI_KEY": "pk_live_h1dden-one",
    "AWS_SECRET_ACCESS_KEY": "h1dden/two+=",
    "AWS_SESSION_TOKEN": "h1dden-three",
    "SKUSTREAM_KAFKA_SASL_PASSWORD": "h1dden-four",
    "SKUSTREAM_KAFKA_SSL_KEY_PASSWORD": "h1dden-five",
    "SKUSTREAM_KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET": "h1dden-six",
    "SKUSTREAM_KAFKA_SASL_OAUTHBEARER_CONFIG": "principal=h1dden-seven",
    "SKUSTREAM_KAFKA_SSL_KEY_PEM": "h1dden-eight",
    "SKUSTREAM_KAFKA_SASL_OAUTHBEARER_ASSERTION_PRIVATE_KEY_PASSPHRASE": "h1dden-nine",
}


def skustream_check(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    surroundings = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SKUSTREAM_", "PIXELAPI_", "KAFKA_", "AWS_", "OTEL_"))
    }
    command = [sys.executable, "-c", "from stream.cli.main import main; main()", "check", *words]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**surroundings, **environment}, timeout=120
    )


@pytest.fixture
def everybody_refuses() -> dict[str, str]:
    (port,) = free_ports(1)
    return {
        "PIXELAPI_BASE": f"http://127.0.0.1:{port}/v1", "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{port}",
        "SKUSTREAM_STORE": "s3://bucket/shop", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "who", "AWS_REGION": "us-east-1",
    }  # fmt: skip


class TestCommand:
    @pytest.mark.parametrize("words", [("--all",), ("--all", "--json"), ("--all", "--offline")], ids=" ".join)
    def test_no_secret_is_ever_shown(self, words: tuple[str, ...], everybody_refuses: dict[str, str]) -> None:
        done = skustream_check(*words, "--timeout", "2", **everybody_refuses, **SECRETS)
        assert done.returncode in {0, 2, 3}, done.stderr
        shown = done.stdout + done.stderr
        assert HIDDEN not in shown
        assert [name for name in SECRETS if f"{name}=***" not in shown] == []

    def test_not_even_wrong_ones(self) -> None:
        """With blanks and a control character, so that whatever checks them has something to complain about."""
        broken = dict.fromkeys(SECRETS, f"{HIDDEN} in\u00e9 \x07two parts")
        done = skustream_check("--json", **broken, SKUSTREAM_QUOTA_REQUESTS="no")
        assert done.returncode == 2
        assert HIDDEN not in done.stdout + done.stderr
        assert "PIXELAPI_KEY: got ***" in done.stdout
        assert "SKUSTREAM_QUOTA_REQUESTS: got 'no'" in done.stdout

    def test_a_key_that_the_api_repeats_is_not_repeated_by_us(self) -> None:
        async def run() -> subprocess.CompletedProcess[str]:
            fault = {
                "kind": "error",
                "at": "account",
                "status": 500,
                "message": f"no account for {SECRETS['PIXELAPI_KEY']}",
            }
            behaviour = Behaviour.model_validate({"faults": [fault]})
            async with Simulator(behaviour, api_key=SECRETS["PIXELAPI_KEY"]) as simulator:
                words = {"PIXELAPI_BASE": simulator.base_url, "PIXELAPI_KEY": SECRETS["PIXELAPI_KEY"]}
                return await asyncio.to_thread(skustream_check, **words)

        done = asyncio.run(run())
        assert "no account for" in done.stdout
        assert HIDDEN not in done.stdout + done.stderr

    def test_wrong_settings_and_a_wrong_pipeline_are_all_told(self, tmp_path: Path) -> None:
        path = tmp_path / "pipeline.yaml"
        path.write_text("stages: [{name: cut, operation: remove-gb, needs: raw, makes: cutout}]")
        done = skustream_check("--pipeline", str(path), SKUSTREAM_QUOTA_REQUESTS="0", SKUSTREAM_HTTP_PORT="x")
        assert done.returncode == 2
        for words in ("SKUSTREAM_QUOTA_REQUESTS: got", "SKUSTREAM_HTTP_PORT: got", "did you mean remove-bg?"):
            assert words in done.stdout
        assert all(line.split()[1] in {"wrong", "info"} for line in done.stdout.splitlines())
        typo = skustream_check(SKUSTREAM_STOER="file:///tmp")
        assert (typo.returncode, "did you mean SKUSTREAM_STORE?" in typo.stdout) == (2, True)

    def test_offline_asks_nobody_and_says_so(self, everybody_refuses: dict[str, str]) -> None:
        done = skustream_check(
            "--offline", "--json", **everybody_refuses, PIXELAPI_KEY="pk", AWS_SECRET_ACCESS_KEY="s3cr"
        )
        answer = json.loads(done.stdout)
        assert (done.returncode, answer["exit_code"]) == (0, 0)
        assert {each["area"] for each in answer["findings"]} == {"settings", "pipeline"}
        assert "not asked" in answer["findings"][-1]["what"]

    def test_everything_unavailable_is_exit_3_with_three_ways_out(self, everybody_refuses: dict[str, str]) -> None:
        keys = {"PIXELAPI_KEY": "pk", "AWS_SECRET_ACCESS_KEY": "s3cr"}
        done = skustream_check("--json", "--timeout", "2", **everybody_refuses, **keys)
        answer = json.loads(done.stdout)
        lost = [each for each in answer["findings"] if each["mark"] == "unavailable"]
        assert (done.returncode, [each["area"] for each in lost]) == (3, ["kafka", "store", "api"])
        assert all(each["way_out"] for each in lost)
        assert "Traceback" not in done.stderr
