"""The back door over HTTP, the state file, and the simulator as a process."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import aiohttp

from stream.simulator import Behaviour, ServeOptions, Simulator, serve
from tests.simulator.conftest import Client


async def test_behaviour_changes_over_http_and_nonsense_is_refused(client: Client) -> None:
    url = f"{client.sim.origin}/_sim/behaviour"
    status, _, changed = await client.call("PUT", url, json={"rate": {"requests": 9}, "plan": "pro"})
    assert (status, changed["rate"]["requests"], changed["plan"]) == (200, 9, "pro")
    assert client.sim.behaviour.rate.requests == 9
    for nonsense in ({"plan": 3}, {"faults": [{"kind": "gremlin"}]}, [1]):
        assert (await client.call("PUT", url, json=nonsense))[0] == 422
    assert (await client.call("GET", url))[2] == changed


async def test_ledger_and_summary_agree_and_reset_empties_them(client: Client) -> None:
    await client.bought("upscale")
    origin = client.sim.origin
    _, _, ledger = await client.call("GET", f"{origin}/_sim/ledger", params={"window_seconds": "5"})
    _, _, summary = await client.call("GET", f"{origin}/_sim/summary", params={"window_seconds": "5"})
    assert ledger["totals"] == summary
    assert (summary["net_credits"], summary["window_seconds"]) == (50, 5)
    job = ledger["jobs"][0]
    assert (job["status"], job["answer_delivered"], len(job["sha256"])) == ("completed", True, 64)
    assert job["polls"] == summary["requests_by_step"]["poll"]
    await client.call("POST", f"{origin}/_sim/reset")
    _, _, empty = await client.call("GET", f"{origin}/_sim/summary")
    assert (empty["requests"], empty["net_credits"], empty["balance_credits"]) == (0, 0, 300_000)


async def test_an_open_submit_is_seen_with_its_clients_port_until_it_is_answered(client: Client) -> None:
    """Who kills workers must know whose submit is open just now."""
    origin = client.sim.origin
    client.sim.behaviour = client.sim.behaviour.changed(
        {"answer_delay": {"minimum_seconds": 1.5, "maximum_seconds": 1.5}}
    )
    order = {"image_url": client.photo, "scale": 2}
    submit = asyncio.create_task(client.call("POST", "/image/upscale", json=order))
    while not (now := (await client.call("GET", f"{origin}/_sim/open"))[2])["running"]:  # noqa: ASYNC110 - a poll over HTTP
        await asyncio.sleep(0)
    assert [(entry["operation"], entry["ended"]) for entry in now["submits"]] == [("upscale", False)]
    assert now["submits"][0]["peer_port"] > 0
    assert (await submit)[0] == 200
    assert (await client.call("GET", f"{origin}/_sim/open"))[2]["submits"] == []


async def test_the_state_file_holds_every_request_and_every_turn_of_a_job(photos: Path, tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    headers = {"Authorization": "Bearer pk_test", "User-Agent": "tests/1"}
    async with Simulator(photos=photos, state=state) as sim, aiohttp.ClientSession(headers=headers) as http:
        client = Client(sim, http, f"{sim.origin}/photos/ring.jpg")
        await client.bought()
        totals = sim.summary()
    lines = [json.loads(line) for line in state.read_text().splitlines()]
    assert (
        sum(line["kind"] == "request" and line["step"] not in {"photo", "download"} for line in lines)
        == totals["requests"]
    )
    turns = [(line["what"], line["charged_credits"]) for line in lines if line["kind"] == "job"]
    assert turns == [("accepted", 10), ("completed", 10)]


async def test_serve_says_where_it_is_and_ends_when_cancelled() -> None:
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(ServeOptions(behaviour=Behaviour(plan="free"), ready=ready.set_result)))
    url = await ready
    async with aiohttp.ClientSession() as http, http.get(url.replace("/v1", "/_sim/behaviour")) as answer:
        assert (await answer.json())["plan"] == "free"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


async def test_it_runs_in_a_process_of_its_own_and_leaves_on_sigterm(tmp_path: Path) -> None:
    arguments = ["-m", "stream.simulator", "--port", "0", "--behaviour", '{"plan": "pro"}', "--state", "state.jsonl"]
    root = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=tmp_path, env={"PYTHONPATH": str(root)}, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().strip()
    async with aiohttp.ClientSession() as http, http.get(url.replace("/v1", "/_sim/behaviour")) as answer:
        assert (await answer.json())["plan"] == "pro"
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
    assert (tmp_path / "state.jsonl").exists()
