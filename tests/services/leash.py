"""Child processes that cannot outlive us, not even when we are killed with SIGKILL.

One guard process per test process holds the reading end of a pipe. When the pipe closes (we left, in whatever way) it
kills every process group that is still on the leash. The kernel's PR_SET_PDEATHSIG would not do: it follows the
*thread* that forked, and a broker restarted from a worker thread would die with that thread.
"""

import atexit
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_lock = threading.Lock()
_guard: subprocess.Popen[str] | None = None


def start(
    argv: Sequence[str], *, log: IO[bytes], env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start `argv` as the leader of its own process group, output to `log`, and put it on the leash."""
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=env, cwd=cwd, start_new_session=True
    )
    _tell(f"+{process.pid}")
    return process


def reap(process: subprocess.Popen[bytes], sig: signal.Signals, *, timeout_seconds: float) -> int:
    """Send `sig`, wait for the end (SIGKILL to the whole group after `timeout_seconds`), return the exit status."""
    process.send_signal(sig)
    try:
        process.wait(timeout_seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    _tell(f"-{process.pid}")
    return process.returncode


def _tell(line: str) -> None:
    global _guard  # noqa: PLW0603 - one guard per process is the point
    with _lock:
        if _guard is None:
            _guard = subprocess.Popen(
                [sys.executable, "-I", str(Path(__file__))], stdin=subprocess.PIPE, text=True, start_new_session=True
            )
            atexit.register(_let_go, _guard)
        assert _guard.stdin is not None
        _guard.stdin.write(line + "\n")
        _guard.stdin.flush()


def _let_go(guard: subprocess.Popen[str]) -> None:
    assert guard.stdin is not None
    guard.stdin.close()
    guard.wait()


def _guard_main() -> None:
    on_leash: set[int] = set()
    for line in sys.stdin:
        change = on_leash.add if line[0] == "+" else on_leash.discard
        change(int(line[1:]))
    for pid in on_leash:
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


if __name__ == "__main__":
    _guard_main()
