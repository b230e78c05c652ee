"""What is said otherwise on this machine than in the containers of `docker-compose.yml`: addresses, pace, programs.

`stack.py` applies it, word by word; nothing else is changed.
"""

from collections.abc import Mapping

ADDRESSES = (
    # as the containers say it → as this machine says it
    ("://:19092", "://127.0.0.1:{inside}"),
    ("://:9092", "://127.0.0.1:{outside}"),
    ("://:9093", "://127.0.0.1:{controller}"),
    ("kafka:19092", "127.0.0.1:{inside}"),
    ("kafka:9093", "127.0.0.1:{controller}"),
    ("127.0.0.1:9092", "127.0.0.1:{outside}"),
    # By name, not by number, as in the containers: names are judged otherwise than addresses.
    ("seaweedfs:8333", "localhost:{s3}"),
    ("simulator:8089", "localhost:{simulator}"),
    ("127.0.0.1:8333", "127.0.0.1:{s3}"),
    ("127.0.0.1:8089", "127.0.0.1:{simulator}"),
    ("127.0.0.1:9464", "127.0.0.1:{probes}"),
    ("127.0.0.1:9474", "127.0.0.1:{console}"),
    ("127.0.0.1:9090", "127.0.0.1:{prometheus}"),
    ("127.0.0.1:9093", "127.0.0.1:{alertmanager}"),
    ("worker:9464", "127.0.0.1:{probes}"),
    ("alertmanager:9093", "127.0.0.1:{alertmanager}"),
    ("listen-address=:9090", "listen-address=127.0.0.1:{prometheus}"),
    ("listen-address=:9093", "listen-address=127.0.0.1:{alertmanager}"),
    ("-ip=seaweedfs", "-ip=localhost"),
    ("-ip.bind=0.0.0.0", "-ip.bind=127.0.0.1"),
    ("--host=0.0.0.0", "--host=127.0.0.1"),
    ("-s3.port=8333", "-s3.port={s3}"),
    ("--port=8089", "--port={simulator}"),
)
# No test waits for a minute to pass: short jobs, a contract that does not bind, no closed first window.
PACE_OF_COMMANDS: Mapping[str, str | None] = {
    "--realistic": None, "--requests-per-minute=60": "--requests-per-minute=6000",
}  # fmt: skip
PACE_OF_THE_WORKER = {
    "SKUSTREAM_QUOTA_REQUESTS": "600", "SKUSTREAM_QUOTA_WINDOW_SECONDS": "6",
    "SKUSTREAM_QUOTA_STARTS_CLOSED": "false", "SKUSTREAM_POLL_FIRST_SECONDS": "0.5",
}  # fmt: skip
PACE_OF_FILES = {"_interval: 15s": "_interval: 1s"}
# Programs under the names that Debian gives them.
PROGRAMS = {"prometheus": ("prometheus",), "alertmanager": ("prometheus-alertmanager", "alertmanager")}
NOT_TO_BE_HAD = {"grafana"}
# Variables the image's start script takes for itself (KafkaDockerWrapper): no settings of the broker.
NOT_PROPERTIES = {"KAFKA_HEAP_OPTS", "KAFKA_OPTS", "KAFKA_JMX_OPTS", "KAFKA_LOG4J_OPTS", "KAFKA_LOG4J_ROOT_LOGLEVEL"}


def kafka_properties(environment: Mapping[str, str]) -> dict[str, str]:
    """The image's rule: KAFKA_A_B is a.b, two underscores are one, three are a dash."""
    return {
        name.removeprefix("KAFKA_").lower().replace("_", ".").replace("...", "-").replace("..", "_"): value
        for name, value in environment.items()
        if name.startswith("KAFKA_") and name not in NOT_PROPERTIES
    }
