"""The map: which stages exist, what each needs and makes, and which topic leads to which.

Comes in: the pipeline file (YAML). Goes out: a linted `Pipeline`, and for each event its route through it.
"""

from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import orjson
import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from stream.core.complaints import first_complaint, readable, suggestion
from stream.core.errors import Misconfigured, Reason, Rejected, shown
from stream.events import Frozen, RawEvent
from stream.operations import NAME_PATTERN, Card, Params, card_of
from stream.postponing import lint_retries, whole_plan
from stream.topics import Topics

RAW_ASSET = "raw"
RESERVED_TOPICS = frozenset({"raw", "completed", "dead-letter", "retry", "replays", "quota"})

Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class Stage(Frozen):
    """One stage: an operation on the asset it needs, making the asset it is named for."""

    name: Name
    operation: str
    needs: tuple[Name, ...]
    makes: Name
    params: dict[str, Any] = Field(default_factory=dict)
    deadline_seconds: Annotated[float, Field(gt=0, le=86_400)] = 600.0
    """From the submit until the job is `overdue`. Jobs of 10 to 30 s are normal, so this is far longer."""
    job_attempts: Annotated[int, Field(ge=1, le=10)] = 2
    """Numbered jobs bought at most, a further one only after PixelAPI itself reported the last one failed."""
    retries: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Reason → delays after which the stage tries again, one after the other, before its letter; `[]` for none."""

    @field_validator("needs", mode="before")
    @classmethod
    def _needs(cls, value: object) -> object:
        return _listed(value)

    @field_validator("retries", mode="before")
    @classmethod
    def _delays(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {reason: _listed(delays) for reason, delays in value.items()}

    @property
    def retry_plan(self) -> dict[Reason, tuple[str, ...]]:
        """The delays by reason, the defaults included."""
        return whole_plan(self.retries)

    @cached_property
    def card(self) -> Card:
        """The operation as it stands on its card. Raises ValueError where the lint has not passed."""
        return card_of(self.operation)

    @property
    def local(self) -> bool:
        """Whether the stage works here and buys nothing."""
        return self.card.local

    def inputs(self, available: Mapping[str, object]) -> tuple[str, ...]:
        """The needed assets that are there; a stage of several sources takes those it finds."""
        return tuple(name for name in self.needs if name in available)

    def params_for(self, event: RawEvent) -> Params:
        """This stage's parameters for `event`. Raises `Rejected(invalid-event)` for a wrong one."""
        own = event.params.get(self.name, {})
        try:
            params = self.card.params.model_validate({**self.params, **own})
        except ValidationError as error:
            complaint = first_complaint(error, list(self.card.params.model_fields))
            raise Rejected(
                Reason.INVALID_EVENT,
                complaint.detail,
                field=f"params.{self.name}.{complaint.field}",
                value=complaint.value,
                expected=f"{complaint.expected}; {_names_of(self)}",
            ) from None
        _demand_writable(params, f"params.{self.name}")
        return params


def _listed(value: object) -> object:
    """A list, or one word alone, as YAML gives them."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _demand_writable(params: Params, field: str) -> None:
    """Parameters name jobs and are sent as JSON: what our encoder does not hold is refused at the door, unpaid."""
    try:
        orjson.dumps(params.model_dump(mode="json"))
    except TypeError:
        expected = "whole numbers of at most 64 bits"
        raise Rejected(Reason.INVALID_EVENT, "a number is too large", field=field, expected=expected) from None


def _names_of(stage: Stage) -> str:
    names = ", ".join(stage.card.params.model_fields) or "no parameters"
    return f"{stage.card.name} takes {names}"


class Pipeline(Frozen):
    """The stages in their order. Stage n reads the topic named for what stage n-1 makes."""

    version: Literal[1] = 1
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]

    @field_validator("stages", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _lint(self) -> Self:
        made = {RAW_ASSET}
        names: set[str] = set()
        cards: dict[str, Card] = {}
        complaints: list[str] = []
        for stage in self.stages:
            try:
                _lint_operation(stage, cards)
                _lint_stage(stage, made, names)
            except ValueError as error:
                complaints.append(str(error))
            made.add(stage.makes)
            names.add(stage.name)
        if complaints:
            raise ValueError("\n".join(complaints))  # one line for each stage, so that one mistake hides no other
        return self

    def index(self, name: str) -> int:
        """The position of the stage `name`. Raises `Misconfigured` with a suggestion."""
        names = [stage.name for stage in self.stages]
        if name not in names:
            raise Misconfigured(f"stage {shown(name)} is not in the pipeline; {_suggest(name, names)}")
        return names.index(name)

    def input_topics(self, name: str, topics: Topics) -> tuple[str, ...]:
        """The topics that the stage `name` consumes."""
        position = self.index(name)
        if position == 0:
            return tuple(topics.entries())
        return (topics.asset(self.stages[position - 1].makes),)

    def reads(self, name: str, topics: Topics) -> tuple[str, ...]:
        """What the stage `name` subscribes to: its input topics, and every retry topic."""
        return (*self.input_topics(name, topics), *topics.retries())

    def touches(self, name: str, topics: Topics) -> set[str]:
        """Every topic that the stage `name` reads or writes: those it may hand on to, `completed`, retries, letters."""
        behind = self.topics_between(topics)[self.index(name) :]
        return {*self.reads(name, topics), *behind, topics.completed, topics.dead_letter}

    def topics_between(self, topics: Topics) -> list[str]:
        """The topics between stages, in order."""
        return [topics.asset(stage.makes) for stage in self.stages[:-1]]

    def route(self, event: RawEvent) -> tuple[Stage, ...]:
        """The stages `event` passes. Raises `Rejected(invalid-event)` when its wishes cannot be met."""
        names = [stage.name for stage in self.stages]
        _known_only("params", list(event.params), names)
        wanted = names if event.stages is None else list(event.stages)
        _known_only("stages", wanted, names)
        chosen = tuple(stage for stage in self.stages if stage.name in wanted)
        if not chosen:
            raise Rejected(Reason.INVALID_EVENT, "empty", field="stages", expected=f"some of {', '.join(names)}")
        available = {RAW_ASSET: None}
        for stage in chosen:
            if not stage.inputs(available):
                raise Rejected(
                    Reason.INVALID_EVENT,
                    f"{stage.name} needs the asset {' or '.join(stage.needs)}, which no chosen stage makes",
                    field="stages",
                    value=list(wanted),
                )
            stage.params_for(event)
            available[stage.makes] = None
        return chosen


def _known_only(field: str, given: list[str], names: list[str]) -> None:
    for name in given:
        if name not in names:
            close = suggestion(name, names)
            expected = f"{close} (perhaps)" if close else f"some of {', '.join(names)}"
            raise Rejected(Reason.INVALID_EVENT, "unknown stage", field=field, value=readable(name), expected=expected)


def _lint_operation(stage: Stage, cards: dict[str, Card]) -> None:
    where = f"stage {stage.name}"
    try:
        card = stage.card
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    if cards.setdefault(card.name, card) != card:
        raise ValueError(f"{where}: {stage.operation} has the name of another operation here, {shown(card.name)}")


def _lint_stage(stage: Stage, made: set[str], names: set[str]) -> None:
    where = f"stage {stage.name}"
    if stage.name in names:
        raise ValueError(f"{where}: the name is used twice; every stage needs its own")
    if stage.makes in made:
        raise ValueError(f"{where}: makes {shown(stage.makes)}, which an earlier stage (or the photo) already is")
    if stage.makes in RESERVED_TOPICS:
        raise ValueError(f"{where}: makes {shown(stage.makes)}, a name that skustream keeps for a topic of its own")
    for need in stage.needs:
        if need not in made:
            raise ValueError(f"{where}: needs {shown(need)}, which no earlier stage makes; {_suggest(need, made)}")
    if not stage.needs:
        raise ValueError(f"{where}: needs nothing; name the asset it works on")
    if not stage.local and len(stage.needs) > 1:
        raise ValueError(f"{where}: {stage.card.name} works on one asset, but {len(stage.needs)} are named")
    try:
        stage.card.params.model_validate(stage.params)
    except ValidationError as error:
        complaint = first_complaint(error, list(stage.card.params.model_fields))
        message = f"{complaint.detail}, got {shown(complaint.value)}, expected {complaint.expected}"
        raise ValueError(f"{where}: params.{complaint.field}: {message}; {_names_of(stage)}") from None
    try:
        lint_retries(stage.retries)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _suggest(name: str, known: Collection[str]) -> str:
    close = suggestion(name, known)
    return f"did you mean {close}?" if close else f"known: {', '.join(sorted(known))}"


def default_pipeline() -> Pipeline:
    """remove-bg → upscale → lifestyle → thumbnails, as shipped."""
    return read_pipeline(
        (Path(__file__).parent / "pipeline.yaml").read_text(encoding="utf-8"), source="the shipped pipeline.yaml"
    )


def load_pipeline(path: Path | None) -> Pipeline:
    """The pipeline file at `path`, or the shipped default. Raises `Misconfigured` naming the line's stage and field."""
    if path is None:
        return default_pipeline()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Misconfigured(f"the pipeline file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Misconfigured(f"the pipeline file {path} cannot be read: it is not UTF-8 text") from None
    return read_pipeline(text, source=str(path))


def read_pipeline(text: str, *, source: str) -> Pipeline:
    """A pipeline from YAML text; `source` names it in errors. Raises `Misconfigured`, one line for each wrong stage."""
    try:
        return Pipeline.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise Misconfigured(f"{source}: not YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        raise Misconfigured("\n".join(f"{source}: {line}" for line in _misreading(error).splitlines())) from None


def _misreading(error: ValidationError) -> str:
    complaint = first_complaint(error, [*Pipeline.model_fields, *Stage.model_fields])
    if complaint.field is None:
        return complaint.expected  # a sentence of the lint, or "a JSON object"
    got = "" if complaint.value is None else f", got {shown(complaint.value)}"
    return f"{complaint.field}: {complaint.detail}{got}, expected {complaint.expected}"
