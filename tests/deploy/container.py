"""As much of a container as the kernel gives without Docker, for what the image would run.

Comes in: the wheel, installed. Goes out: processes of it. Enforced by the kernel: a root file system of its own, in
which there is nothing but the system's folders, Python, the installed wheel with its dependencies, and an empty /tmp;
everything but /tmp is mounted read-only, and /tmp takes no programs (Compose mounts it so); the image's user and group
by number, without a name, a home, other groups, capabilities, or a way to gain them. Not enforced: the network is this
machine's, and so are the processes that it sees.

The system below it is this machine's and not python:3.13-slim-trixie's.
"""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.rendered import Image
from tests.services import leash
from tests.services.wheel import Installed

SECONDS = 300
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc", "/dev")
# `$1`: the new root's folder. `$2`: user and group. Then folders to be read, `--`, and the words to run.
_SCRIPT = """
root=$1 owner=$2; shift 2
mount -t tmpfs -o size=16m,mode=755 root "$root"
mkdir "$root/tmp" "$root/proc"
mount -t tmpfs -o size=1g,mode=1777,noexec,nosuid,nodev tmp "$root/tmp"
mount --rbind /proc "$root/proc"
while [ "$1" != -- ]; do
  if [ -L "$1" ]; then
    cp --no-dereference "$1" "$root$1"
  else
    mkdir --parents "$root$1"
    mount --bind "$1" "$root$1"
    mount -o remount,bind,ro "$root$1"
  fi
  shift
done
shift
mount -o remount,ro "$root"
exec chroot "$root" setpriv --reuid "${owner%:*}" --regid "${owner#*:}" --clear-groups \
  --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""
# What a machine may forbid, and no more: a mistake in the script above must fail, and not skip.
_PROBE = """
mount -t tmpfs probe "$1"
mount -o remount,ro "$1"
exec setpriv --reuid 65532 --regid 65532 --clear-groups --no-new-privs --bounding-set=-all true
"""


@dataclass(frozen=True, slots=True)
class Container:
    """What the image is to a container: the same words, variables and user. `folder` is a place to mount at."""

    installed: Installed
    image: Image
    folder: Path

    def run(self, *words: str | Path, user: str = "", **variables: str) -> "subprocess.CompletedProcess[str]":
        """These words to their end, as the image's user or as another one."""
        return subprocess.run(
            self._command(words, user), env=self._environment(variables), capture_output=True, text=True, check=False,
            timeout=SECONDS,
        )  # fmt: skip

    def start(self, *words: str, log: Path, **variables: str) -> "subprocess.Popen[bytes]":
        """The image's entry point with these words; the process that gets our signals is skustream itself."""
        with log.open("ab") as told:
            return leash.start(
                self._command([*self.image.entrypoint, *words], ""), log=told, env=self._environment(variables)
            )

    def _command(self, words: "tuple[str | Path, ...] | list[str]", user: str) -> list[str]:
        places = [path for path in SYSTEM if Path(path).exists()]
        places += [str(path) for path in self.installed.reads if not path.is_relative_to("/usr")]
        inside = ["sh", str(self.folder), user or self.image.user, *places, "--", *map(str, words)]
        return ["unshare", "--mount", "--propagation", "private", "sh", "-euc", _SCRIPT, *inside]

    def _environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """The image's variables and these; nothing of ours."""
        path = f"{self.installed.home / 'bin'}:/usr/local/bin:/usr/bin:/usr/sbin:/sbin:/bin"
        own = self.image.environment | {"SKUSTREAM_HTTP_HOST": "127.0.0.1"}
        return {**own, "PATH": path, "HOME": "/", **variables}


class Forbidden(Exception):
    """This machine does not let us mount or become somebody else: nothing that could be installed would help."""


def open_container(installed: Installed, image: Image, folder: Path) -> Container:
    """Raises Forbidden where file systems cannot be mounted or another user not become."""
    if os.geteuid() != 0:
        raise Forbidden("what the image runs is run as another user on a read-only root: only root can, sudo make")
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", _PROBE, "sh", str(folder)]
    tried = subprocess.run(words, capture_output=True, text=True, check=False, timeout=SECONDS)
    if tried.returncode != 0:
        raise Forbidden(f"file systems cannot be mounted here (CAP_SYS_ADMIN): {tried.stderr.strip()}")
    return Container(installed, image, folder)
