"""PixelAPI's door against the simulator, counted there: what was asked, what was bought, and who saw the key."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pyvips
from pydantic import SecretStr

from stream.core.clock import SystemClock
from stream.core.errors import Ambiguous, Misconfigured, Rejected, Resource, Throttled, Transient, Unavailable
from stream.pixelapi.client import HttpPixelApi, default_user_agent
from stream.pixelapi.dialects import Dialect
from stream.pixelapi.port import JobReport, JobState, Order, PixelApi, UnknownJob, Upload
from stream.simulator import Behaviour, ErrorShape, Fault, FaultKind, Operation, RateLimit, Simulator, Step

KEY = "pk_live_3f9c0d7e5a"


@dataclass
class Notes:
    """The recorder's only verb used here, written down. The rest of the protocol is not for this door."""

    requests: list[tuple[str, str]] = field(default_factory=list)

    def requested(self, operation: str, code: str, seconds: float) -> None:
        assert seconds >= 0
        self.requests.append((operation, code))


@dataclass
class House:
    """A simulator, the client that talks to it, and what both noted."""

    simulator: Simulator
    notes: Notes = field(default_factory=Notes)
    quiet_seconds: list[float] = field(default_factory=list)
    clients: list[HttpPixelApi] = field(default_factory=list)

    def client(self, **settings: Any) -> HttpPixelApi:
        named = {"base_url": self.simulator.base_url, "api_key": SecretStr(KEY), **settings}
        client = HttpPixelApi(clock=SystemClock(), recorder=self.notes, on_throttle=self.quiet_seconds.append, **named)  # type: ignore[arg-type]
        self.clients.append(client)
        return client

    def behave(self, **fields: Any) -> None:
        self.simulator.behaviour = Behaviour(**fields)

    @property
    def jobs(self) -> list[dict[str, Any]]:
        return list(self.simulator.ledger()["jobs"])

    @property
    def paths(self) -> list[str]:
        return [request["path"] for request in self.simulator.ledger()["requests"]]

    @property
    def photo(self) -> str:
        return f"{self.simulator.origin}/photos/cup.png"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    pyvips.Image.black(64, 48, bands=3).linear([1, 1, 1], [200, 90, 30]).cast("uchar").write_to_file(
        str(tmp_path / "cup.png")
    )
    async with Simulator(api_key=KEY, photos=tmp_path) as simulator:
        home = House(simulator)
        yield home
        for client in home.clients:
            await client.aclose()


async def ended(client: PixelApi, operation: str, job_id: str) -> JobReport:
    async with asyncio.timeout(20):
        while True:
            try:
                report = await client.poll(operation, job_id)
            except Transient:
                continue
            if report.state is not JobState.RUNNING:
                return report
            await asyncio.sleep(0.01)


async def bought(house: House, client: PixelApi, order: Order) -> JobReport:
    report = await client.submit(order)
    if report.state is JobState.RUNNING:
        assert report.job_id is not None
        report = await ended(client, order.operation, report.job_id)
    assert report.state is JobState.COMPLETED
    assert report.output_url is not None
    assert report.output_url.startswith(house.simulator.origin)
    return report


ORDERS = [
    ("remove-bg", {}, Operation.REMOVE_BACKGROUND),
    ("upscale", {"scale": 2}, Operation.UPSCALE),
    ("replace-bg", {"prompt": "a wooden desk"}, Operation.REPLACE_BACKGROUND),
    ("add-shadow", {"shadow_type": "hard", "shadow_opacity": 0.5}, Operation.ADD_SHADOW),
]


@pytest.mark.parametrize("dialect", ["image", "edit", "auto"])
@pytest.mark.parametrize("by_upload", [False, True])
@pytest.mark.parametrize(("operation", "params", "theirs"), ORDERS)
async def test_every_operation_is_bought_once_in_every_dialect_and_form(
    house: House,
    tmp_path: Path,
    dialect: str,
    by_upload: bool,  # noqa: FBT001
    operation: str,
    params: dict[str, Any],
    theirs: Operation,
) -> None:
    client = house.client(dialect=dialect)
    source = Upload(tmp_path / "cup.png", "cup.png", "image/png") if by_upload else house.photo
    await bought(house, client, Order(operation, source, params))
    (job,) = house.jobs
    assert job["operation"] == theirs
    assert job["dialect"] == ("edit" if dialect == "edit" else "image")
    assert (job["filename"] == "cup.png") is by_upload
    assert job["image_url"] == (None if by_upload else house.photo)
    asked = {name: str(value) for name, value in job["params"].items()}
    assert asked == {name: str(value) for name, value in params.items()}


@pytest.mark.parametrize("id_field", ["generation_id", "id", "job_id"])
@pytest.mark.parametrize("url_field", ["output_url", "url"])
@pytest.mark.parametrize("first_status", ["queued", "pending"])
async def test_the_job_is_read_under_every_name(house: House, id_field: str, url_field: str, first_status: str) -> None:
    house.behave(id_field=id_field, url_field=url_field, first_status=first_status)
    client = house.client()
    report = await client.submit(Order("upscale", house.photo, {"scale": 2}))
    assert report.state is JobState.RUNNING
    assert report.status == first_status
    assert report.credits == Decimal(50)
    assert report.job_id == house.jobs[0]["id"]
    assert report.job_id is not None
    assert (await ended(client, "upscale", report.job_id)).output_url is not None


@pytest.mark.parametrize("has_id", [True, False])
async def test_a_synchronous_answer_is_the_whole_job(house: House, has_id: bool) -> None:  # noqa: FBT001
    house.behave(synchronous=["upscale"], synchronous_has_id=has_id)
    report = await house.client().submit(Order("upscale", house.photo))
    assert report.state is JobState.COMPLETED
    assert report.output_url is not None
    assert (report.job_id is not None) is has_id
    assert len(house.paths) == 1


@pytest.mark.parametrize("status", [404, 405])
async def test_auto_finds_the_dialect_with_one_free_miss_for_all_operations(house: House, status: int) -> None:
    house.behave(dialects="edit", disabled_status=status)
    client = house.client()
    with pytest.raises(Transient) as caught:
        await client.submit(Order("remove-bg", house.photo))
    assert caught.value.free
    for operation in ("remove-bg", "upscale"):
        await bought(house, client, Order(operation, house.photo))
    assert client.dialect is Dialect.EDIT
    assert house.paths == ["/v1/image/remove-background", "/v1/edit", "/v1/edit"]


async def test_no_dialect_at_all_pauses_after_one_try_of_each(house: House) -> None:
    client = house.client(base_url=f"{house.simulator.base_url}/nowhere")
    with pytest.raises(Transient):
        await client.submit(Order("remove-bg", house.photo))
    with pytest.raises(Unavailable) as caught:
        await client.submit(Order("remove-bg", house.photo))
    assert caught.value.resource is Resource.API_CONTRACT
    assert len(house.paths) == 2


@pytest.mark.parametrize("error_field", ["error", "error_message"])
@pytest.mark.parametrize(
    ("kind", "state"), [(FaultKind.FAILED, JobState.FAILED), (FaultKind.BLOCKED, JobState.BLOCKED)]
)
async def test_a_job_that_ends_badly_says_why(house: House, error_field: str, kind: FaultKind, state: JobState) -> None:
    house.behave(error_field=error_field, faults=[Fault(kind=kind, message="the reason")])
    client = house.client()
    report = await client.submit(Order("upscale", house.photo))
    assert report.job_id is not None
    report = await ended(client, "upscale", report.job_id)
    assert report.state is state
    assert report.detail


async def test_an_unknown_status_is_waited_for(house: House) -> None:
    house.behave(faults=[Fault(kind=FaultKind.UNKNOWN_STATUS, text="optimizing")])
    client = house.client()
    report = await client.submit(Order("upscale", house.photo))
    assert report.job_id is not None
    async with asyncio.timeout(20):
        while True:
            poll = await client.poll("upscale", report.job_id)
            assert poll.state is JobState.RUNNING
            if poll.status == "optimizing":
                break
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("kind", [FaultKind.DROP, FaultKind.ACCEPT_DROP, FaultKind.HANG, FaultKind.ACCEPT_HANG])
async def test_a_submit_whose_answer_is_lost_is_ambiguous_and_sent_once(house: House, kind: FaultKind) -> None:
    house.behave(faults=[Fault(kind=kind, at=Step.SUBMIT)])
    client = house.client(submit_timeout_seconds=1.5 if "hang" in kind else 10.0)
    with pytest.raises(Ambiguous, match="lost"):
        await client.submit(Order("remove-bg", house.photo))
    assert len(house.paths) == 1
    assert len(house.jobs) == (1 if "accept" in kind else 0)
    assert house.notes.requests == [("remove-bg", "lost")]


@pytest.mark.parametrize("shape", list(ErrorShape))
async def test_a_crash_after_the_job_was_taken_is_never_called_a_refusal(house: House, shape: ErrorShape) -> None:
    """The simulator takes the money and answers "Internal Server Error" in every shape: buying again breaks L2."""
    house.behave(faults=[Fault(kind=FaultKind.ACCEPT_ERROR, status=500, shape=shape)])
    with pytest.raises(Ambiguous):
        await house.client().submit(Order("remove-bg", house.photo))
    assert len(house.jobs) == 1


@pytest.mark.parametrize(
    "shape", ["detail-string", "detail-object", "error-object", "message", "error-message", "text"]
)
async def test_a_busy_answer_in_prose_passes_with_its_delay(house: House, shape: ErrorShape) -> None:
    house.behave(faults=[Fault(kind=FaultKind.BUSY, at=Step.SUBMIT, seconds=20, shape=shape)])
    with pytest.raises(Transient) as caught:
        await house.client().submit(Order("remove-bg", house.photo))
    assert caught.value.after_seconds == 20.0
    assert house.jobs == []


@pytest.mark.parametrize(
    "shape",
    ["detail-string", "detail-list", "detail-object", "error-string", "error-object", "message", "text", "html"],
)
async def test_a_refusal_repeats_the_apis_words_in_every_shape(house: House, shape: ErrorShape) -> None:
    fault = Fault(kind=FaultKind.ERROR, at=Step.SUBMIT, status=422, shape=shape, message=f"bad {KEY} https://h/a?sig=1")
    house.behave(faults=[fault])
    with pytest.raises(Rejected, match=r"bad \*\*\* https://h/a\?\*\*\*"):
        await house.client().submit(Order("remove-bg", house.photo))


async def test_an_image_that_cannot_be_fetched_is_the_events_fault(house: House) -> None:
    with pytest.raises(Rejected, match="404"):
        await house.client().submit(Order("remove-bg", f"{house.simulator.origin}/photos/none.png"))
    assert house.jobs == []


async def test_credits_key_and_access_are_the_environments_fault(house: House) -> None:
    house.behave(balance_credits=Decimal(1))
    wrong_key = house.client(api_key=SecretStr("pk_live_other"))
    unnamed = house.client(user_agent="aiohttp/3")
    seen = []
    for client in (house.client(), wrong_key, unnamed):
        with pytest.raises(Unavailable) as caught:
            await client.submit(Order("remove-bg", house.photo))
        seen.append(caught.value.resource)
    assert seen == [Resource.API_CREDITS, Resource.API_KEY, Resource.API_ACCESS]
    with pytest.raises(Unavailable):
        await unnamed.poll("remove-bg", "g")


@pytest.mark.parametrize(
    ("retry_after", "reset"), [("seconds", "none"), ("date", "none"), ("none", "epoch"), ("none", "delta")]
)
async def test_a_429_quiets_everybody_for_as_long_as_asked(house: House, retry_after: str, reset: str) -> None:
    rate = RateLimit(requests=1, window_seconds=60, retry_after=retry_after, reset_header=reset, remaining_header=False)  # type: ignore[arg-type]
    house.behave(rate=rate)
    client = house.client()
    await client.balance()
    for ask in (client.submit(Order("remove-bg", house.photo)), client.poll("remove-bg", "g"), client.balance()):
        with pytest.raises(Throttled) as caught:
            await ask
        assert 50 < caught.value.after_seconds <= 62
        assert house.quiet_seconds[-1] == caught.value.after_seconds
    assert len(house.quiet_seconds) == 3
    assert house.jobs == []


async def test_the_last_request_of_a_window_quiets_everybody_before_the_429(house: House) -> None:
    house.behave(rate=RateLimit(requests=2, window_seconds=60))
    client = house.client()
    await client.balance()
    assert house.quiet_seconds == []
    await client.balance()
    (seconds,) = house.quiet_seconds
    assert 50 < seconds <= 62


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=FaultKind.DROP, at=Step.POLL, times=1),
        Fault(kind=FaultKind.ERROR, at=Step.POLL, status=404, times=1),
        Fault(kind=FaultKind.ERROR, at=Step.POLL, status=500, times=1),
        Fault(kind=FaultKind.ERROR, at=Step.POLL, status=402, times=1),
        Fault(kind=FaultKind.ERROR, at=Step.POLL, status=503, shape=ErrorShape.EMPTY, times=1),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
async def test_a_poll_that_fails_costs_one_request_and_never_the_job(house: House, fault: Fault) -> None:
    client = house.client()
    report = await client.submit(Order("remove-bg", house.photo))
    assert report.job_id is not None
    house.behave(faults=[fault])
    before = len(house.paths)
    with pytest.raises(Transient):
        await client.poll("remove-bg", report.job_id)
    assert len(house.paths) == before + 1
    assert (await ended(client, "remove-bg", report.job_id)).state is JobState.COMPLETED


async def test_an_unknown_job_is_looked_for_on_the_other_paths_one_request_at_a_time(house: House) -> None:
    client = house.client()
    for _ in range(4):
        with pytest.raises(UnknownJob):
            await client.poll("upscale", "g1")
    assert house.paths == ["/v1/image/g1", "/v1/image/upscale/g1", "/v1/generation/g1", "/v1/image/g1"]


async def test_the_balance_is_told(house: House) -> None:
    balance = await house.client().balance()
    assert balance.credits == Decimal(300_000)
    assert balance.plan == "scale"
    assert house.notes.requests == [("balance", "200")]


async def test_every_request_is_recorded_under_a_closed_set_of_names(house: House) -> None:
    client = house.client(dialect="image")
    report = await client.submit(Order("upscale", house.photo))
    assert report.job_id is not None
    await client.poll("upscale", report.job_id)
    with pytest.raises(Transient):
        await client.poll("upscale", "unknown")
    assert house.notes.requests == [("upscale", "200"), ("poll", "200"), ("poll", "404")]


async def test_an_upload_that_is_gone_sends_nothing(house: House, tmp_path: Path) -> None:
    with pytest.raises(Transient, match="cannot be read"):
        await house.client().submit(Order("upscale", Upload(tmp_path / "none.png", "none.png", "image/png")))
    assert house.paths == []
    assert house.notes.requests == []


async def test_parameters_of_ours_are_never_sent(house: House) -> None:
    with pytest.raises(ValueError, match="skip_if_longest_side"):
        await house.client().submit(Order("upscale", house.photo, {"scale": 2, "skip_if_longest_side": 99}))
    assert house.paths == []


async def test_a_closed_client_sends_nothing(house: House) -> None:
    client = house.client()
    await client.balance()
    await client.aclose()
    await client.aclose()
    with pytest.raises(Unavailable):
        await client.submit(Order("remove-bg", house.photo))
    assert len(house.paths) == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": "ftp://h/v1"},
        {"base_url": "api.pixelapi.dev/v1"},
        {"base_url": "https://user:hunter2@h/v1"},
        {"base_url": "https://h/v1?key=hunter2"},
        {"base_url": "https://h:port/v1"},
        {"api_key": SecretStr(" \n")},
        {"api_key": SecretStr("hunter2\nX-Evil: 1")},
        {"api_key": SecretStr("hunter2ü")},
        {"user_agent": "a\r\nX-Evil: 1"},
        {"user_agent": ""},
        {"dialect": "hunter"},
    ],
)
async def test_unusable_settings_are_refused_without_repeating_secrets(house: House, settings: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured) as caught:
        house.client(**settings)
    assert "hunter2" not in str(caught.value)


async def test_a_key_files_line_end_is_no_part_of_the_key(house: House) -> None:
    assert (await house.client(api_key=SecretStr(f"{KEY}\n")).balance()).credits is not None


def test_we_go_by_our_own_name() -> None:
    name = default_user_agent()
    assert name.startswith("skustream/")
    assert name.endswith(" (+event processor)")


async def test_the_key_is_in_no_log_no_repr_and_no_other_hosts_request(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = house.client()
    report = await bought(house, client, Order("remove-bg", house.photo))
    for status in (400, 401, 402, 403, 404, 429, 500, 503):
        fault = Fault(kind=FaultKind.ERROR, at=Step.SUBMIT, status=status, message=f"key {KEY}", shape=ErrorShape.TEXT)
        house.behave(faults=[fault])
        with pytest.raises(Exception) as caught:  # noqa: PT011 - every one of them
            await client.submit(Order("remove-bg", house.photo))
        chain: BaseException | None = caught.value
        while chain is not None:
            assert KEY not in f"{chain!s}{chain!r}{chain.args!r}"
            chain = chain.__cause__ or chain.__context__
    assert KEY not in repr(client) + repr(vars(client)) + repr(report)
    assert KEY not in caplog.text
    assert house.simulator.ledger()["totals"]["key_leaks"] == 0
