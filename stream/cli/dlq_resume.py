"""`skustream dlq resume`: a person's word that a stage stopped by a flood of letters may go on."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from stream.cli.front import AsJson, Config, PipelineFile, Store, say_json
from stream.core.errors import Misconfigured, Reason, shown
from stream.core.reasons import CARDS

if TYPE_CHECKING:
    from stream.pipeline import Pipeline
    from stream.settings import Settings

EXAMPLES = """Examples:

  skustream dlq resume --why "PixelAPI says it is mended"

  skustream dlq resume --stage upscale --reason job-failed --why "200 broken photos, let them become letters"

The whole fleet hears it within seconds, through the store. It is a word about the present stop; a later one needs
another. A stage goes on by itself, too, once an event of it succeeds.
"""


@dataclass(frozen=True, slots=True)
class Told:
    """One stage that was told. `reason` is None where it is about every one."""

    stage: str
    reason: str | None


def resume(
    *,
    why: Annotated[str, typer.Option(help="Why, for whoever reads the workers' logs.", show_default=False)],
    stage: Annotated[
        list[str] | None, typer.Option(help="The stage; may be repeated. Default: every stage of the pipeline.")
    ] = None,
    reason: Annotated[
        list[str] | None, typer.Option(help="The letters' reason; may be repeated. Default: every one.")
    ] = None,
    by: Annotated[str | None, typer.Option(help="Who decides. Default: user@host.", show_default=False)] = None,
    config: Config = None,
    pipeline: PipelineFile = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Let stages go on that wait because too many of their events became letters: they may write as many again."""
    if not why.strip():
        raise Misconfigured("--why: got nothing; expected a reason, for whoever reads the logs")
    reasons = _reasons(reason or [])
    from stream.catalog.submitting import person  # noqa: PLC0415 - help stays quick
    from stream.pipeline import load_pipeline  # noqa: PLC0415
    from stream.settings import load  # noqa: PLC0415

    settings = load({"config": config, "pipeline": pipeline, "store": store})
    stages = _stages(stage or [], load_pipeline(settings.pipeline))
    about = [(name, each) for name in stages for each in reasons or (None,)]
    asyncio.run(_tell(settings, about, by=by or person(), why=why))
    told = [Told(name, each) for name, each in about]
    if as_json:
        say_json([asdict(each) for each in told])
        return
    for each in told:
        typer.echo(f"told  {each.stage}: {each.reason or 'every reason'}")
    typer.echo("A worker that is stopped looks every 5 seconds; /readyz and its log say that it goes on.")


def _reasons(given: Sequence[str]) -> list[Reason]:
    counted = {reason.value: reason for reason, card in CARDS.items() if not card.is_malformed}
    for word in given:
        if word in set(Reason) - counted.keys():
            raise Misconfigured(f"--reason: got {shown(word)}; letters of malformed input never stop a stage")
        if word not in counted:
            raise Misconfigured(f"--reason: got {shown(word)}; expected one of {', '.join(counted)}")
    return [counted[word] for word in dict.fromkeys(given)]


def _stages(given: Sequence[str], pipeline: "Pipeline") -> list[str]:
    known = [stage.name for stage in pipeline.stages]
    for word in given:
        if word not in known:
            raise Misconfigured(f"--stage: got {shown(word)}; expected one of {', '.join(known)}")
    return list(dict.fromkeys(given)) or known


async def _tell(settings: "Settings", about: Sequence[tuple[str, Reason | None]], *, by: str, why: str) -> None:
    from stream.doors import open_objects  # noqa: PLC0415 - help stays quick
    from stream.ledger.resumes import Resumes  # noqa: PLC0415

    async with open_objects(settings) as objects:
        resumes = Resumes(objects)
        for stage, reason in about:
            await resumes.tell(stage, reason, by=by, why=why)
