"""`python -m stream.simulator --port N --behaviour JSON --state FILE`: prints its base URL when ready."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from stream.simulator.behaviour import Behaviour, realistic
from stream.simulator.serve import ServeOptions, serve


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m stream.simulator", description="A simulated PixelAPI.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8089)
    parser.add_argument("--api-key", default="pk_test")
    parser.add_argument("--behaviour", default="{}", help="a JSON object, or @FILE")
    parser.add_argument("--realistic", action="store_true", help="start from the documented latencies")
    parser.add_argument("--photos", type=Path, help="a folder served at /photos/")
    parser.add_argument("--state", type=Path, help="append the books to this file as JSON lines")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    options = ServeOptions(
        behaviour=_behaviour(given.behaviour, realistic() if given.realistic else Behaviour()),
        host=given.host,
        port=given.port,
        api_key=given.api_key,
        photos=given.photos,
        state=given.state,
        threads=given.threads,
        ready=lambda url: print(url, flush=True),  # noqa: T201 -- the one line a caller waits for
    )
    asyncio.run(serve(options))


def _behaviour(text: str, start: Behaviour) -> Behaviour:
    import orjson  # noqa: PLC0415 -- only here

    content = Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
    return start.changed(orjson.loads(content))


if __name__ == "__main__":
    main()
