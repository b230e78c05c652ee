"""Who is let in: User-Agent, key, contract."""

import asyncio
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

import aiohttp
import pytest

from stream.simulator import Behaviour
from tests.simulator.conftest import Client


def limited(requests: int = 3, **rate: Any) -> Behaviour:
    return Behaviour().changed({"rate": {"requests": requests, **rate}})


async def test_a_client_that_does_not_name_itself_gets_a_web_page(client: Client) -> None:
    for agent in ("Python/3.11 aiohttp/3.14", "python-requests/2.32", ""):
        status, headers, body = await client.call("GET", "/account/balance", headers={"User-Agent": agent})
        assert (status, headers["Content-Type"].split(";")[0]) == (403, "text/html")
        assert b"banned" in body
    client.sim.behaviour = Behaviour(user_agent_check=False)
    assert (await client.call("GET", "/account/balance", headers={"User-Agent": "aiohttp/3"}))[0] == 200


async def test_a_wrong_key_is_refused(client: Client) -> None:
    for key in ("Bearer pk_other", "pk_test", "Bearer "):
        assert (await client.call("GET", "/account/balance", headers={"Authorization": key}))[0] == 401


async def test_a_key_shown_where_none_is_needed_is_written_down(client: Client) -> None:
    done = await client.bought()
    await client.keyless(done["output_url"])
    assert client.sim.summary()["key_leaks"] == 0
    await client.call("GET", done["output_url"])
    await client.call("HEAD", client.photo)
    ledger = client.sim.ledger()
    assert ledger["totals"]["key_leaks"] == 2
    steps = [(entry["step"], entry["method"], entry["status"]) for entry in ledger["open_requests"]]
    assert steps == [("photo", "GET", 200), ("download", "GET", 200), ("download", "GET", 200), ("photo", "HEAD", 200)]
    assert ledger["totals"]["downloads"] == 2


async def test_the_contract_is_kept_and_the_ledger_knows_the_fullest_window(client: Client) -> None:
    client.sim.behaviour = limited(3, window_seconds=600)
    statuses = [(await client.call("GET", "/account/balance"))[0] for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    totals = client.sim.summary()
    assert (totals["throttled"], totals["most_requests_in_window"], totals["requests"]) == (2, 5, 5)


async def test_polls_count_or_not(client: Client) -> None:
    for counts, expected in ((True, 429), (False, 200)):
        await client.sim.reset()
        client.sim.behaviour = limited(1, count_polls=counts)
        _, _, body = await client.submit()
        assert (await client.call("GET", f"/image/{body['generation_id']}"))[0] == expected


@pytest.mark.parametrize("window", ["sliding", "fixed"])
async def test_429_says_when_to_come_back(client: Client, window: str) -> None:
    forms = {}
    for form in ("none", "seconds", "date"):
        await client.sim.reset()
        client.sim.behaviour = limited(0, retry_after=form, window=window)
        forms[form] = (await client.submit())[1].get("Retry-After")
    assert forms["none"] is None
    assert 1 <= int(forms["seconds"] or "") <= 60
    assert 0 < parsedate_to_datetime(forms["date"] or "").timestamp() - time() <= 63


async def test_limit_headers_are_an_epoch_or_a_delta_or_missing(client: Client) -> None:
    seen = {}
    for form in ("epoch", "delta", "none"):
        await client.sim.reset()
        client.sim.behaviour = limited(3, reset_header=form)
        seen[form] = (await client.call("GET", "/account/balance"))[1]
    assert seen["epoch"]["X-RateLimit-Remaining"] == "2"
    assert 0 <= int(seen["epoch"]["X-RateLimit-Reset"]) - time() <= 61
    assert 0 < int(seen["delta"]["X-RateLimit-Reset"]) <= 60
    assert "X-RateLimit-Reset" not in seen["none"]


async def test_jitter_delays_a_request_before_it_is_counted(client: Client) -> None:
    client.sim.behaviour = Behaviour(arrival_jitter_seconds=0.2)
    loop = asyncio.get_running_loop()
    sent = loop.time()
    await asyncio.gather(*(client.call("GET", "/account/balance") for _ in range(8)))
    arrivals = [request["arrived"] - sent for request in client.sim.ledger()["requests"]]
    assert arrivals == sorted(arrivals)
    assert max(arrivals) - min(arrivals) > 0.05


async def test_client_and_job_key_are_echoed_into_the_ledger(client: Client) -> None:
    headers = {"X-Client-Id": "worker-1", "X-Job-Key": "abc"}
    await client.call("POST", "/image/upscale", json={"image_url": client.photo}, headers=headers)
    request, job = client.sim.ledger()["requests"][-1], client.sim.ledger()["jobs"][-1]
    assert (request["client"], request["job_key"], request["job"]) == ("worker-1", "abc", job["id"])
    assert (job["client"], job["job_key"]) == ("worker-1", "abc")


async def test_an_address_in_use_is_an_error_not_a_silence(client: Client) -> None:
    port = int(client.sim.origin.rpartition(":")[2])
    with pytest.raises(OSError, match="address already in use"):
        await type(client.sim)(port=port).start()
    async with aiohttp.ClientSession() as other, other.get(f"{client.sim.origin}/_sim/summary") as answer:
        assert answer.status == 200
