"""What the containers of `docker-compose.yml` would run, run as processes of this machine: there is no Docker here.

Comes in: the services as Compose rendered them. Goes out: the same commands with the same environments, started in the
order `depends_on` asks for and judged by their own health checks. What is changed for that stands in `changed.py`, and
in what is mounted; nothing else is.
"""

import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.deploy.changed import (
    ADDRESSES,
    NOT_TO_BE_HAD,
    PACE_OF_COMMANDS,
    PACE_OF_FILES,
    PACE_OF_THE_WORKER,
    PROGRAMS,
    kafka_properties,
)
from tests.deploy.rendered import Image, Service
from tests.services import jars, leash
from tests.services.node import Address, Node
from tests.services.prometheus import find
from tests.services.s3 import LISTENERS, binary
from tests.services.waiting import free_ports, listens, until

# A refused connection is what the first looks at a starting broker get.
_silence = logging.getLogger("tests.deploy.stack.client")
_silence.addHandler(logging.NullHandler())
_silence.propagate = False


def _lists_topics(words: list[str]) -> bool:
    """What `kafka-topics.sh --bootstrap-server ADDRESS --list` asks; the script itself is not among the jars."""
    script, flag, address, verb = words
    assert (script, flag, verb) == ("/opt/kafka/bin/kafka-topics.sh", "--bootstrap-server", "--list")
    try:
        AdminClient({"bootstrap.servers": address}, logger=_silence).list_topics(timeout=2)
    except KafkaException:
        return False
    return True


class Stack:
    """All services of one rendered file. `up` starts them; `stop` and `close` end them."""

    def __init__(self, model: Mapping[str, Service], image: Image, wheel: Path, folder: Path) -> None:
        self.model = {name: service for name, service in model.items() if name not in NOT_TO_BE_HAD}
        self.folder = folder
        names = [
            "inside",
            "outside",
            "controller",
            "s3",
            "simulator",
            "probes",
            "console",
            "prometheus",
            "alertmanager",
        ]
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        self._image = image
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._healthy: set[str] = set()
        self._kafka: Node | None = None
        self._install(wheel)

    # The image.

    def _install(self, wheel: Path) -> None:
        """The wheel in a folder of its own, read-only, with `skustream` and `python` as the image's PATH has them."""
        self.installed = self.folder / "installed"
        zipfile.ZipFile(wheel).extractall(self.installed)
        for path in self.installed.rglob("*"):
            path.chmod(0o555 if path.is_dir() else 0o444)
        self._bin = self.folder / "bin"
        self._bin.mkdir()
        front_door = "from stream.cli.main import main; main()"
        for name, words in {"skustream": f"-c '{front_door}' ", "python": ""}.items():
            (self._bin / name).write_text(f'#!/bin/sh\nexec {sys.executable} {words}"$@"\n')
            (self._bin / name).chmod(0o755)

    def _environment(self, name: str) -> dict[str, str]:
        """The image's variables, the service's own, and where this machine keeps Python; nothing of the caller's."""
        own = {key: self.here(str(value)) for key, value in (self.model[name].get("environment") or {}).items()}
        if name == "worker":
            own |= PACE_OF_THE_WORKER
            own |= {"SKUSTREAM_HTTP_PORT": str(self.ports["probes"]), "SKUSTREAM_HTTP_HOST": "127.0.0.1"}
        if name == "console":
            own |= {"SKUSTREAM_CONSOLE_PORT": str(self.ports["console"]), "SKUSTREAM_CONSOLE_HOST": "127.0.0.1"}
        here = {"PATH": f"{self._bin}:/usr/bin:/bin", "PYTHONPATH": str(self.installed)}
        image = self._image.environment if self.model[name].get("build") else {}
        return image | own | here | {"TMPDIR": str(self._place("tmp", name))}

    # What is changed.

    def here(self, text: str) -> str:
        """`text` with every address as this machine has it."""
        for there, here in ADDRESSES:
            text = text.replace(there, here.format(**self.ports))
        return text

    def _place(self, *parts: str) -> Path:
        place = self.folder.joinpath(*parts)
        place.mkdir(parents=True, exist_ok=True)
        return place

    def _mounted(self, name: str) -> dict[str, Path]:
        """Path in the container → path here: a folder for a named volume, a copy for what comes from the repository."""
        found = {}
        for volume in self.model[name].get("volumes", []):
            if volume["type"] == "volume":
                found[volume["target"]] = self._place("volumes", volume["source"])
            else:
                found[volume["target"]] = self.folder / "files" / volume["target"].removeprefix("/")
                self._copy(Path(volume["source"]), found[volume["target"]])
        return found

    def _copy(self, source: Path, target: Path) -> None:
        """A file with our addresses and pace, or a folder of them."""
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            for one in source.iterdir():
                self._copy(one, target / one.name)
            return
        text = self.here(source.read_text())
        for theirs, ours in PACE_OF_FILES.items():
            text = text.replace(theirs, ours)
        target.write_text(text)

    def _words(self, name: str, words: list[str]) -> list[str]:
        changed = [PACE_OF_COMMANDS.get(word, word) for word in words]
        result = [self.here(word) for word in changed if word is not None]
        for there, here in self._mounted(name).items():
            result = [re.sub(rf"(^|=){re.escape(there)}$", rf"\g<1>{here}", word) for word in result]
        return result

    def command(self, name: str) -> list[str]:
        """The service's entry point and command."""
        service = self.model[name]
        if name == "seaweedfs":
            return [binary(), *self._words(name, service["command"]), *self._weed_of_its_own()]
        if name in PROGRAMS:
            return [find(*PROGRAMS[name]), *self._words(name, service["command"])]
        entrypoint = service.get("entrypoint") or self._image.entrypoint
        return self._words(name, [*entrypoint, *service["command"]])

    def _weed_of_its_own(self) -> list[str]:
        """A container has every port for itself; here other servers run beside it."""
        names = [name for name in (*LISTENERS, *(f"{name}.grpc" for name in LISTENERS)) if name != "s3.port"]
        ports = zip(names, free_ports(len(names)), strict=True)
        sockets = {f"{name}.localSocket": self._place("seaweedfs") / f"{name}.sock" for name in ("filer", "s3")}
        return [*(f"-{name}={port}" for name, port in ports), *(f"-{name}={path}" for name, path in sockets.items())]

    # Up.

    def up(self, *, timeout_seconds: float = 300) -> None:
        """Start everything in the order it asks for, and return once one-shots have ended well and the rest is healthy.

        Raises RuntimeError with the last words of a service that died, TimeoutError.
        """
        jars.fetch()
        until(self._go_on, timeout_seconds=timeout_seconds, what="every service up")

    def _go_on(self) -> bool:
        for name, service in self.model.items():
            needs = service.get("depends_on", {})
            if name not in self._processes and all(self._is_met(one, needs[one]["condition"]) for one in needs):
                self._start(name)
        return all(name in self._processes and self._is_met(name) for name in self.model)

    def _is_met(self, name: str, condition: str = "") -> bool:
        if name not in self._processes:
            return False
        ends = "healthcheck" not in self.model[name]
        assert condition in {"", "service_completed_successfully" if ends else "service_healthy"}
        code = self._processes[name].poll()
        if code not in {None, 0} or (code == 0 and not ends):
            raise RuntimeError(f"{name} ended with {code}:\n{self.said(name)}")
        if not ends and name not in self._healthy and self.is_healthy(name):
            self._healthy.add(name)
        return code == 0 if ends else name in self._healthy

    def _start(self, name: str) -> None:
        if name == "kafka":
            self._processes[name] = self._start_kafka()
        else:
            self._processes[name] = self._run(name, self.command(name))

    def _run(self, name: str, words: list[str]) -> subprocess.Popen[bytes]:
        environment = self._environment(name)
        program = shutil.which(words[0], path=environment["PATH"]) or words[0]
        with (self.folder / f"{name}.log").open("ab") as log:
            return leash.start([program, *words[1:]], log=log, env=environment, cwd=self._place("root"))

    def _start_kafka(self) -> subprocess.Popen[bytes]:
        given = {key: self.here(str(value)) for key, value in self.model["kafka"]["environment"].items()}
        (data,) = self._mounted("kafka").items()
        assert given["KAFKA_LOG_DIRS"] == data[0]
        properties = kafka_properties(given | {"KAFKA_LOG_DIRS": str(data[1])})
        address = Address(int(properties["node.id"]), self.ports["inside"], self.ports["controller"])
        self._kafka = Node(
            address, [address], self._place("kafka"), settings=properties, cluster_id=given["CLUSTER_ID"]
        )
        self._kafka.format()
        return self._kafka.start()

    def is_healthy(self, name: str) -> bool:
        """What the service's own health check says, once."""
        if not all(listens(port) for port in self._published(name)):
            return False  # spares a process for every look at a service that is still starting
        kind, *words = self.model[name]["healthcheck"]["test"]
        assert kind == "CMD"
        words = self._words(name, words)
        if name == "kafka":
            return _lists_topics(words)
        environment = self._environment(name) | {"PATH": f"{self._bin}:{os.environ['PATH']}"}
        program = shutil.which(words[0], path=environment["PATH"]) or words[0]
        return subprocess.run([program, *words[1:]], env=environment, capture_output=True, check=False).returncode == 0

    def _published(self, name: str) -> list[int]:
        """The ports of this machine where a service's published ones are."""
        found = [self.here(f"{port['host_ip']}:{port['published']}") for port in self.model[name].get("ports", [])]
        return [int(address.rpartition(":")[2]) for address in found]

    # And down.

    def again(self, name: str) -> tuple[int, str]:
        """`docker compose run --rm NAME`: a one-shot's exit code and what it said."""
        before = len(self.said(name))
        code = self._run(name, self.command(name)).wait(60)
        return code, self.said(name)[before:]

    def execute(self, name: str, *words: str) -> tuple[int, str]:
        """`docker compose exec NAME WORDS`: exit code and what it said."""
        environment = self._environment(name)
        program = shutil.which(words[0], path=environment["PATH"]) or words[0]
        done = subprocess.run([program, *words[1:]], env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout or done.stderr

    def stop(self, name: str) -> int:
        """As `docker compose stop`: SIGTERM, and after the grace period SIGKILL. The exit code."""
        return leash.reap(self._processes[name], signal.SIGTERM, timeout_seconds=150)

    def restart(self, name: str) -> None:
        """Start a stopped service again and return once it is healthy."""
        self._start(name)
        until(lambda: self.is_healthy(name), timeout_seconds=150, what=f"{name} healthy again")

    def said(self, name: str) -> str:
        """The service's log."""
        if name == "kafka":
            return self._kafka.last_words() if self._kafka else ""
        log = self.folder / f"{name}.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def close(self) -> None:
        """End every process, at once; what was read-only may be deleted again."""
        for process in self._processes.values():
            if process.poll() is None:
                leash.reap(process, signal.SIGKILL, timeout_seconds=10)
        for path in [self.installed, *self.installed.rglob("*")]:
            if path.is_dir():
                path.chmod(0o755)
