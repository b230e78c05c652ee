"""Queries of boards, put together from the catalogue: a metric or a label that is not there cannot be asked.

Comes in: a metric of the catalogue, labels to keep, matchers. Goes out: PromQL with Grafana's variables in it. Every
query is narrowed by the board's variables; by the stage, too, where the metric has one.
"""

import re

from stream.metrics.catalogue import Kind, Metric

VARIABLES = ("namespace", "job", "pod")
"""Labels that Prometheus puts on, by which every board is narrowed."""
WINDOW = "$__rate_interval"
"""What Grafana makes long enough for any scrape interval and any zoom."""
SHOWN = "$__range"
"""All that the board shows."""

_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"[^"]*"')


def series(metric: Metric, *asked: str, part: str = "") -> str:
    """The selector of a metric; `asked`: matchers such as `code="429"`; `part`: `bucket`, `sum` or `count`.

    Raises ValueError for a label that the metric does not have, a matcher that is none, a wrong part.
    """
    if (metric.kind is Kind.HISTOGRAM) != (part in {"bucket", "sum", "count"}):
        raise ValueError(f"{metric.name}: a histogram is asked by its parts, and nothing else is")
    for matcher in asked:
        found = _MATCHER.fullmatch(matcher)
        if found is None or found[1] not in (*metric.label_names, "le"):
            raise ValueError(f"{metric.name} cannot be asked for {matcher}")
    own = ("stage",) if "stage" in metric.label_names else ()
    return named(f"{metric.name}_{part}" if part else metric.name, *asked, by=(*VARIABLES, *own))


def named(name: str, *asked: str, by: tuple[str, ...] = VARIABLES) -> str:
    """The selector of a series that is not the catalogue's: the process's own, or what a rule records."""
    narrowed = [f'{label}=~"${label}"' for label in by]
    return f"{name}{{{', '.join([*narrowed, *asked])}}}"


def recorded(name: str) -> str:
    """What a rule records by stage; rules keep no pod."""
    return named(name, by=("namespace", "job", "stage"))


def total(expr: str, by: str = "", how: str = "sum") -> str:
    """An aggregate that keeps the labels of `by`; of everything without any."""
    return f"{how} by ({by}) ({expr})" if by else f"{how}({expr})"


def rate(metric: Metric, *asked: str, by: str = "", part: str = "") -> str:
    """Per second, now."""
    return total(f"rate({series(metric, *asked, part=part)}[{WINDOW}])", by)


def grown(metric: Metric, *asked: str, by: str = "", part: str = "", over: str = SHOWN) -> str:
    """How much was counted in a time."""
    return total(f"increase({series(metric, *asked, part=part)}[{over}])", by)


def gauge(metric: Metric, *asked: str, by: str = "", how: str = "sum") -> str:
    """A gauge, summed unless told otherwise."""
    return total(series(metric, *asked), by, how)


def quantile(share: float, metric: Metric, *asked: str, by: str = "") -> str:
    """That share of a histogram's observations is at most this."""
    kept = f"le, {by}" if by else "le"
    return f"histogram_quantile({share:g}, {rate(metric, *asked, by=kept, part='bucket')})"


def mean(metric: Metric, *asked: str, by: str = "") -> str:
    """A histogram's mean."""
    return f"{rate(metric, *asked, by=by, part='sum')}\n/ {rate(metric, *asked, by=by, part='count')}"
