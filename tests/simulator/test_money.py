"""Every credit: charged, refunded, refused. Counted in the ledger, as every other test of the project does."""

from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from stream.simulator import Behaviour, Fault, FaultKind, Operation
from tests.simulator.conftest import Client


def money(client: Client) -> tuple[Any, Any, Any]:
    totals = client.sim.summary()
    return totals["charged_credits"], totals["refunded_credits"], totals["net_credits"]


@pytest.mark.parametrize("charge", ["submit", "success"])
async def test_a_completed_job_costs_its_price_once(client: Client, charge: str) -> None:
    client.sim.behaviour = Behaviour().changed({"charge": charge, "prices_credits": {"upscale": 2.5}})
    await client.bought("upscale")
    await client.bought("remove-background")
    assert money(client) == (Decimal("12.5"), 0, Decimal("12.5"))
    _, _, balance = await client.call("GET", "/account/balance")
    assert balance == {"credits_remaining": 299987.5, "plan": "scale"}


@pytest.mark.parametrize("kind", [FaultKind.FAILED, FaultKind.BLOCKED])
@pytest.mark.parametrize(
    ("charge", "refund", "expected"),
    [
        ("submit", True, (10, 10, 0)),
        ("submit", False, (10, 0, 10)),
        ("success", True, (0, 0, 0)),
        ("success", False, (10, 0, 10)),
    ],
)
async def test_a_failed_job_costs_what_the_rules_say(
    client: Client, kind: FaultKind, charge: str, refund: bool, expected: tuple[int, int, int]  # noqa: FBT001
) -> None:  # fmt: skip
    rules = {"charge": charge, "refund_failed": refund, "refund_blocked": refund, "error_field": "error_message"}
    client.sim.behaviour = Behaviour(faults=(Fault(kind=kind, message="no"),)).changed(rules)
    done = await client.bought()
    assert done == {"status": kind.value, "error_message": "no"}
    assert money(client) == expected
    assert client.sim.book.promised_credits == 0


async def test_402_when_the_balance_is_short_and_nothing_is_taken(client: Client) -> None:
    for charge in ("submit", "success"):
        await client.sim.reset()
        client.sim.behaviour = Behaviour(
            balance_credits=Decimal(15), faults=(Fault(kind=FaultKind.NEVER_ENDS),)
        ).changed({"charge": charge})
        assert [(await client.submit())[0] for _ in range(2)] == [200, 402]
        client.sim.behaviour = client.sim.behaviour.changed({"balance_credits": 20})
        assert (await client.submit())[0] == 200
        assert client.sim.summary()["submits_accepted"] == 2


@pytest.mark.parametrize("dialect", ["image", "edit"])
async def test_a_job_accepted_before_the_line_was_cut_is_paid_and_can_be_found(client: Client, dialect: str) -> None:
    client.sim.behaviour = Behaviour(faults=(Fault(kind=FaultKind.ACCEPT_DROP, times=1),))
    path = "/image/remove-background" if dialect == "image" else "/edit"
    with pytest.raises(aiohttp.ClientError):
        await client.call("POST", path, json={"operation": "remove-bg", "image_url": client.photo})
    assert money(client) == (10, 0, 10)
    _, _, usage = await client.call("GET", "/account/usage", params={"days": "1", "limit": "5"})
    assert [(row["image_url"], row["operation"]) for row in usage["usage"]] == [(client.photo, "remove-background")]
    assert (await client.finished(usage["usage"][0]["id"]))["status"] == "completed"
    totals = client.sim.summary()
    assert (totals["answers_lost"], totals["unanswered"], totals["submits_accepted"]) == (1, 1, 1)


async def test_an_error_after_acceptance_is_paid_too(client: Client) -> None:
    fault = Fault.model_validate({"kind": "accept-error", "status": 502, "shape": "empty"})
    client.sim.behaviour = Behaviour(faults=(fault,))
    status, _, body = await client.submit()
    assert (status, body, money(client)[2]) == (502, b"", 10)


async def test_a_line_cut_before_acceptance_costs_nothing(client: Client) -> None:
    client.sim.behaviour = Behaviour(faults=(Fault(kind=FaultKind.DROP, times=1),))
    with pytest.raises(aiohttp.ClientError):
        await client.submit()
    assert client.sim.summary()["submits_accepted"] == 0
    assert (await client.submit())[0] == 200


async def test_a_purchase_made_twice_is_noticed_a_repeat_after_failure_is_not(client: Client) -> None:
    client.sim.behaviour = Behaviour(faults=(Fault(kind=FaultKind.FAILED, times=1),))
    await client.bought("upscale")
    await client.bought("upscale")
    await client.bought("upscale", scale=2)
    assert client.sim.summary()["repeated_purchases"] == 0
    await client.submit("upscale")
    assert client.sim.summary()["repeated_purchases"] == 1


async def test_running_jobs_are_limited(client: Client) -> None:
    client.sim.behaviour = Behaviour(max_running_jobs=1, faults=(Fault(kind=FaultKind.NEVER_ENDS),))
    assert [(await client.submit())[0] for _ in range(2)] == [200, 429]
    assert client.sim.summary()["jobs_by_status"] == {"running": 1}


async def test_usage_can_be_switched_off(client: Client) -> None:
    client.sim.behaviour = Behaviour(usage_enabled=False)
    assert (await client.call("GET", "/account/usage"))[0] == 404
    client.sim.behaviour = Behaviour()
    assert (await client.call("GET", "/account/usage", params={"limit": "-1"}))[0] == 422


async def test_latency_is_drawn_from_the_seed_and_the_picture(client: Client) -> None:
    drawn = []
    for seed in (1, 1, 2):
        await client.sim.reset()
        rules = {
            "seed": seed,
            "default_latency": {"minimum_seconds": 0.01, "maximum_seconds": 0.05, "distribution": "lognormal"},
        }
        client.sim.behaviour = Behaviour().changed(rules)
        await client.submit()
        drawn.append(client.sim.ledger()["jobs"][0]["latency_seconds"])
    assert drawn[0] == drawn[1] != drawn[2]
    assert all(0.01 <= seconds <= 0.05 for seconds in drawn)
    assert Behaviour().latency_of(Operation.UPSCALE).maximum_seconds < 1
