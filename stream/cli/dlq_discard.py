"""`skustream dlq discard`: letters that nobody need look at again, marked with who and why. Nothing is deleted."""

import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream.cli.dlq_choosing import All, By, Choice, Ids, IdsFrom, choice_of
from stream.cli.dlq_filters import Wanted, Which, filtered
from stream.cli.dlq_looking import say, topic_of
from stream.cli.dlq_plans import done_answer, done_sentences, done_troubles
from stream.cli.dlq_replay import bars, exit_of, pace_of, tell_unreadable
from stream.cli.front import AsJson, Config, Exit, Servers, TopicPrefix, say_json
from stream.cli.stopping import told_to_stop
from stream.core.errors import Misconfigured

if TYPE_CHECKING:
    from stream.letters.letter import LetterId
    from stream.replays.bench import Bench
    from stream.replays.sending import Done
    from stream.settings import Settings

EXAMPLES = """Examples:

  skustream dlq discard --reason source-missing --batch spring --why "never photographed" --dry-run

  skustream dlq discard product-images.dead-letter/0/17 --why "the product is gone" --yes

The letters stay in their topic until its retention takes them; list and replay pass them over from now on.
"""
Tally = Counter[tuple[str, str]]


@filtered(Which.ANY)
def discard(
    *,
    ids: Ids = None,
    wanted: Wanted,
    why: Annotated[str, typer.Option(help="Why, for the mark.", show_default=False)],
    ids_from: IdsFrom = None,
    everything: All = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    by: By = None,
    config: Config = None,
    bootstrap_servers: Servers = None,
    topic_prefix: TopicPrefix = None,
    as_json: AsJson = False,
) -> None:
    """Mark letters as discarded, with who and why. It says what it would discard, and asks, or needs --yes.

    Exits 1 when nothing was marked because nobody agreed, or another operator took over.
    """
    from stream import doors, settings  # noqa: PLC0415 - help stays quick
    from stream.catalog.submitting import person  # noqa: PLC0415
    from stream.pipeline import default_pipeline  # noqa: PLC0415
    from stream.replays.bench import Bench  # noqa: PLC0415
    from stream.replays.sending import Decision  # noqa: PLC0415

    if not why.strip():
        raise Misconfigured("--why: got nothing; expected a reason, for whoever finds the mark")
    chosen = settings.load({
        "config": config, "kafka_bootstrap_servers": bootstrap_servers, "topic_prefix": topic_prefix,
    })  # fmt: skip
    choice = choice_of(wanted, ids, ids_from, everything=everything, topic=topic_of(chosen, wanted.topic))
    with Bench(doors.bench_of(chosen, default_pipeline())) as bench:
        letters, tally, decided = _chosen(bench, choice, chosen)
        told = _told(tally, decided, choice.missing)
        if not as_json:
            _tell(tally, told)
        refusal = _refusal(len(letters), agreed=yes) if letters and not dry_run else None
        if dry_run or refusal or not letters:
            _leave(told, refusal, as_json=as_json)
        done = _marked(bench, letters, Decision(by=by or person(), why=why, filter=str(choice)))
    _conclude(told, len(letters), done, as_json=as_json)


def _chosen(bench: "Bench", choice: Choice, chosen: "Settings") -> "tuple[dict[LetterId, int], Tally, int]":
    """Open ones, each with its record time; how many of them by reason and stage; how many are decided about."""
    letters: dict[LetterId, int] = {}
    tally, decided = Tally(), 0
    with bars() as bar:
        marks = bench.marks(bar("reading marks"))
        tell_unreadable(marks)
        for letter in choice.letters(chosen, marks, bar("reading letters")):
            if marks.of(letter.at, letter.timestamp_ms) is None:
                letters[letter.at] = letter.timestamp_ms
                tally[letter.reason, letter.stage] += 1
            else:
                decided += 1
    return letters, tally, decided


def _told(tally: Tally, decided: int, missing: int) -> dict[str, Any]:
    lines = [{"reason": reason, "stage": stage, "letters": count} for (reason, stage), count in sorted(tally.items())]
    return {"letters": tally.total(), "by_reason_and_stage": lines, "decided": decided, "missing": missing}


def _tell(tally: Tally, told: dict[str, Any]) -> None:
    from stream.letters.masking import printable  # noqa: PLC0415 - help stays quick

    for (reason, stage), count in sorted(tally.items()):
        typer.echo(printable(f"{count:>8,}  {reason}  {stage}"))
    typer.echo(f"{tally.total():>8,}  letters to discard")
    if told["decided"]:
        typer.echo(f"{told['decided']:>8,}  replayed or discarded already")
    if told["missing"]:
        typer.echo(f"{told['missing']:>8,}  do not lie there any more, or never did")


def _refusal(count: int, *, agreed: bool) -> str | None:
    """Why nothing is marked."""
    if agreed:
        return None
    if sys.stdin.isatty() and sys.stderr.isatty():
        is_agreed = typer.confirm(f"Discard {count:,} letters?", default=False, err=True)
        return None if is_agreed else "nothing was discarded"
    return "nothing was discarded: --yes is needed where nobody can be asked"


def _leave(told: dict[str, Any], refusal: str | None, *, as_json: bool) -> None:
    if as_json:
        say_json({"plan": told, "done": None})
    if refusal:
        say(refusal)
    raise typer.Exit(Exit.FAILED if refusal else Exit.OK)


def _marked(bench: "Bench", letters: "dict[LetterId, int]", decision: Any) -> "Done":
    with told_to_stop() as told, bars() as bar:
        return bench.discard(letters, decision, pace_of(None, told, bar("discarding"), len(letters)))


def _conclude(told: dict[str, Any], count: int, done: "Done", *, as_json: bool) -> None:
    if as_json:
        say_json({"plan": told, "done": done_answer(done)})
    else:
        for sentence in done_sentences(done, "discarded"):
            typer.echo(sentence)
    for sentence in done_troubles(done, count - done.written - done.decided - len(done.refused)):
        say(sentence)
    raise typer.Exit(exit_of(done))
