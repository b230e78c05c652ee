"""The order desk: reads a submit in either dialect and gets the picture it speaks of.

A request comes in; an `Order` with the picture's bytes goes out, or a `RefusedError` in the words of the provider. The
picture is fetched by HTTP, bounded in time and size, or taken from the multipart upload.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
from aiohttp import web

from stream.simulator.answers import RefusedError
from stream.simulator.faults import Operation
from stream.simulator.pictures import MAXIMUM_BYTES

if TYPE_CHECKING:
    from stream.simulator.behaviour import Behaviour

EDIT_NAMES = {
    "remove-bg": Operation.REMOVE_BACKGROUND,
    "upscale": Operation.UPSCALE,
    "replace-bg": Operation.REPLACE_BACKGROUND,
    "add-shadow": Operation.ADD_SHADOW,
}
_MULTIPART_FIELD_BYTES = 64 * 1024
_USER_AGENT = "PixelAPI-Simulator/1.0"


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted. Exactly one of `image_url` and `upload` is given."""

    operation: Operation
    dialect: str
    image_url: str | None = None
    filename: str | None = None
    upload: bytes | None = None
    params: dict[str, Any] = field(default_factory=dict)


async def read_order(request: web.Request, operation: Operation | None) -> Order:
    """The order in a submit; `operation` None means the article's form, which names it in the body.

    Raises RefusedError 400 (not JSON, no such form) or 422 (a field is missing or wrong).
    """
    fields, filename, upload = await _read_fields(request)
    dialect = "image" if operation else "edit"
    if operation is None:
        operation = EDIT_NAMES.get(str(fields.pop("operation", "")))
        if operation is None:
            raise RefusedError(422, "Unknown operation", field="operation")
    image_url = fields.pop("image_url", None)
    if upload is None and not (isinstance(image_url, str) and image_url.startswith(("http://", "https://"))):
        raise RefusedError(422, "image_url or image is required", field="image_url")
    params = _checked(operation, fields)
    return Order(operation, dialect, image_url if upload is None else None, filename, upload, params)


async def _read_fields(request: web.Request) -> tuple[dict[str, Any], str | None, bytes | None]:
    if request.content_type.startswith("multipart/"):
        return await _read_multipart(request)
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise RefusedError(400, "Body is not valid JSON") from error
    if not isinstance(body, dict):
        raise RefusedError(422, "Body must be an object", field="body")
    return body, None, None


async def _read_multipart(request: web.Request) -> tuple[dict[str, Any], str | None, bytes | None]:
    fields: dict[str, Any] = {}
    filename: str | None = None
    upload: bytes | None = None
    try:
        async for part in await request.multipart():
            if not isinstance(part, aiohttp.BodyPartReader):
                raise RefusedError(400, "Nested multipart is not accepted")
            if part.name == "image":
                filename, upload = part.filename or "image", await _read_part(part, MAXIMUM_BYTES)
            elif part.name:
                fields[part.name] = (await _read_part(part, _MULTIPART_FIELD_BYTES)).decode(errors="replace")
    except ValueError as error:
        raise RefusedError(400, "Malformed multipart body") from error
    return fields, filename, upload


async def _read_part(part: aiohttp.BodyPartReader, limit_bytes: int) -> bytes:
    content = bytearray()
    while chunk := await part.read_chunk(65536):
        content += chunk
        if len(content) > limit_bytes:
            raise RefusedError(413, f"Part is larger than {limit_bytes} bytes", field="image")
    return bytes(content)


def _checked(operation: Operation, fields: dict[str, Any]) -> dict[str, Any]:
    """The parameters, made definite where they have a default."""
    if operation is Operation.UPSCALE:
        scale = str(fields.get("scale", 4))
        if scale not in {"2", "4"}:
            raise RefusedError(422, "scale must be 2 or 4", field="scale")
        return {**fields, "scale": int(scale)}
    if operation is Operation.REPLACE_BACKGROUND and not (fields.get("prompt") or fields.get("scene_prompt")):
        raise RefusedError(422, "prompt is required", field="prompt")
    return fields


async def fetch(order: Order, http: aiohttp.ClientSession, behaviour: Behaviour) -> bytes:
    """The picture's bytes: the upload, or what the URL gives. Raises RefusedError: not to be had, or too big."""
    if order.upload is not None:
        return order.upload
    assert order.image_url is not None  # noqa: S101 -- read_order has seen to it; for the type checker
    status = behaviour.fetch_failure_status
    wait = aiohttp.ClientTimeout(total=behaviour.fetch_timeout_seconds)
    try:
        async with http.get(order.image_url, timeout=wait, headers={"User-Agent": _USER_AGENT}) as answer:
            if answer.status != web.HTTPOk.status_code:
                raise RefusedError(status, f"Could not download image_url: HTTP {answer.status}")
            content = bytearray()
            async for chunk in answer.content.iter_chunked(65536):
                content += chunk
                if len(content) > MAXIMUM_BYTES:
                    raise RefusedError(status, f"Image is larger than {MAXIMUM_BYTES} bytes")
            return bytes(content)
    except (TimeoutError, aiohttp.ClientError, ValueError) as error:
        raise RefusedError(status, "Could not download image_url") from error
