"""`skustream` many times over without its second of imports: forked from one process that has imported everything.

Each run is a process of its own, with its own environment and the entry point of the installed command. The parent has
no threads and opens nothing before it forks.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

PRELOAD = ("stream.cli.main", "stream.assembly", "stream.console.opening", "uvloop")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Order:
    """One run: the words after `skustream`, all of its environment, and where its output goes."""

    words: Sequence[str]
    environment: Mapping[str, str]
    log: str


def exit_codes(orders: Sequence[Order], *, beside: int, limit_seconds: int) -> list[int]:
    """Run all, `beside` of them at a time; one that takes longer than `limit_seconds` ends by SIGALRM (-14)."""
    told = json.dumps({"orders": [asdict(each) for each in orders], "beside": beside, "limit": limit_seconds})
    done = subprocess.run(
        [sys.executable, "-m", "tests.services.swift"], input=told, stdout=subprocess.PIPE, text=True, check=True,
        cwd=ROOT,
    )  # fmt: skip
    codes: list[int] = json.loads(done.stdout)
    return codes


def _main() -> None:
    for name in PRELOAD:
        importlib.import_module(name)
    asked = json.load(sys.stdin)
    running: dict[int, int] = {}
    codes: dict[int, int] = {}
    for place, order in enumerate(asked["orders"]):
        if len(running) == asked["beside"]:
            _reap(running, codes)
        pid = os.fork()
        if pid == 0:
            signal.alarm(asked["limit"])
            _run(Order(**order))
        running[pid] = place
    while running:
        _reap(running, codes)
    json.dump([codes[place] for place in range(len(codes))], sys.stdout)


def _reap(running: dict[int, int], codes: dict[int, int]) -> None:
    pid, status = os.wait()
    codes[running.pop(pid)] = os.waitstatus_to_exitcode(status)


def _run(order: Order) -> NoReturn:
    front = importlib.import_module("stream.cli.main")
    os.environ.clear()
    os.environ.update(order.environment)
    log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(log, stream)
    sys.argv = ["skustream", *order.words]
    front.main()
    raise AssertionError("the command leaves by SystemExit")


if __name__ == "__main__":
    _main()
