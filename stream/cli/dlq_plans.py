"""What a plan looks like: a table for a person, a document for a script.

Comes in: a plan, and what became of it. Goes out: words; foreign ones among them cannot steer the terminal.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from stream.replays.plan import Plan
    from stream.replays.sending import Done

MINUTE, HOUR, DAY = 60, 3600, 86_400


def plan_answer(plan: "Plan", *, missing: int) -> dict[str, Any]:
    """The plan as JSON."""
    from stream.replays.held import WAYS_OUT  # noqa: PLC0415 - help stays quick

    return {
        "plan_id": plan.id,
        "letters": len(plan.returning),
        "credits": number(plan.credits),
        "credits_are_at_most": bool(plan.at_most),
        "unpriced": list(plan.forecast.unpriced),
        "requests": plan.requests,
        "submits": plan.forecast.submits,
        "polls": plan.polls,
        "seconds_at_contract_rate": round(plan.seconds, 1),
        "bought_again": plan.bought_again,
        "end_superseded": plan.superseded,
        "by_reason_and_stage": [
            {"reason": line.reason, "stage": line.stage, "letters": line.letters, "credits": number(line.credits)}
            for line in plan.lines
        ],
        "jobs": [
            {"operation": line.operation, "jobs": line.jobs, "credits": number(line.credits)}
            for line in plan.forecast.lines
            if line.jobs
        ],
        "staying": [
            {"cause": cause.value, "letters": those.letters, "way_out": WAYS_OUT.get(cause),
             "examples": [{"letter": str(at), "why": why} for at, why in those.examples]}
            for cause, those in plan.staying.items()
        ],
        "missing": missing,
    }  # fmt: skip


def done_answer(done: "Done") -> dict[str, Any]:
    """What became of it, as JSON."""
    return {
        "written": done.written, "decided_since": done.decided, "fenced": done.is_fenced,
        "interrupted": done.is_interrupted, "trouble": done.trouble or None,
        "refused": {str(at): cause for at, cause in done.refused.items()},
    }  # fmt: skip


def tell_plan(plan: "Plan", *, missing: int) -> None:
    """On stdout."""
    from rich.console import Console  # noqa: PLC0415 - help stays quick

    from stream.letters.masking import printable  # noqa: PLC0415

    console = Console(highlight=False, markup=False)
    if plan.lines:
        console.print(_table(plan))
    for line in (*_figures(plan), *_staying(plan, missing)):
        console.print(printable(line), soft_wrap=True)


def _table(plan: "Plan") -> "Table":
    from rich import box  # noqa: PLC0415 - help stays quick
    from rich.table import Table  # noqa: PLC0415

    from stream.letters.masking import printable  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("reason")
    table.add_column("goes back to")
    for title in ("letters", "credits"):
        table.add_column(title, justify="right", no_wrap=True)
    for line in plan.lines:
        table.add_row(printable(line.reason), line.stage, f"{line.letters:,}", amount(line.credits))
    table.add_section()
    table.add_row("total", "", f"{len(plan.returning):,}", amount(plan.credits))
    return table


def _figures(plan: "Plan") -> Iterator[str]:
    if not plan.returning:
        yield "no letter goes back"
        return
    at_most = "at most " if plan.at_most else ""
    jobs = ", ".join(f"{line.jobs:,} {line.operation}" for line in plan.forecast.lines if line.jobs)
    yield f"credits   {at_most}{amount(plan.credits)}{f' ({jobs})' if jobs else ': everything is paid for'}"
    yield f"requests  {plan.requests:,}: {plan.forecast.submits:,} submits and {plan.polls:,} polls (reckoned)"
    yield f"finish    in {_duration(plan.seconds)} at the contract's rate, if nothing else needs it"
    if plan.at_most:
        yield f"at most   because which photo is meant is found out at the first stage: {letters(plan.at_most)}"
    if plan.forecast.unpriced:
        yield f"unpriced  {', '.join(plan.forecast.unpriced)}: not in the sum"
    if plan.bought_again:
        yield f"again     {plan.bought_again:,} of the jobs are bought although they may exist already (--buy-again)"
    if plan.superseded:
        yield f"stale     {letters(plan.superseded)} with a newer event of the image: these end superseded, unpaid"
    yield f"plan      {plan.id}"


def _staying(plan: "Plan", missing: int) -> Iterator[str]:
    from stream.replays.held import DECIDED, FAILS_AGAIN, WAYS_OUT  # noqa: PLC0415 - help stays quick

    for cause, those in plan.staying.items():
        if cause in DECIDED:
            yield f"stay      {those.letters:,}: {cause}"
            continue
        verb = "would fail again" if cause in FAILS_AGAIN else "cannot go back"
        yield f"stay      {those.letters:,} {verb}: {cause}; way out: {WAYS_OUT[cause]}"
        at, why = those.examples[0]
        yield f"          e.g. {at}: {why}"
    if missing:
        yield f"missing   {letters(missing)}: aged out, or never there"


def done_sentences(done: "Done", what: str) -> Iterator[str]:
    """What became of it; `what`: `put back`, or `discarded`."""
    yield f"{letters(done.written)} {what}"
    if done.decided:
        yield f"{done.decided:,} were decided about by somebody else since the plan, and were left alone"


def done_troubles(done: "Done", left: int) -> Iterator[str]:
    """What went wrong, for stderr. `left`: letters that stay although they were planned."""
    for cause, count in _causes(done).items():
        yield f"{letters(count)} not taken by Kafka: {cause}"
    again = "run the same command again: what is done is marked and is not done twice"
    if done.is_fenced:
        yield f"another operator began while this one was at work, and goes on; staying: {letters(left)}. {again}"
    elif done.trouble:
        yield f"Kafka: {done.trouble}; staying: {letters(left)}. {again}"
    elif done.is_interrupted:
        yield f"interrupted between two batches; staying: {letters(left)}. {again}"


def _causes(done: "Done") -> dict[str, int]:
    counts: dict[str, int] = {}
    for cause in done.refused.values():
        counts[cause] = counts.get(cause, 0) + 1
    return counts


def letters(count: int) -> str:
    """So many, as a person says it."""
    return f"{count:,} letter{'' if count == 1 else 's'}"


def number(value: Decimal | None) -> int | float | None:
    """A JSON number: whole where the amount is; None where there is no price."""
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)


def amount(value: Decimal) -> str:
    """Credits for a person."""
    return f"{int(value):,}" if value == value.to_integral_value() else f"{value.normalize():,f}"


def _duration(seconds: float) -> str:
    if seconds < 2 * MINUTE:
        return f"{max(1, round(seconds))} s"
    if seconds < 2 * HOUR:
        return f"{round(seconds / MINUTE)} min"
    return f"{seconds / HOUR:.1f} h" if seconds < 2 * DAY else f"{seconds / DAY:.1f} days"
