"""AsyncAPI's own parser, by npm from tests/services/asyncapi into build/asyncapi, once per content of its lock file.

Comes in: a document's text. Goes out: what the parser made of it, and its complaints.
"""

import fcntl
import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.services import ServiceMissing

ROOT = Path(__file__).parents[2]
PACKAGE = Path(__file__).parent / "asyncapi"
FILES = ("package.json", "package-lock.json", ".npmrc", "check.mjs")
HOME = ROOT / "build/asyncapi"
OLDEST_NODE = 20
INSTEAD = "apt-get install nodejs npm"
_SECONDS = 300


class AsyncApiParser:
    """Ready to parse; made by `open_parser`."""

    def check(self, document: str) -> dict[str, Any]:
        """`version`, `operations` as [id, action], and `complaints` (severity 0: error, 1: warning, 2: information)."""
        told = subprocess.run(
            ["node", "check.mjs"],
            cwd=HOME,
            input=document,
            capture_output=True,
            text=True,
            check=True,
            timeout=_SECONDS,
        )
        answer: dict[str, Any] = json.loads(told.stdout)
        return answer


def open_parser() -> AsyncApiParser:
    """Fetch the parser if its lock changed. Raises ServiceMissing without node, npm or a registry."""
    _check_tools()
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME.parent / "asyncapi.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = hashlib.sha256(b"".join((PACKAGE / name).read_bytes() for name in FILES)).hexdigest()
        stamp = HOME / f"fetched-{wanted}"
        if not stamp.exists():
            _install()
            stamp.touch()
    return AsyncApiParser()


def _check_tools() -> None:
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise ServiceMissing(f"AsyncAPI's parser needs {tool}: {INSTEAD}")
    told = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(told.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        raise ServiceMissing(f"AsyncAPI's parser needs Node.js >= {OLDEST_NODE}, found {told}: {INSTEAD}")


def _install() -> None:
    shutil.rmtree(HOME)
    HOME.mkdir()
    for name in FILES:
        shutil.copy(PACKAGE / name, HOME / name)
    done = subprocess.run(["npm", "ci", "--silent"], cwd=HOME, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ServiceMissing(f"npm ci could not fetch AsyncAPI's parser\n{done.stdout}{done.stderr}")
