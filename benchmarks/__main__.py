"""All benchmarks, one after the other, each in a process of its own: one table of target, measured, met.

    python -m benchmarks [--only engine] [--json]

Progress goes to stderr, and what the benches say beside their figures to build/bench/. Missed targets are told, not
failed: the exit code is 1 only where a bench broke.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import figures
from benchmarks.figures import Figure

BENCHES = ("engine", "inflight", "letters", "limiter", "rehost", "thumbnails")
LOGS = Path("build/bench")


def run_bench(name: str, *, small: bool, console: Console) -> list[Figure]:
    """The figures of one bench. Raises RuntimeError with its last words when it broke."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *(["--small"] if small else [])]
    log = LOGS / f"{name}.log"
    began = time.monotonic()
    with (
        log.open("w") as words,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as bench,  # noqa: S603
        console.status(f"{name} ...") as status,
    ):
        assert bench.stderr is not None  # noqa: S101 - asked for above
        assert bench.stdout is not None  # noqa: S101
        for line in bench.stderr:
            words.write(line)
            status.update(f"{name}, {time.monotonic() - began:.0f} s: {line.strip()[:80]}")
        told = bench.stdout.read()
    if bench.returncode:
        raise RuntimeError(f"{name} broke:\n{log.read_text()[-2000:]}")
    console.print(f"{name}: {time.monotonic() - began:.0f} s")
    return figures.read(told)


def table_of(found: dict[str, list[Figure]]) -> Table:
    """Target, measured, met."""
    table = Table("bench", "figure", "target", "measured", "met", "note")
    words = {True: "yes", False: "MISSED", None: ""}
    for name, each in found.items():
        for figure in each:
            measured = "not run" if figure.measured is None else f"{figure.measured:,.4g} {figure.unit}".rstrip()
            table.add_row(name, figure.name, figure.target, measured, words[figure.met], figure.note)
    return table


def main() -> int:
    """Run, tell."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=BENCHES, action="append", help="this bench; may be repeated")
    parser.add_argument("--small", action="store_true", help="a minute in all; the figures mean nothing")
    parser.add_argument("--json", action="store_true", help="JSON on stdout instead of a table")
    asked = parser.parse_args()
    LOGS.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    found: dict[str, list[Figure]] = {}
    broken = []
    for name in asked.only or BENCHES:
        try:
            found[name] = run_bench(name, small=asked.small, console=console)
        except RuntimeError as error:
            broken.append(name)
            console.print(str(error), markup=False)
    if asked.json:
        sys.stdout.write(json.dumps({name: figures.as_json(each) for name, each in found.items()}, indent=2) + "\n")
    else:
        Console(width=None if sys.stdout.isatty() else 200).print(table_of(found))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
