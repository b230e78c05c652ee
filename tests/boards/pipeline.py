"""The board for who is on call: from what users feel down to the process, causes below symptoms."""

from tests.boards import causes, health
from tests.boards.parts import Board, Variable, choice, source, words

CONSOLE = words("console", "Console", "http://127.0.0.1:9474")
RUNBOOK = words("runbook", "Runbook", "https://git.example.com/skustream/docs/runbook")
_INFO = "skustream_build_info"
_DEPLOYMENT = 'namespace=~"$namespace", job=~"$job"'


def places(*, is_hidden: bool = False) -> tuple[Variable, ...]:
    """Which Prometheus, workers and stages. Outside Kubernetes there is no namespace and no pod."""
    return (
        source(),
        choice("namespace", "Namespace", _INFO, is_hidden=is_hidden),
        choice("job", "Job", _INFO, 'namespace=~"$namespace"', everything=".+", is_hidden=is_hidden),
        choice("pod", "Pod", _INFO, _DEPLOYMENT, is_hidden=is_hidden),
        choice("stage", "Stage", "skustream_events_in_flight", _DEPLOYMENT, everything=".+", is_hidden=is_hidden),
    )


PIPELINE = Board(
    uid="skustream-pipeline",
    title="skustream / Pipeline",
    meaning="Is the pipeline well, and if not: why. Symptoms above, causes below; each panel says what to conclude.",
    rows=(
        health.SLO, health.TRAFFIC, health.LAG, health.STAGES,
        causes.API, causes.MONEY, causes.FAILURES, causes.KAFKA, health.PROCESS,
    ),
    variables=(
        *places(), CONSOLE, RUNBOOK,
    ),
    links=(("Console", "${console}"), ("Runbook", "${runbook}/README.md")),
    since="now-3h",
    refresh="30s",
)  # fmt: skip
