"""Kafka's jars: resolved by Maven from deploy/kafka/pom.xml into build/kafka, once per content of that file."""

import fcntl
import hashlib
import re
import shutil
import subprocess
from pathlib import Path

from tests.services import ServiceMissing

ROOT = Path(__file__).parents[2]
POM = ROOT / "deploy/kafka/pom.xml"
LOGGING = ROOT / "deploy/kafka/log4j2.properties"
LIBS = ROOT / "build/kafka/libs"
OLDEST_JAVA = 17
INSTEAD = "or name a broker that runs already: KAFKA_BOOTSTRAP_SERVERS=host:port"


def fetch() -> Path:
    """Return the folder of Kafka's jars, fetching them first if pom.xml changed. Raises ServiceMissing."""
    check_java()
    LIBS.parent.mkdir(parents=True, exist_ok=True)
    with (LIBS.parent / "fetch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = LIBS / f"fetched-{hashlib.sha256(POM.read_bytes()).hexdigest()}"
        if not stamp.exists():
            shutil.rmtree(LIBS, ignore_errors=True)
            _run_maven()
            stamp.touch()
    return LIBS


def check_java() -> None:
    """Raise ServiceMissing unless `java` is new enough for Kafka 4."""
    java = shutil.which("java")
    if java is None:
        raise ServiceMissing(f"Kafka needs Java >= {OLDEST_JAVA}: apt-get install openjdk-17-jre-headless, {INSTEAD}")
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=True).stderr
    version = re.search(r'version "(\d+)', told)
    if version is None or int(version[1]) < OLDEST_JAVA:
        first_line = told.splitlines()[0]
        raise ServiceMissing(
            f"Kafka needs Java >= {OLDEST_JAVA}, found {first_line}: apt-get install openjdk-17-jre-headless, {INSTEAD}"
        )


def _run_maven() -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise ServiceMissing(f"Kafka's jars come through Maven: apt-get install maven, {INSTEAD}")
    done = subprocess.run(
        [maven, "--batch-mode", "--quiet", "--file", str(POM), "package"], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ServiceMissing(f"Maven could not resolve Kafka ({POM.name}); {INSTEAD}\n{done.stdout}{done.stderr}")
