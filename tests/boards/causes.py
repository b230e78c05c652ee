"""Rows of the pipeline's board that tell why: PixelAPI and the store, quota and money, failures, the Kafka client."""

from stream.metrics import catalogue
from tests.boards.health import NAMED, NOT_POSTPONED, WORKER, page
from tests.boards.parts import RED, YELLOW, Panel, Query, Row, Shape
from tests.boards.promql import WINDOW, gauge, grown, mean, quantile, rate, total

NOT_GOOD = 'code!~"20."'
PAID, REFUNDED = 'cause="spent"', 'cause="refunded"'

API = Row("PixelAPI and the store", (
    Panel(
        "Requests",
        "Per minute, by what is asked: operations are submits. All of them count against the contract.", "cpm",
        (Query(f"60 * {rate(catalogue.REQUEST_SECONDS, by='request', part='count')}", "{{request}}"),), is_stacked=True,
    ),
    Panel(
        "Answers that are not good",
        "Per minute, by status code. `lost`: no answer came; of a submit that is ambiguous.",
        "cpm", (Query(f"60 * {rate(catalogue.REQUEST_SECONDS, NOT_GOOD, by='code', part='count')}", "{{code}}"),),
        is_stacked=True, link=page("SkustreamContractBreached"),
    ),
    Panel(
        "Time to an answer", "95 % of requests are answered within this.", "s",
        (Query(quantile(0.95, catalogue.REQUEST_SECONDS, by="request"), "{{request}}"),),
    ),
    Panel(
        "Time of a job", "From the submit to the final state: PixelAPI's own speed.", "s", (
            Query(quantile(0.5, catalogue.JOB_SECONDS, by="operation"), "{{operation}} half"),
            Query(quantile(0.95, catalogue.JOB_SECONDS, by="operation"), "{{operation}} 95 %"),
        ),
    ),
    Panel(
        "Jobs by final state",
        "Per minute. `failed` is PixelAPI's word, `blocked` its safety filter's, `overdue` ours.",
        "cpm", (Query(f"60 * {rate(catalogue.JOB_SECONDS, by='state', part='count')}", "{{state}}"),), is_stacked=True,
    ),
    Panel(
        "Polls per job", "Each costs a request. Above three, the poll timing has not learned the operation.", "short",
        (Query(mean(catalogue.JOB_POLLS, by="operation"), "{{operation}}"),), steps=((3, YELLOW),),
    ),
    Panel(
        "Time of a store call", "95 % of the calls to the object store are done within this; their tail delays every "
        "event.", "s", (Query(quantile(0.95, catalogue.STORE_SECONDS, by="action"), "{{action}}"),), width=12,
    ),
    Panel(
        "Store calls that failed", "In the end, after their own retries, per minute. Intake pauses while this goes on.",
        "cpm", (Query(f"60 * {rate(catalogue.STORE_FAILURES, by='action')}", "{{action}}"),), width=12,
        link=page("SkustreamStoreFailing"),
    ),
))  # fmt: skip

MONEY = Row("Quota and money", (
    Panel(
        "Use of the contract", "Requests sent, as a share of what the contract of the chosen workers allows. Low with "
        "records that wait: something else is the bottleneck.", "percentunit", (
            Query(
                f"{rate(catalogue.REQUEST_SECONDS, part='count')}\n* {gauge(catalogue.LIMITER_WINDOW, how='max')}\n"
                f"/ {gauge(catalogue.LIMITER_LIMIT)}", "sent",
            ),
            Query(f"{gauge(catalogue.LIMITER_USED)}\n/ {gauge(catalogue.LIMITER_LIMIT)}", "charged to the window"),
        ), most=1.1, steps=((1, RED),), link=page("SkustreamQuotaUnused"),
    ),
    Panel(
        "Requests in a window",
        "What the chosen workers sent in their windows, what their shares allow, and the whole contract.", "short", (
            Query(gauge(catalogue.LIMITER_USED), "used"),
            Query(gauge(catalogue.LIMITER_LIMIT), "shares of the chosen workers"),
            Query(gauge(catalogue.LIMITER_CONTRACT, how="max"), "contract"),
        ), link=page("SkustreamContractOvercut"),
    ),
    Panel(
        "Workers of use",
        "As many as the lag keeps busy within the contract's shares. It does not grow "
        "where the contract is the bottleneck.", "short", (
            Query(f"ceil({gauge(catalogue.USEFUL_REPLICAS, by='stage')})", "{{stage}}"),
            Query(gauge(catalogue.BUILD, how="count"), "running"),
        ),
    ),
    Panel(
        "Wait for a grant", "95 % wait at most this for the limiter. Submits that wait: the quota at work. Polls that "
        "wait: results come late.", "s", (Query(quantile(0.95, catalogue.LIMITER_WAIT, by="kind"), "{{kind}}"),),
    ),
    Panel(
        "Asks that wait",
        "For their grant, now, by worker. Many for long with the contract used up: it is the bottleneck.", "short",
        (Query(gauge(catalogue.LIMITER_WAITING, by=WORKER), NAMED),), is_stacked=True,
    ),
    Panel(
        "Running jobs", "Jobs that hold a slot at PixelAPI, by worker.", "short",
        (Query(gauge(catalogue.RUNNING_JOBS, by=WORKER), NAMED),), is_stacked=True,
    ),
    Panel(
        "Balance",
        "Credits left on the account, when it was last asked; every quarter of an hour, and some accounts tell none.",
        "short", (Query(gauge(catalogue.BALANCE, how="min")),), Shape.FIGURE, width=3, height=4, empty="not told",
        link=page("SkustreamCreditsRunOut"),
    ),
    Panel(
        "Balance told", "When that was: a balance of hours ago says little.", "dateTimeAsIso",
        (Query(f"1000 * {gauge(catalogue.BALANCE_TIME, how='max')}"),), Shape.FIGURE, width=3, height=4, empty="never",
    ),
    Panel(
        "Spent", "Credits charged, less those refunded, in the time shown.", "short",
        (Query(f"{grown(catalogue.CREDITS, PAID)}\n- {grown(catalogue.CREDITS, REFUNDED)}"),),
        Shape.FIGURE, width=3, height=4,
    ),
    Panel(
        "Saved", "Credits that an earlier job spared: events sent again cost nothing.", "short",
        (Query(grown(catalogue.CREDITS, 'cause="reused"')),), Shape.FIGURE, width=3, height=4,
    ),
    Panel(
        "In doubt", "Credits of submits whose answer was lost, in the time shown. They wait for a person.", "short",
        (Query(grown(catalogue.CREDITS, 'cause="ambiguous"')),), Shape.FIGURE, width=3, height=4,
        steps=((1, RED),), link=page("SkustreamAmbiguousSubmits"),
    ),
    Panel(
        "Prices unlike the book's", "Jobs charged otherwise than the price book says, in the time shown.", "short",
        (Query(grown(catalogue.PRICE_MISMATCH)),), Shape.FIGURE, width=3, height=4, decimals=0, steps=((1, YELLOW),),
    ),
    Panel(
        "429s", "Answers that said: too many requests, in the time shown. In steady state there is none.", "short",
        (Query(grown(catalogue.REQUEST_SECONDS, 'code="429"', part="count")),), Shape.FIGURE, width=3, height=4,
        decimals=0,
        steps=((1, RED),), link=page("SkustreamContractBreached"),
    ),
    Panel(
        "402s", "Answers that said: no credits, in the time shown. Intake pauses until there are some.", "short",
        (Query(grown(catalogue.REQUEST_SECONDS, 'code="402"', part="count")),), Shape.FIGURE, width=3, height=4,
        decimals=0,
        steps=((1, RED),), link=page("SkustreamOutOfCredits"),
    ),
    Panel(
        "Credits per hour, by cause", "At the present rate. `reused` was not paid, `ambiguous` may have been paid for "
        "nothing.", "short", (Query(f"3600 * {rate(catalogue.CREDITS, by='cause')}", "{{cause}}"),), width=12,
    ),
    Panel(
        "Credits spent per hour, by operation", "At the present rate.", "short",
        (Query(f"3600 * {rate(catalogue.CREDITS, PAID, by='operation')}", "{{operation}}"),),
        width=12, is_stacked=True,
    ),
))  # fmt: skip

FAILURES = Row("Failures", (
    Panel(
        "Letters by reason",
        "Acknowledged by Kafka, per minute. One reason at once is a cause, many are a catalog; each "
        "has a page in the runbook.", "cpm",
        (Query(f"60 * {rate(catalogue.LETTERS, by='reason')}", "{{reason}}"),), width=12, is_stacked=True,
        link=page("SkustreamDeadLetters"),
    ),
    Panel(
        "Letters by stage", "Where they were written, per minute.", "cpm",
        (Query(f"60 * {rate(catalogue.LETTERS, by='stage')}", "{{stage}}"),), width=12, is_stacked=True,
        link=("The letters, in the console", "${console}/letters"),
    ),
    Panel(
        "Letters in the time shown",
        "What to look at first: `skustream dlq stats` says the same of the topic.", "short",
        (Query(f"sort_desc({grown(catalogue.LETTERS, by='stage, reason')} > 0)"),), Shape.TABLE, width=12, decimals=0,
        empty="no letters", link=("Runbook: letters", "${runbook}/README.md#letters"),
    ),
    Panel(
        "Share of events that become letters", "Whatever the reason, over an hour; an alert rings above a fifth.",
        "percentunit", (Query(
            f"{grown(catalogue.LETTERS, by='stage', over='1h')}\n"
            f"/ ({grown(catalogue.FINISHED, NOT_POSTPONED, by='stage', over='1h')} > 0)", "{{stage}}",
        ),), width=12, steps=((0.2, RED),), link=page("SkustreamDeadLetters"),
    ),
))  # fmt: skip

KAFKA = Row("Kafka client", (
    Panel(
        "Time of a commit",
        "Outputs and offsets in one transaction. Slow ones hold back every reader behind them: look "
        "at the brokers.", "s", (
            Query(quantile(0.5, catalogue.COMMIT_SECONDS, by="stage"), "{{stage}} half"),
            Query(quantile(0.95, catalogue.COMMIT_SECONDS, by="stage"), "{{stage}} 95 %"),
        ),
    ),
    Panel(
        "Commits", "Per minute, by stage.", "cpm",
        (Query(f"60 * {rate(catalogue.COMMIT_SECONDS, by='stage', part='count')}", "{{stage}}"),),
    ),
    Panel(
        "Transactions aborted",
        "The work is delivered again, never bought again. A steady rate wants the brokers looked "
        "at.", "short", (Query(grown(catalogue.ABORTS, by="cause", over=WINDOW), "{{cause}}"),),
    ),
    Panel(
        "Rebalances", "Partitions that came and went. `lost`: the group gave a worker up.", "short",
        (Query(grown(catalogue.REBALANCES, by="event", over=WINDOW), "{{event}}"),), width=12,
    ),
    Panel(
        "Partitions owned",
        "By stage, over the chosen workers: fewer than the topics have means that nobody reads some.",
        "short",
        (Query(total(gauge(catalogue.LAG, by="stage, topic, partition", how="max"), "stage", "count"), "{{stage}}"),),
        width=12,
    ),
))  # fmt: skip
