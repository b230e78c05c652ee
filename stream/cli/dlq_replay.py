"""`skustream dlq replay`: the plan with its price, the approval, and letters put back exactly once."""

import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stream.cli.dlq_choosing import All, By, Choice, Ids, IdsFrom, Rate, choice_of
from stream.cli.dlq_filters import Wanted, Which, filtered
from stream.cli.dlq_looking import say, topic_of
from stream.cli.dlq_plans import done_answer, done_sentences, done_troubles, letters, plan_answer, tell_plan
from stream.cli.front import AsJson, Config, Exit, PipelineFile, Servers, Store, TopicPrefix, say_json
from stream.cli.stopping import told_to_stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stream.replays.bench import Bench
    from stream.replays.marks import Marks
    from stream.replays.plan import Plan
    from stream.replays.reentry import Wish
    from stream.replays.sending import Decision, Done, Pace
    from stream.settings import Settings

    Bar = Callable[[int, int | None], None]

ASK_ABOVE = 100
"""Credits, and letters."""
EXAMPLES = """Examples:

  skustream dlq replay --reason retries-exhausted --since 2h --dry-run

  skustream dlq replay --stage upscale --set params.upscale.scale=2

  skustream dlq replay --reason ambiguous-submit --buy-again --approve 12-840-5b1f0c9ad3e7-90aa41c2d8f6

  skustream dlq replay product-images.dead-letter/0/17 --from raw --set raw_url=https://a.example/b.jpg --set version=2

Letters that would only fail again stay where they are, with the way out. What was put back is marked and is never put
back twice: an interrupted replay is resumed by the same command. Exits 1 when nothing was sent because the plan was not
approved, or differs from the one approved; when another operator took over; when Kafka refused a letter.
"""


@filtered(Which.ANY)
def replay(
    *,
    ids: Ids = None,
    wanted: Wanted,
    ids_from: IdsFrom = None,
    everything: All = False,
    from_: Annotated[
        Literal["raw"] | None,
        typer.Option("--from", help="raw: begin anew at the first stage."),
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the raw event; may be repeated."),
    ] = None,
    mend: Annotated[
        str | None,
        typer.Option(metavar="MODULE:FUNCTION", help="A Python function, dict to dict or None."),
    ] = None,
    buy_again: Annotated[
        bool, typer.Option("--buy-again", help="Buy jobs again whose submit's answer was lost, once each.")
    ] = False,
    max_replays: Annotated[int, typer.Option(min=1, max=1_000, help="An event goes back so often at most.")] = 3,
    include_failing: Annotated[
        bool, typer.Option("--include-failing", help="Also those that would fail again, as the ledger tells now.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only the plan and its price.")] = False,
    ask_above: Annotated[float, typer.Option(min=0, help="Ask above so many credits, or so many letters.")] = ASK_ABOVE,
    approve: Annotated[str | None, typer.Option(metavar="PLAN_ID", help="Do it if this is still the plan.")] = None,
    rate: Rate = None,
    why: Annotated[str, typer.Option(help="Why, for the mark.")] = "",
    by: By = None,
    config: Config = None,
    pipeline: PipelineFile = None,
    bootstrap_servers: Servers = None,
    topic_prefix: TopicPrefix = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Put letters back where they failed, at the lowest priority, with what is paid for already; the plan comes first.

    It tells the credits that are still needed (the ledger is asked), the requests, when it would be finished at the
    contract's rate, and which letters would fail again. Above a threshold it asks, or needs --approve PLAN_ID.
    """
    from stream import doors, settings  # noqa: PLC0415 - help stays quick
    from stream.catalog.submitting import person  # noqa: PLC0415
    from stream.pipeline import load_pipeline  # noqa: PLC0415
    from stream.replays.bench import Bench  # noqa: PLC0415
    from stream.replays.mending import parse_mends  # noqa: PLC0415
    from stream.replays.reentry import Wish  # noqa: PLC0415

    chosen = settings.load({
        "config": config, "pipeline": pipeline, "kafka_bootstrap_servers": bootstrap_servers,
        "topic_prefix": topic_prefix, "store": store,
    })  # fmt: skip
    choice = choice_of(wanted, ids, ids_from, everything=everything, topic=topic_of(chosen, wanted.topic))
    wish = Wish(
        from_raw=from_ == "raw", mends=parse_mends(sets or [], mend), buy_again=buy_again, max_replays=max_replays,
        include_failing=include_failing,
    )  # fmt: skip
    terms = Terms(dry_run, ask_above, approve, as_json)
    with Bench(doors.bench_of(chosen, load_pipeline(chosen.pipeline)), wish) as bench:
        plan = _planned(bench, choice, chosen)
        _agree(plan, choice, terms, wish)
        done = _sent(bench, plan, _decision(plan, choice, wish, by or person(), why), rate)
    _conclude(plan, choice, done, terms)


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which a plan is carried out."""

    is_dry: bool
    ask_above: float
    approved: str | None
    as_json: bool


def _planned(bench: "Bench", choice: Choice, chosen: "Settings") -> "Plan":
    with bars() as bar:
        marks = bench.marks(bar("reading marks"))
        tell_unreadable(marks)
        reading, asking = bar("reading letters"), bar("asking the ledger")
        return bench.plan(choice.letters(chosen, marks, reading), marks, lambda count: asking(count, None))


def tell_unreadable(marks: "Marks") -> None:
    """Somebody else wrote into the topic of marks."""
    if marks.unreadable:
        say(f"{marks.unreadable:,} records in the topic of marks are none, and are ignored")


def _agree(plan: "Plan", choice: Choice, terms: Terms, wish: "Wish") -> None:
    """Tell the plan; leave here, unless it is to be carried out."""
    if not terms.as_json:
        tell_plan(plan, missing=choice.missing)
    refusal = None if terms.is_dry or not plan.returning else _refusal(plan, terms, wish)
    if terms.is_dry or refusal or not plan.returning:
        if terms.as_json:
            say_json({"plan": plan_answer(plan, missing=choice.missing), "done": None})
        for sentence in refusal or []:
            say(sentence)
        raise typer.Exit(Exit.FAILED if refusal else Exit.OK)


def _refusal(plan: "Plan", terms: Terms, wish: "Wish") -> list[str]:
    """Why nothing is sent; empty where the plan is approved."""
    from stream.replays.plan import changes  # noqa: PLC0415 - help stays quick

    if terms.approved is not None:
        told = changes(terms.approved, plan)
        return [f"nothing was put back, the plan has changed: {'; '.join(told)}"] if told else []
    if not _is_large(plan, terms.ask_above) and not wish.buy_again:
        return []
    if sys.stdin.isatty() and sys.stderr.isatty():
        price = f"{plan.credits.normalize():f} credits"
        agreed = typer.confirm(f"Put {letters(len(plan.returning))} back for {price}?", default=False, err=True)
        return [] if agreed else ["nothing was put back"]
    return [f"nothing was put back: this plan needs approval, e.g. --approve {plan.id}"]


def _is_large(plan: "Plan", ask_above: float) -> bool:
    return plan.credits > ask_above or len(plan.returning) > ask_above or bool(plan.forecast.unpriced)


def _decision(plan: "Plan", choice: Choice, wish: "Wish", by: str, why: str) -> "Decision":
    from stream.replays.sending import Decision  # noqa: PLC0415 - help stays quick

    words = [str(choice), "from raw" if wish.from_raw else "", wish.mends.told, "buy again" if wish.buy_again else ""]
    return Decision(by=by, why=why, filter="; ".join(word for word in words if word), plan_id=plan.id)


def _sent(bench: "Bench", plan: "Plan", decision: "Decision", rate: float | None) -> "Done":
    if not bench.is_transactional:
        say("delivery is at-least-once here: killed in the middle, a replay may put a letter back twice")
    total = len(plan.returning)
    with told_to_stop() as told, bars() as bar:
        return bench.put_back(plan.returning, decision, pace_of(rate, told, bar("putting back"), total))


def pace_of(rate: float | None, told: "Callable[[], bool]", progress: "Bar", total: int) -> "Pace":
    """As typed."""
    from stream.replays.sending import Pace  # noqa: PLC0415 - help stays quick

    return Pace(rate, told, time.sleep, lambda count: progress(count, total))


def _conclude(plan: "Plan", choice: Choice, done: "Done", terms: Terms) -> None:
    left = len(plan.returning) - done.written - done.decided - len(done.refused)
    if terms.as_json:
        say_json({"plan": plan_answer(plan, missing=choice.missing), "done": done_answer(done)})
    else:
        for sentence in done_sentences(done, "put back"):
            typer.echo(sentence)
    for sentence in done_troubles(done, left):
        say(sentence)
    raise typer.Exit(exit_of(done))


def exit_of(done: "Done") -> Exit:
    """What a script is told."""
    if done.is_interrupted:
        return Exit.INTERRUPTED
    if done.trouble:
        return Exit.UNAVAILABLE
    return Exit.FAILED if done.is_fenced or done.refused else Exit.OK


@contextmanager
def bars() -> "Iterator[Callable[[str], Bar]]":
    """Bars on stderr where that is a terminal; each is told how far it is, and of how much (None: nobody knows)."""
    from rich.console import Console  # noqa: PLC0415 - help stays quick
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<17}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:

        def begin(what: str) -> "Bar":
            task = progress.add_task(what, total=None)
            return lambda passed, total: progress.update(task, completed=passed, total=total)

        yield begin
