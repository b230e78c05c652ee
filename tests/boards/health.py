"""Rows of the pipeline's board that tell whether it is well: what users feel, what passes, what waits, and where."""

from stream.metrics import catalogue
from tests.boards.parts import BLUE, GREEN, RED, YELLOW, Panel, Query, Row, Shape
from tests.boards.promql import WINDOW, gauge, grown, named, quantile, rate, recorded, series, total

RUNBOOK = "${runbook}"
NO_RETRY = 'topic!~".+[.]retry[.].+"'
RETRY = 'topic=~".+[.]retry[.].+"'
WORKER, NAMED = "pod, instance", "{{pod}} {{instance}}"
NOT_POSTPONED = 'outcome!="postponed"'
LIVE = 'priority="live"'
FIRING = (
    'max by (severity, alertname, stage, resource, reason) '
    '(ALERTS{alertstate="firing", alertname=~"Skustream.+", namespace=~"$namespace|", job=~"$job|"})'
)  # fmt: skip
"""An alert about all workers has no job; it is shown whatever job is chosen."""


def page(alert: str) -> tuple[str, str]:
    """The runbook's page of an alert."""
    return f"Runbook: {alert}", f"{RUNBOOK}/{alert}.md"


SLO = Row("Is it well?", (
    Panel(
        "Events without a letter of ours, 1 h",
        "Objective: 99 %. Letters whose fault is the sender's do not count. The worst of the chosen stages.",
        "percentunit", (Query(f"1 - max({recorded('stage:skustream_events_failed:ratio_rate1h')})"),), Shape.FIGURE,
        width=5, height=5, base=RED, steps=((0.94, YELLOW), (0.99, GREEN)), empty="no events",
        link=page("SkustreamSuccessBurnFast"),
    ),
    Panel(
        "Live events within 15 minutes, 1 h",
        "Objective: 95 %. Counted from the record's time in the raw topic to the end of the stage. The worst stage.",
        "percentunit", (Query(f"1 - max({recorded('stage:skustream_events_late:ratio_rate1h')})"),), Shape.FIGURE,
        width=5, height=5, base=RED, steps=((0.7, YELLOW), (0.95, GREEN)), empty="no live events",
        link=page("SkustreamFreshnessBurnFast"),
    ),
    Panel(
        "Workers", "Processes that Prometheus reaches, and whose metrics it has.", "short",
        (Query(total(series(catalogue.BUILD), how="count")),), Shape.FIGURE, width=4, height=5, base=RED,
        steps=((1, GREEN),), empty="none", link=page("SkustreamAbsent"),
    ),
    Panel(
        "Alerts that fire now", "Each has a page in the runbook that says what to do: the page's name is the alert's.",
        "short", (Query(FIRING),), Shape.TABLE, width=10, height=5, empty="nothing fires",
        link=("Runbook", f"{RUNBOOK}/README.md"),
    ),
    Panel(
        "Letters of ours, share of the ended events",
        "By stage, over five minutes; the line is the objective's 1 %. It rises: look at the letters by reason, below.",
        "percentunit", (Query(recorded("stage:skustream_events_failed:ratio_rate5m"), "{{stage}}"),),
        steps=((0.01, RED),), link=page("SkustreamSuccessBurnSlow"),
    ),
    Panel(
        "Late live events, share",
        "Live events older than 15 minutes when they left the stage, over five minutes; the line is the allowed 5 %.",
        "percentunit", (Query(recorded("stage:skustream_events_late:ratio_rate5m"), "{{stage}}"),),
        steps=((0.05, RED),), link=page("SkustreamFreshnessBurnSlow"),
    ),
    Panel(
        "Age of live events at the end of a stage",
        "Since the record in the raw topic: waiting in Kafka, at the limiter and at PixelAPI, over all stages so far.",
        "s", (
            Query(quantile(0.5, catalogue.EVENT_AGE, LIVE, by="stage"), "{{stage}} half"),
            Query(quantile(0.95, catalogue.EVENT_AGE, LIVE, by="stage"), "{{stage}} 95 %"),
        ), steps=((900, RED),),
    ),
))  # fmt: skip

TRAFFIC = Row("Traffic", (
    Panel(
        "Records in", "Records taken into work, per minute, by stage. Repeated ones after a crash count again.", "cpm",
        (Query(f"60 * {rate(catalogue.RECEIVED, by='stage')}", "{{stage}}"),),
    ),
    Panel(
        "Records out", "Records that left a stage with their offset committed, per minute. Below what comes in: work "
        "piles up.", "cpm",
        (Query(f"60 * {rate(catalogue.FINISHED, NOT_POSTPONED, by='stage')}", "{{stage}}"),),
    ),
    Panel(
        "Ends by outcome",
        "`forwarded` goes to the next stage, `postponed` comes back, `superseded` was overtaken by a "
        "newer event of its image, `dead-letter` waits for a person.", "cpm",
        (Query(f"60 * {rate(catalogue.FINISHED, by='outcome')}", "{{outcome}}"),), is_stacked=True,
    ),
    Panel(
        "Events in flight",
        "Taken and not ended yet. At the lane's limit for long: quota, PixelAPI or the store is the "
        "bottleneck.", "short", (Query(gauge(catalogue.IN_FLIGHT, by="stage"), "{{stage}}"),), is_stacked=True,
    ),
    Panel(
        "Ends by priority", "Live events go first; backfill and replays take what is left. `other` could not be read.",
        "cpm", (Query(f"60 * {rate(catalogue.FINISHED, NOT_POSTPONED, by='priority')}", "{{priority}}"),),
        is_stacked=True,
    ),
    Panel(
        "Notifications that ask for nothing",
        "Entries of S3 notifications about removed objects and the like. Harmless; "
        "many of them: narrow the bucket's notification.", "cpm",
        (Query(f"60 * {rate(catalogue.IGNORED, by='stage')}", "{{stage}}"),),
    ),
))  # fmt: skip

LAG = Row("Lag", (
    Panel(
        "Records that wait",
        "Between the committed offset and the end, without retry topics. Rising with the limiter at "
        "its limit: the contract is too small, not the fleet.", "short",
        (Query(gauge(catalogue.LAG, NO_RETRY, by="stage"), "{{stage}}"),), is_stacked=True,
        link=page("SkustreamNoProgress"),
    ),
    Panel(
        "Records that wait to be due", "In the retry topics: postponed for a minute or ten, or put back by a person.",
        "short", (Query(gauge(catalogue.LAG, RETRY, by="stage"), "{{stage}}"),), is_stacked=True,
    ),
    Panel(
        "Age of the oldest open event",
        "What holds the committed offset back. A record's time is as old as the backlog: "
        "look whether it moves. No line: nothing is open.", "s",
        (Query(f"time() - {gauge(catalogue.OLDEST_OPEN, by='stage', how='min')}", "{{stage}}"),),
        link=page("SkustreamCommitStuck"),
    ),
    Panel(
        "Worst partitions",
        "The ten partitions with the most waiting records. One alone: a key is hot, or its owner is "
        "stuck.", "short",
        (Query(f"topk(10, {gauge(catalogue.LAG, NO_RETRY, by='topic, partition')})", "{{topic}}/{{partition}}"),),
        width=12,
    ),
    Panel(
        "Records committed", "Per minute. Standing still while events are open: commits are stuck.", "cpm",
        (Query(f"60 * {rate(catalogue.COMMITTED, by='stage')}", "{{stage}}"),), width=12,
        link=page("SkustreamCommitStuck"),
    ),
))  # fmt: skip

STAGES = Row("Stages", (
    Panel(
        "Stopped by a flood of letters",
        "A stage that wrote its budget of letters of one reason waits instead. It goes on "
        "once events succeed, or by `skustream dlq resume`.", "short",
        (Query(gauge(catalogue.FLOOD_STOPPED, by="stage", how="max"), "{{stage}}"),), Shape.STATES, width=12, height=6,
        steps=((1, RED),), names={"0": "runs", "1": "stopped"}, link=page("SkustreamFloodStopped"),
    ),
    Panel(
        "Intake paused",
        "Something around the workers is missing: events wait in Kafka, nothing is lost. Credits and key "
        "need a person, an outage needs time.", "short",
        (Query(gauge(catalogue.PAUSED, by="resource", how="max"), "{{resource}}"),), Shape.STATES, width=12, height=6,
        steps=((1, RED),), names={"0": "there", "1": "missing"}, link=page("SkustreamIntakePaused"),
    ),
    Panel(
        "Tries again, by cause", "`throttled`: the pace is wrong; `unavailable`: the world is down; neither spends an "
        "attempt. `transient` does.", "cpm",
        (Query(f"60 * {rate(catalogue.RETRIES, by='stage, cause')}", "{{stage}} {{cause}}"),),
    ),
    Panel(
        "Letters that came back",
        "Replays by people, as they are worked on. Set them against the new letters.", "short",
        (Query(grown(catalogue.REPLAYS, by="stage", over=WINDOW), "{{stage}}"),),
    ),
    Panel(
        "Seconds since something moved", "Of the worker that has stood still the longest. With lag and no progress for "
        "minutes, it is stuck.", "s",
        (Query(f"time() - {gauge(catalogue.PROGRESS, by=WORKER, how='min')}", NAMED),),
        link=page("SkustreamNoProgress"),
    ),
))  # fmt: skip

PROCESS = Row("Process", (
    Panel(
        "CPU", "Cores in use, by worker. One is all that the loop can have; pictures and Kafka take more.", "short",
        (Query(total(f"rate({named('process_cpu_seconds_total')}[{WINDOW}])", WORKER), NAMED),),
    ),
    Panel(
        "Memory",
        "Resident bytes, by worker. Near the pod's limit: fewer events in flight, or a larger limit.", "bytes",
        (Query(total(named("process_resident_memory_bytes"), WORKER), NAMED),),
    ),
    Panel(
        "Open files", "Sockets and files, by worker. It should level off.", "short",
        (Query(total(named("process_open_fds"), WORKER), NAMED),),
    ),
    Panel(
        "Uptime", "Since the start of the process. A saw: look at `kubectl describe pod` for why it ends.", "s",
        (Query(f"time() - {total(named('process_start_time_seconds'), WORKER, 'min')}", NAMED),),
        width=12,
    ),
    Panel(
        "Versions", "What each worker runs; two of them only during a roll-out.", "short",
        (Query(total(series(catalogue.BUILD), "version, python, librdkafka", "count")),), Shape.TABLE, width=12,
        decimals=0,
        base=BLUE,
    ),
    Panel(
        "Spans of traces", "Told to the collector, refused by it, or dropped because too many waited, per minute. All "
        "zero without tracing; what is lost is missing in traces and nowhere else.",
        "cpm", (Query(f"60 * {rate(catalogue.SPANS, by='outcome')}", "{{outcome}}"),), width=24,
    ),
))  # fmt: skip
