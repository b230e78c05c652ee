"""`skustream simulate`: a PixelAPI on this machine that makes real pictures, and misbehaves on request."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from stream.simulator.behaviour import Behaviour

EXAMPLES = """Examples:

  skustream simulate --port 8089 --realistic --requests-per-minute 60

  skustream simulate --behaviour '{"max_running_jobs": 5}'

  skustream simulate --behaviour bad-day.json --seed 7

Point a worker at it with PIXELAPI_BASE (the line this command prints) and PIXELAPI_KEY (--api-key).
"""


def simulate(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 for a free one.")] = 8089,
    behaviour: Annotated[
        str, typer.Option(metavar="JSON|FILE", help="A JSON object, or a file that holds one.")
    ] = "{}",
    realistic: Annotated[bool, typer.Option("--realistic", help="Jobs take as long as documented.")] = False,
    requests_per_minute: Annotated[int | None, typer.Option(min=0, help="The contract it enforces.")] = None,
    credits_left: Annotated[int | None, typer.Option("--credits", min=0, help="The balance it begins with.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of its whims.")] = None,
    api_key: Annotated[str, typer.Option(help="The key it accepts.")] = "pk_test",
    photos: Annotated[Path | None, typer.Option(help="A folder it serves at /photos/.", exists=True)] = None,
    state: Annotated[Path | None, typer.Option(help="Append its books to this file, as JSON lines.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads that make pictures.")] = 2,
) -> None:
    """Serve a simulated PixelAPI until Ctrl-C. Prints its base URL once it is ready."""
    from stream.core.errors import Misconfigured  # noqa: PLC0415 - help stays quick
    from stream.simulator import behaviour as manners  # noqa: PLC0415
    from stream.simulator.serve import ServeOptions, serve  # noqa: PLC0415

    patch: dict[str, Any] = {
        "rate": None if requests_per_minute is None else {"requests": requests_per_minute, "window_seconds": 60},
        "balance_credits": credits_left,
        "seed": seed,
    }
    wanted = _changed(manners.realistic() if realistic else manners.Behaviour(), behaviour, patch)
    options = ServeOptions(
        behaviour=wanted, host=host, port=port, api_key=api_key, photos=photos, state=state, threads=threads,
        ready=typer.echo,
    )  # fmt: skip
    try:
        asyncio.run(serve(options))
    except OSError as error:
        raise Misconfigured(f"--host {host} --port {port}: {error.strerror or error}") from None


def _changed(start: "Behaviour", text: str, patch: dict[str, Any]) -> "Behaviour":
    """`start` with the given JSON, and then the flags, merged in."""
    import orjson  # noqa: PLC0415 - help stays quick
    from pydantic import ValidationError  # noqa: PLC0415

    from stream.core.errors import Misconfigured, shown  # noqa: PLC0415

    try:
        content = text if text.lstrip().startswith("{") else Path(text.removeprefix("@")).read_text()
        given = start.changed(orjson.loads(content))
        return given.changed({name: value for name, value in patch.items() if value is not None})
    except OSError as error:
        raise Misconfigured(
            f"--behaviour {shown(text)} is no JSON object and no readable file: {error.strerror}"
        ) from None
    except orjson.JSONDecodeError as error:
        raise Misconfigured(f"--behaviour is not JSON: {error}") from None
    except ValidationError as error:
        complaint = error.errors(include_url=False)[0]
        field = ".".join(map(str, complaint["loc"])) or "the behaviour"
        raise Misconfigured(f"--behaviour: {field}: {complaint['msg']}, got {shown(complaint['input'])}") from None
