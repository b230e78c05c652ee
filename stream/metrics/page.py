"""docs/metrics.md, made from the catalogue: `python -m stream.metrics.page docs/metrics.md`. A test compares the two.

Comes in: the catalogue. Goes out: one page, a line of meaning for each metric, every label with its known values.
"""

import sys
from pathlib import Path

from stream.metrics.catalogue import CATALOGUE, CLOSED, Metric

HEAD = """# Metrics

Made from `stream/metrics/catalogue.py` by `python -m stream.metrics.page docs/metrics.md`: change it there.

`GET /metrics` on `SKUSTREAM_HTTP_PORT` (9464), Prometheus's text or OpenMetrics. All names begin with `skustream_`;
units are base units; a gauge `..._timestamp_seconds` is a Unix time, so that ages are computed where they are asked
for, by `time() - ...`. Series with known labels exist from the start and are 0 (a timestamp of nothing is NaN): a
ratio before the first failure is 0, not empty. No label holds an id or anything that an event brings along; what is
outside a label's values counts as `other`. Histograms are classic ones, and there are no `_created` series. Beside
these stand prometheus-client's own `process_*`.

Shown on [boards](boards.md). Alerts on them: [deploy/prometheus/rules](../deploy/prometheus/rules), each with a page
in the [runbook](runbook/README.md#alerts).
"""
FROM_PIPELINE = {
    "stage": "the stages this process runs",
    "topic": "the topics its stages read, retry topics among them",
    "operation": "the operations its stages buy",
    "request": "the operations its stages buy (a submit), and `poll`, `balance`, `usage`",
    "partition": "numbers of the partitions this process owns now; the one open set, and it goes with the partition",
    "version": "skustream's version", "python": "Python's version", "librdkafka": "librdkafka's version",
}  # fmt: skip


def page() -> str:
    """The whole page, as Markdown."""
    rows = "\n".join(_row(metric) for metric in CATALOGUE)
    sources = dict.fromkeys(label for metric in CATALOGUE for label in metric.labels)
    labels = "\n".join(f"| `{name}` | {_used_by(name, source)} | {_values(source)} |" for name, source in sources)
    buckets = "\n".join(f"| `{each.name}` | {_numbers(each.buckets)} |" for each in CATALOGUE if each.buckets)
    return (
        f"{HEAD}\n## Catalogue\n\n| metric | kind | labels | what it is | what to conclude |\n|---|---|---|---|---|\n"
        f"{rows}\n"
        f"\n## Labels\n\n| label | of | values |\n|---|---|---|\n{labels}\n"
        f"\n## Buckets\n\n| histogram | upper bounds |\n|---|---|\n{buckets}\n"
    )


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{name}`" for name in metric.label_names) or "-"
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} | {metric.meaning} |"


def _used_by(name: str, source: str) -> str:
    users = [metric.name for metric in CATALOGUE if (name, source) in metric.labels]
    return ", ".join(f"`{user}`" for user in users)


def _values(source: str) -> str:
    return FROM_PIPELINE.get(source) or ", ".join(f"`{value}`" for value in CLOSED[source])


def _numbers(bounds: tuple[float, ...]) -> str:
    return ", ".join(f"{bound:g}" for bound in bounds)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page())
