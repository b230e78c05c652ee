"""Known holes in what we ship: pip-audit over the lock, and no green for what nobody looked up. `make audit`.

Comes in: requirements.lock and requirements-build.lock. Goes out: exit code 0 (looked up, nothing known; or no database
could be reached, said loudly), 1 (known holes, or packages that the database left out), 2 (the audit itself broke).

pip-audit alone ends with 0 and "No known vulnerabilities found" behind a package mirror that has no vulnerability feed:
every package is skipped then.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-build.lock")
DATABASES = ("pypi", "osv")
"""By pip-audit's names; the first one that answers decides."""
NO_ANSWER = (
    "ConnectionError", "ConnectTimeout", "ReadTimeout", "ProxyError", "Max retries exceeded", "NameResolutionError",
    "Could not connect to", "Tunnel connection failed", "exceptions.HTTPError",
)  # fmt: skip
"""What pip-audit's last words hold when nobody answered, or only a mirror's refusal. Nothing else counts as that."""
KNOWN_HOLE = "jinja2==2.11.2"
"""Has had known holes for years: a database that knows of none there is no vulnerability feed, however it answers."""
TIMEOUT_SECONDS = 10


class Code(IntEnum):
    """How it ended."""

    CLEAN = 0
    FOUND = 1
    BROKEN = 2


@dataclass(frozen=True, slots=True)
class Looked:
    """What one database said: `lines` are for a person. `reached`: whether it said anything at all."""

    reached: bool
    code: Code
    lines: tuple[str, ...]


def judge(database: str, code: int, answer: str, chatter: str) -> Looked:
    """What a run of pip-audit means: its exit code, stdout (JSON) and stderr."""
    try:
        packages = json.loads(answer)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = chatter.strip().splitlines()[-1:] or ["no word"]
        if any(words in chatter for words in NO_ANSWER):
            return Looked(False, Code.CLEAN, (f"{database}: no answer: {last[0][:200]}",))
        return Looked(True, Code.BROKEN, (f"{database}: pip-audit ended with {code}: {last[0][:400]}",))
    left_out = [each["name"] for each in packages if "skip_reason" in each]
    if packages and len(left_out) == len(packages):
        return Looked(
            False, Code.CLEAN, (f"{database}: knows none of {len(packages)} packages: no vulnerability feed",)
        )
    holes = [
        f"{each['name']} {each['version']}: {hole['id']}, mended in: {', '.join(hole['fix_versions']) or 'nothing yet'}"
        for each in packages
        for hole in each.get("vulns", ())
    ]
    lines = [*holes, *(f"{name}: not in the database, nobody knows" for name in left_out)]
    if code != 0 and not lines:
        return Looked(True, Code.BROKEN, (f"{database}: pip-audit ended with {code} and named nothing",))
    clean = (f"{database}: {len(packages)} packages, no known vulnerability",)
    return Looked(True, Code.FOUND if lines else Code.CLEAN, tuple(lines) or clean)


def audit(ask: Callable[[str], Looked], say: Callable[[str], None]) -> Code:
    """Ask one database after the other, until one answers."""
    for database in DATABASES:
        looked = ask(database)
        for line in looked.lines:
            say(f"audit: {line}")
        if looked.reached:
            return looked.code
    say("*" * 90)
    say("audit: NOT AUDITED. No vulnerability database could be reached from here:")
    say("audit: known holes in the locked packages are UNKNOWN. Before a release, run `make audit` where one can be")
    say("audit: reached (the package index's own API, or api.osv.dev).")
    say("*" * 90)
    return Code.CLEAN


def ask_pip_audit(database: str) -> Looked:
    """Run it over the locks as they are: nothing is resolved or installed."""
    looked = _run(database, command(database, LOCKS, "--require-hashes"))
    if looked.reached and looked.code is Code.CLEAN:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "known.txt"
            path.write_text(f"{KNOWN_HOLE}\n")
            return believed(database, looked, _run(database, command(database, [str(path)], "--no-deps")))
    return looked


def believed(database: str, looked: Looked, known: Looked) -> Looked:
    """What was found clean, if the same database knows what everybody knows."""
    if known.reached and known.code is Code.FOUND and any(KNOWN_HOLE.partition("=")[0] in line for line in known.lines):
        return looked
    return Looked(False, Code.CLEAN, (f"{database}: knows no hole in {KNOWN_HOLE}: no vulnerability feed",))


def _run(database: str, words: Sequence[str]) -> Looked:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return judge(database, done.returncode, done.stdout, done.stderr)


def command(database: str, locks: Sequence[str], *options: str) -> list[str]:
    """pip-audit's arguments."""
    return [
        sys.executable, "-m", "pip_audit", "--vulnerability-service", database, *options, "--disable-pip",
        "--format", "json", "--progress-spinner", "off", "--timeout", str(TIMEOUT_SECONDS),
        *(word for lock in locks for word in ("--requirement", str(ROOT / lock))),
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(audit(ask_pip_audit, lambda line: print(line, flush=True)))  # noqa: T201 - the answer of this command
