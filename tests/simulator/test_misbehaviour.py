"""Jobs, polls and downloads that go wrong, each as ordered."""

import asyncio
from typing import Any

import aiohttp
import pytest

from stream.simulator import Behaviour, Fault, FaultKind, Step
from tests.simulator import drawn
from tests.simulator.conftest import Client


def behave(client: Client, *faults: Fault, **rules: Any) -> None:
    client.sim.behaviour = Behaviour(faults=faults, **rules)


async def said(client: Client, **totals: int) -> None:
    """Give way until the simulator's books have these totals."""
    while True:
        if totals.items() <= client.sim.summary().items():
            return
        await asyncio.sleep(0)


async def test_an_overload_names_its_delay_only_in_prose(client: Client) -> None:
    behave(client, Fault(kind=FaultKind.BUSY, seconds=7))
    status, headers, body = await client.submit()
    assert status == 503
    assert "Retry-After" not in headers
    assert "in 7 seconds" in body["detail"]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("shape", ["empty", "html", "detail-object"])
async def test_server_errors_come_with_and_without_a_body(client: Client, status: int, shape: str) -> None:
    behave(client, Fault.model_validate({"kind": "error", "status": status, "shape": shape}))
    answer = await client.submit()
    assert answer[0] == status
    assert (answer[2] == b"") == (shape == "empty")
    assert client.sim.summary()["submits_accepted"] == 0


async def test_hangs_end_when_the_client_gives_up_and_one_of_them_has_a_job(client: Client) -> None:
    behave(client, Fault(kind=FaultKind.HANG, times=1), Fault(kind=FaultKind.ACCEPT_HANG))
    for number, accepted in enumerate((0, 1), start=1):
        hanging = asyncio.create_task(client.submit("upscale"))
        await said(client, requests=number, submits_accepted=accepted)
        hanging.cancel()
        await asyncio.wait([hanging])
        await said(client, unanswered=number)
        assert client.sim.summary()["submits_accepted"] == accepted


async def test_polls_fail_on_their_own(client: Client) -> None:
    behave(
        client,
        Fault(kind=FaultKind.ERROR, at=Step.POLL, status=404, times=1),
        # Twice, because aiohttp's client repeats a GET once by itself when the line is cut.
        Fault(kind=FaultKind.DROP, at=Step.POLL, times=2),
    )
    _, _, body = await client.submit()
    assert (await client.call("GET", f"/image/{body['generation_id']}"))[0] == 404
    with pytest.raises(aiohttp.ClientError):
        await client.call("GET", f"/image/{body['generation_id']}")
    assert client.sim.summary()["unanswered"] == 2
    assert (await client.finished(body["generation_id"]))["status"] == "completed"


async def test_an_unknown_status_lasts_as_long_as_told(client: Client) -> None:
    behave(client, Fault(kind=FaultKind.UNKNOWN_STATUS, text="optimizing", seconds=1.0))
    _, _, body = await client.submit()
    _, _, first = await client.call("GET", f"/image/{body['generation_id']}")
    assert first == {"status": "optimizing"}
    assert (await client.finished(body["generation_id"]))["status"] == "completed"


async def test_completed_without_a_url(client: Client) -> None:
    behave(client, Fault(kind=FaultKind.NO_URL))
    assert await client.bought() == {"status": "completed"}


async def test_a_slow_job_takes_its_time(client: Client) -> None:
    behave(client, Fault(kind=FaultKind.SLOW, seconds=30))
    await client.submit()
    assert client.sim.ledger()["jobs"][0]["latency_seconds"] == 30


async def test_an_html_page_instead_of_a_picture(client: Client) -> None:
    behave(client, Fault(kind=FaultKind.HTML, times=1))
    done = await client.bought()
    assert (await client.keyless(done["output_url"])).startswith(b"<!DOCTYPE html>")
    assert drawn.opened(await client.keyless(done["output_url"])).hasalpha()


async def test_a_truncated_download_breaks_off(client: Client) -> None:
    behave(client, Fault(kind=FaultKind.TRUNCATED))
    done = await client.bought()
    with pytest.raises(aiohttp.ClientError):
        await client.keyless(done["output_url"])


async def test_an_oversized_download_is_as_long_as_ordered(client: Client) -> None:
    behave(client, Fault(kind=FaultKind.OVERSIZED, size_bytes=1_000_000))
    done = await client.bought()
    assert len(await client.keyless(done["output_url"])) >= 1_000_000


async def test_a_dripping_download_is_slow_but_whole(client: Client) -> None:
    behave(client, Fault(kind=FaultKind.DRIP, seconds=0.01))
    done = await client.bought()
    loop = asyncio.get_running_loop()
    before = loop.time()
    assert drawn.opened(await client.keyless(done["output_url"])).hasalpha()
    assert loop.time() - before >= 0.15


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_an_output_expires_and_a_poll_renews_it_or_not(client: Client, status: int) -> None:
    rules = {"output_ttl_seconds": 0.0, "expired_status": status, "renew_on_poll": False}
    client.sim.behaviour = Behaviour().changed(rules)
    done = await client.bought()
    assert (await client.call("GET", done["output_url"]))[0] == status
    job = client.sim.ledger()["jobs"][0]["id"]
    assert (await client.finished(job))["output_url"] == done["output_url"]
    client.sim.behaviour = client.sim.behaviour.changed({"renew_on_poll": True})
    renewed = (await client.finished(job))["output_url"]
    assert renewed != done["output_url"]
    client.sim.behaviour = client.sim.behaviour.changed({"output_ttl_seconds": 60})
    assert (await client.call("GET", done["output_url"]))[0] == status
    assert drawn.opened(await client.keyless(renewed)).hasalpha()


async def test_outputs_may_be_said_to_lie_elsewhere(client: Client) -> None:
    behave(client, output_base_url="https://evil.example/x")
    assert (await client.bought())["output_url"].startswith("https://evil.example/x/")


async def test_stopping_ends_what_hangs_and_what_never_ends(client: Client) -> None:
    behave(client, Fault(kind=FaultKind.HANG, match={"nth": 2}), Fault(kind=FaultKind.NEVER_ENDS))
    await client.submit()
    hanging = asyncio.create_task(client.submit())
    await said(client, requests=2)
    await client.sim.stop()
    with pytest.raises(aiohttp.ClientError):
        await hanging
    assert client.sim.summary()["jobs_by_status"] == {"running": 1}
