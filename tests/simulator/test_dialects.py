"""What can be called, and what an answer looks like."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from stream.simulator import Behaviour, ErrorShape, Operation
from tests.simulator import drawn
from tests.simulator.conftest import Client


@pytest.mark.parametrize("operation", ["remove-background", "upscale", "replace-background", "add-shadow"])
async def test_every_operation_makes_a_real_picture(client: Client, operation: str) -> None:
    done = await client.bought(operation, prompt="on marble", scale=2)
    made = drawn.opened(await client.keyless(done["output_url"]))
    assert made.width == (128 if operation == "upscale" else 64)
    assert made.hasalpha() == (operation in {"remove-background", "add-shadow"})


@pytest.mark.parametrize("path", ["/image/{}", "/image/upscale/{}", "/generation/{}"])
async def test_a_job_can_be_polled_on_every_known_path(client: Client, path: str) -> None:
    _, _, submitted = await client.submit()
    status, _, polled = await client.call("GET", path.format(submitted["generation_id"]))
    assert (status, polled["status"] in {"queued", "processing", "completed"}) == (200, True)


async def test_a_picture_can_be_uploaded_in_both_dialects(client: Client) -> None:
    for path, extra in (("/image/upscale", {}), ("/edit", {"operation": "upscale"})):
        form = aiohttp.FormData({"scale": "2", **extra})
        form.add_field("image", drawn.jpeg(), filename="ring.jpg", content_type="image/jpeg")
        status, _, _ = await client.call("POST", path, data=form)
        assert status == 200
    jobs = client.sim.ledger()["jobs"]
    assert [(job["filename"], job["params"], job["image_url"]) for job in jobs] == [
        ("ring.jpg", {"scale": 2}, None)
    ] * 2


@pytest.mark.parametrize("name", ["remove-bg", "upscale", "replace-bg"])
async def test_the_articles_form_answers_at_once(client: Client, name: str) -> None:
    body = {"operation": name, "image_url": client.photo, "prompt": "wood"}
    status, _, answer = await client.call("POST", "/edit", json=body)
    assert (status, answer["status"]) == (200, "completed")
    assert drawn.opened(await client.keyless(answer["output_url"])).width >= 64


async def test_each_dialect_can_be_synchronous_or_not(client: Client) -> None:
    client.sim.behaviour = Behaviour(synchronous=frozenset({Operation.UPSCALE}), edit_synchronous=frozenset())
    _, _, instant = await client.submit("upscale")
    _, _, later = await client.submit("remove-background")
    _, _, edited = await client.call("POST", "/edit", json={"operation": "upscale", "image_url": client.photo})
    assert "output_url" in instant
    assert "output_url" not in later
    assert "output_url" not in edited
    assert edited["status"] == "queued"


@pytest.mark.parametrize("status", [404, 405])
async def test_a_dialect_that_is_off_charges_nothing(client: Client, status: int) -> None:
    client.sim.behaviour = Behaviour().changed({"dialects": "image", "disabled_status": status})
    answer = await client.call("POST", "/edit", json={"operation": "upscale", "image_url": client.photo})
    assert answer[0] == status
    assert (await client.submit())[0] == 200
    client.sim.behaviour = Behaviour(dialects="edit")
    assert (await client.submit())[0] == 404
    assert client.sim.summary()["submits_accepted"] == 1


async def test_names_of_fields_are_settings(client: Client) -> None:
    client.sim.behaviour = Behaviour(
        id_field="job_id", url_field="url", first_status="pending", id_in_poll=True, credits_in_poll=True,
        credits_in_submit=False, first_status_share=1.0,
    )  # fmt: skip
    _, _, submitted = await client.submit()
    assert submitted == {"job_id": submitted["job_id"], "status": "pending"}
    polled = await client.finished(submitted["job_id"])
    assert set(polled) == {"status", "job_id", "url", "credits_used"}


SHAPES: dict[ErrorShape, Callable[[Any], bool]] = {
    ErrorShape.DETAIL_STRING: lambda body: isinstance(body["detail"], str),
    ErrorShape.DETAIL_LIST: lambda body: set(body["detail"][0]) == {"loc", "msg", "type"},
    ErrorShape.DETAIL_OBJECT: lambda body: body["detail"]["retryable"] is False,
    ErrorShape.ERROR_STRING: lambda body: isinstance(body["error"], str),
    ErrorShape.ERROR_OBJECT: lambda body: isinstance(body["error"]["message"], str),
    ErrorShape.MESSAGE: lambda body: isinstance(body["message"], str),
    ErrorShape.ERROR_MESSAGE: lambda body: isinstance(body["error_message"], str),
    ErrorShape.TEXT: lambda body: body == b"Generation not found",
    ErrorShape.HTML: lambda body: body.startswith(b"<html>"),
    ErrorShape.EMPTY: lambda body: body == b"",
}


@pytest.mark.parametrize("shape", list(ErrorShape))
async def test_errors_come_in_every_known_shape(client: Client, shape: ErrorShape) -> None:
    client.sim.behaviour = Behaviour(error_shapes={404: shape})
    status, _, body = await client.call("GET", "/image/nobody")
    assert status == 404
    assert SHAPES[shape](body)


@pytest.mark.parametrize(
    ("photo", "status"),
    [("tiny.jpg", 422), ("text.jpg", 422), ("none.jpg", 400), ("../conftest.py", 400)],
)
async def test_pictures_that_cannot_be_used_are_refused_unpaid(client: Client, photo: str, status: int) -> None:
    client.sim.behaviour = Behaviour(fetch_failure_status=400)
    answer = await client.submit(image_url=f"{client.sim.origin}/photos/{photo}")
    assert answer[0] == status
    assert client.sim.summary()["submits_accepted"] == 0


async def test_a_picture_that_breaks_off_fails_its_job_and_is_refunded(client: Client) -> None:
    done = await client.bought(image_url=f"{client.sim.origin}/photos/broken.jpg")
    assert done["status"] == "failed"
    assert client.sim.summary()["net_credits"] == 0


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/image/upscale", {"scale": 3}, 422),
        ("/image/replace-background", {}, 422),
        ("/image/remove-background", {"image_url": "ftp://x/y"}, 422),
        ("/edit", {"operation": "paint"}, 422),
        ("/image/teleport", {}, 404),
    ],
)
async def test_bad_input_is_refused(client: Client, path: str, fields: dict[str, object], status: int) -> None:
    answer = await client.call("POST", path, json={"image_url": client.photo, **fields})
    assert answer[0] == status


async def test_what_is_not_json_is_refused(client: Client) -> None:
    assert (await client.call("POST", "/edit", data=b"{"))[0] == 400
    assert (await client.call("POST", "/edit", data=b"[]"))[0] == 422


async def test_photos_have_an_etag_and_a_date(client: Client, photos: Path) -> None:
    status, headers, body = await client.call("HEAD", client.photo)
    assert (status, headers["Content-Type"], body) == (200, "image/jpeg", b"")
    assert int(headers["Content-Length"]) == (photos / "ring.jpg").stat().st_size
    assert "Last-Modified" in headers
    again = await client.call("GET", client.photo, headers={"If-None-Match": headers["Etag"]})
    assert again[0] == 304
