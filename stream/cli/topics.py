"""`skustream topics`: create what a pipeline needs, and check that its limits keep the laws."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from stream.cli.front import AsJson, Config, Exit, PipelineFile, Servers, TopicPrefix, group, say_json

if TYPE_CHECKING:
    from stream.broker.admin import Creation
    from stream.broker.rules import Finding
    from stream.pipeline import Pipeline
    from stream.roles import Role
    from stream.settings import Settings
    from stream.topics import Topics

    Read = tuple[Settings, Pipeline, Topics]

app = group("Create and check the Kafka topics of a pipeline.")


@app.command(epilog="Example: skustream topics create --partitions 12 --replication-factor 3")
def create(
    *,
    partitions: Annotated[int, typer.Option(min=1, help="Partitions of each new topic.")] = 6,
    replication_factor: Annotated[
        int | None, typer.Option(min=1, help="Copies of each record; default: the cluster's own default.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Let Kafka judge the request, create nothing.")] = False,
    config: Config = None,
    pipeline: PipelineFile = None,
    bootstrap_servers: Servers = None,
    topic_prefix: TopicPrefix = None,
    as_json: AsJson = False,
) -> None:
    """Create the missing topics; existing ones are left as they are. Exits 1 when Kafka refuses one."""
    settings, map_, names = _read(config, pipeline, bootstrap_servers, topic_prefix)
    from stream.broker import admin  # noqa: PLC0415 - help stays quick

    made = admin.create_topics(
        settings.kafka_client(),
        names.plans(map_.topics_between(names)),
        partitions=partitions,
        replication_factor=replication_factor or admin.CLUSTER_DEFAULT,
        dry_run=dry_run,
    )
    _tell_created(made, as_json=as_json)
    raise typer.Exit(Exit.FAILED if any(creation.done is admin.Done.REFUSED for creation in made) else Exit.OK)


@app.command(epilog="Example: skustream topics check --json")
def check(
    *,
    config: Config = None,
    pipeline: PipelineFile = None,
    bootstrap_servers: Servers = None,
    topic_prefix: TopicPrefix = None,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with the topics and what to do about it. Exits 1 when a finding is an error."""
    settings, map_, names = _read(config, pipeline, bootstrap_servers, topic_prefix)
    from stream.broker import admin  # noqa: PLC0415 - help stays quick
    from stream.broker.rules import Level  # noqa: PLC0415

    found = admin.check_topics(settings.kafka_client(), names, map_.topics_between(names))
    _tell_found(found, as_json=as_json)
    raise typer.Exit(Exit.FAILED if any(finding.level is Level.ERROR for finding in found) else Exit.OK)


@app.command(epilog="Example: skustream topics acls --role worker --principal User:skustream")
def acls(
    *,
    role: Annotated[str, typer.Option(help="worker, topics, pim, submit, reader or operator.")],
    principal: Annotated[str, typer.Option(help="Whom they are for, as the broker names it.")] = "User:...",
    stage: Annotated[
        list[str] | None, typer.Option("--stage", metavar="NAME", help="Of a worker that runs only this; repeatable.")
    ] = None,
    config: Config = None,
    pipeline: PipelineFile = None,
    topic_prefix: TopicPrefix = None,
    as_json: AsJson = False,
) -> None:
    """Say the least rights a role needs, as commands for an administrator. Asks nobody, changes nothing."""
    from stream.roles import grants  # noqa: PLC0415 - help stays quick

    _, map_, names = _read(config, pipeline, None, topic_prefix)
    for name in stage or []:
        map_.index(name)
    wanted = grants(role_of(role), names, map_, stage)
    if as_json:
        say_json([asdict(grant) for grant in wanted])
        return
    for grant in wanted:
        typer.echo(grant.command(principal))


def role_of(name: str) -> "Role":
    """The role of this name. Raises `Misconfigured`."""
    from stream.core.errors import Misconfigured, shown  # noqa: PLC0415 - help stays quick
    from stream.roles import Role  # noqa: PLC0415

    try:
        return Role(name.lower())
    except ValueError:
        raise Misconfigured(f"--role: got {shown(name)}; expected {', '.join(Role)}") from None


def _read(config: Config, pipeline: PipelineFile, servers: Servers, prefix: TopicPrefix) -> "Read":
    from stream.pipeline import load_pipeline  # noqa: PLC0415 - help stays quick
    from stream.settings import load  # noqa: PLC0415
    from stream.topics import Topics  # noqa: PLC0415

    settings = load(
        {"config": config, "pipeline": pipeline, "kafka_bootstrap_servers": servers, "topic_prefix": prefix}
    )  # fmt: skip
    return settings, load_pipeline(settings.pipeline), Topics(settings.topic_prefix)


def _tell_created(made: "list[Creation]", *, as_json: bool) -> None:
    if as_json:
        say_json([asdict(creation) for creation in made])
        return
    for creation in made:
        typer.echo(f"{creation.done:<12}  {creation.topic}{'  ' + creation.detail if creation.detail else ''}")


def _tell_found(found: "list[Finding]", *, as_json: bool) -> None:
    if as_json:
        say_json([asdict(finding) for finding in found])
        return
    for finding in found:
        typer.echo(f"{finding.level:<7}  {finding.topic}: {finding.message}\n{'':9}→ {finding.way_out}")
    if not found:
        typer.echo("every topic is in order")
