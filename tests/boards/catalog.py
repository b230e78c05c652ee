"""The board for the catalog team: how much is done, how well, at what price, until when. No word of Kafka.

Metrics carry no ids: what one batch or one SKU did stands in the console, and links lead there.
"""

from stream.metrics import catalogue
from tests.boards.parts import BLUE, GREEN, RED, YELLOW, Board, Panel, Query, Row, Shape
from tests.boards.pipeline import CONSOLE, RUNBOOK, places
from tests.boards.promql import gauge, grown, quantile, rate

LIVE = 'priority="live"'
DONE = 'outcome="completed"'
ENDED = 'outcome=~"completed|superseded|dead-letter"'
DECIDED = 'outcome=~"completed|dead-letter"'
PAID, REFUNDED = 'cause="spent"', 'cause="refunded"'
SHORTLY = "15m"
"""How far back the present speed is looked for."""

INTRODUCTION = """Figures of the whole catalog, over the time chosen above right. **One batch, one SKU, its pictures and
why it failed:** in the [console](${console}). A figure counts photos: a product with three photos counts three times.
"""


SPENT = f"({grown(catalogue.CREDITS, PAID)}\n- {grown(catalogue.CREDITS, REFUNDED)})"
LEFT = gauge(catalogue.LAG)

NOW = Row("Now", (
    Panel("About this board", "Where to read on.", shape=Shape.WORDS, words=INTRODUCTION, width=24, height=3),
    Panel(
        "SKUs finished", "Photos whose pictures are all made and published, in the time shown.", "short",
        (Query(grown(catalogue.FINISHED, DONE)),), Shape.FIGURE, width=4, height=5, base=BLUE, decimals=0,
        link=("Batches, in the console", "${console}"),
    ),
    Panel(
        "Success rate",
        "Finished ones among all that ended. What a newer photo overtook does not count.", "percentunit",
        (Query(f"{grown(catalogue.FINISHED, DONE)}\n/ ({grown(catalogue.FINISHED, DECIDED)} > 0)"),),
        Shape.FIGURE, width=4, height=5, base=RED, steps=((0.9, YELLOW), (0.98, GREEN)), empty="nothing ended",
        link=("What failed and why, in the console", "${console}/letters"),
    ),
    Panel(
        "SKUs per hour", "At the speed of the last quarter of an hour.", "short",
        (Query(f"4 * {grown(catalogue.FINISHED, DONE, over=SHORTLY)}"),),
        Shape.FIGURE, width=4, height=5, base=BLUE,
    ),
    Panel(
        "Still to do",
        "Photos that wait or are being worked on, at most: what is finished behind an unfinished one counts, too.",
        "short",
        (Query(LEFT),),
        Shape.FIGURE, width=4, height=5, base=BLUE, empty="nothing is known",
    ),
    Panel(
        "Finish", "When all that waits has ended at the latest, at the speed of the last quarter of an hour.",
        "dateTimeAsIso",
        (Query(f"1000 * (time() + 900 * {LEFT}\n/ ({grown(catalogue.FINISHED, ENDED, over=SHORTLY)} > 0))"),),
        Shape.FIGURE, width=4, height=5, base=BLUE, empty="nothing moves",
    ),
    Panel(
        "Credits per SKU", "Credits spent, less those refunded, for each finished one, in the time shown.", "short",
        (Query(f"{SPENT}\n/ ({grown(catalogue.FINISHED, DONE)} > 0)"),), Shape.FIGURE, width=4, height=5,
        base=BLUE, empty="none finished",
    ),
))  # fmt: skip

COURSE = Row("Course", (
    Panel(
        "SKUs per hour, moment by moment",
        "Finished, failed and overtaken by a newer photo, at the rate of each moment.", "short",
        (Query(f"3600 * {rate(catalogue.FINISHED, ENDED, by='outcome')}", "{{outcome}}"),), width=12, is_stacked=True,
    ),
    Panel(
        "Success rate, hour by hour",
        "Finished ones among all that ended, over the hour before each moment.", "percentunit",
        (Query(
            f"{grown(catalogue.FINISHED, DONE, over='1h')}\n"
            f"/ ({grown(catalogue.FINISHED, DECIDED, over='1h')} > 0)", "success",
        ),), width=12, most=1, steps=((0.98, GREEN),),
    ),
    Panel(
        "Still to do, by stage", "Photos that wait or are being worked on. It falls: a catalog is on its way.", "short",
        (Query(gauge(catalogue.LAG, by="stage"), "{{stage}}"),), width=12, is_stacked=True,
    ),
    Panel(
        "From photo to finished pictures",
        "How long it takes from the event to the last picture: half of them, and 95 of "
        "100, at most this. New photos only, no backfill.", "s", (
            Query(f"max({quantile(0.5, catalogue.EVENT_AGE, LIVE, by='stage')})", "half"),
            Query(f"max({quantile(0.95, catalogue.EVENT_AGE, LIVE, by='stage')})", "95 of 100"),
        ), width=12,
    ),
))  # fmt: skip

TOTALS = Row("Totals of the time shown", (
    Panel(
        "By priority and how they ended",
        "`live` are new photos, `backfill` whole catalogs, `replay` was put back by a "
        "person; `other` could not be read.", "short",
        (Query(f"sort_desc({grown(catalogue.FINISHED, ENDED, by='priority, outcome')} > 0)"),), Shape.TABLE, width=12,
        decimals=0,
        empty="nothing ended",
    ),
    Panel(
        "Why they failed", "Each reason has a page that says what it means and what to do.", "short",
        (Query(f"sort_desc({grown(catalogue.LETTERS, by='reason')} > 0)"),), Shape.TABLE, width=12, decimals=0,
        empty="nothing failed",
        link=("What the reasons mean", "${runbook}/README.md#letters"),
    ),
))  # fmt: skip

MONEY = Row("Money", (
    Panel(
        "Credits spent", "In the time shown, less those refunded.", "short", (Query(SPENT),), Shape.FIGURE,
        width=4, height=8, base=BLUE,
    ),
    Panel(
        "Credits saved", "What would have been paid for pictures that were bought before.", "short",
        (Query(grown(catalogue.CREDITS, 'cause="reused"')),), Shape.FIGURE, width=4, height=8,
    ),
    Panel(
        "Credits left", "On the account, when it was last asked. Some accounts tell none.", "short",
        (Query(gauge(catalogue.BALANCE, how="min")),), Shape.FIGURE, width=4, height=8, base=BLUE, empty="not told",
    ),
    Panel(
        "Credits per hour, by operation", "At the rate of each moment.", "short",
        (Query(f"3600 * {rate(catalogue.CREDITS, PAID, by='operation')}", "{{operation}}"),), width=12,
        is_stacked=True,
    ),
))  # fmt: skip

CATALOG = Board(
    uid="skustream-catalog",
    title="skustream / Catalog",
    meaning="How much of the catalog is done, how well, at what price and until when.",
    rows=(NOW, COURSE, TOTALS, MONEY),
    variables=(*places(is_hidden=True), CONSOLE, RUNBOOK),
    links=(("Console", "${console}"), ("What the reasons mean", "${runbook}/README.md#letters")),
    since="now-24h",
    refresh="1m",
)
