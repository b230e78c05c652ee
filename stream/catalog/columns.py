"""CSV columns: which part of an event each one fills, and what its cells mean.

Comes in: the header row. Goes out: one filler per column, or complaints with a suggestion.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from stream.catalog.rows import Complaint
from stream.core.complaints import readable, suggestion
from stream.events import RawEvent
from stream.pipeline import Pipeline

LIST_SEPARATOR = ";"
PARAMS, ATTRIBUTES = "params", "attributes"
ALIASES = {"id": "sku_id"}
REQUIRED = ("sku_id", "raw_url")
PLAIN = tuple(name for name in RawEvent.model_fields if name not in {PARAMS, ATTRIBUTES})
EXAMPLE = "sku_id,raw_url"
_INTEGER = re.compile(r"-?[0-9]{1,40}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,3})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: the path it fills in an event. `model` knows the type of a parameter."""

    path: tuple[str, ...]
    model: type[BaseModel] | None = None

    def fill(self, event: dict[str, Any], cell: str) -> None:
        """Put the cell's meaning in its place; an empty cell is a value that was not given."""
        if not cell:
            return
        place = event
        for name in self.path[:-1]:
            place = place.setdefault(name, {})
        place[self.path[-1]] = self._meaning(cell)

    def _meaning(self, cell: str) -> object:
        if self.model is not None:
            return _typed(self.model, self.path[-1], cell)
        if self.path == ("sequence",):
            return _scalar(cell)
        if self.path == ("stages",):
            return [name.strip() for name in cell.split(LIST_SEPARATOR)]
        return cell


def read_header(line: int, cells: Sequence[str], pipeline: Pipeline) -> list[Column] | list[Complaint]:
    """The columns in their order, or everything that is wrong with the header."""
    names = [cell.strip() for cell in cells]
    if not known_names(names):
        return [
            Complaint(
                line, None, f"no header: no cell of this line is the name of a column; expected e.g. {EXAMPLE}", EXAMPLE
            )
        ]
    complaints: list[Complaint] = []
    columns: list[Column] = []
    seen: dict[tuple[str, ...], str] = {}
    for name in names:
        read = _column(line, name, pipeline)
        if isinstance(read, Complaint):
            complaints.append(read)
            continue
        if read.path in seen:
            told = readable(name) if seen[read.path] == name else f"{readable(name)} and {seen[read.path]}"
            complaints.append(Complaint(line, readable(name), f"{told}: the column is there twice"))
        seen[read.path] = name
        columns.append(read)
    missing = [name for name in REQUIRED if (name,) not in seen]
    complaints += [Complaint(line, name, f"{name}: the column is missing", f"a column {name}") for name in missing]
    return complaints or columns


def known_names(cells: Sequence[str]) -> int:
    """How many of these are names of columns: tells a header from a row, and one delimiter from another."""
    names = [cell.strip() for cell in cells]
    return sum(name in PLAIN or name in ALIASES or name.startswith((f"{PARAMS}.", f"{ATTRIBUTES}.")) for name in names)


def _column(line: int, name: str, pipeline: Pipeline) -> Column | Complaint:
    own = ALIASES.get(name, name)
    if own in PLAIN:
        return Column((own,))
    first, _, rest = name.partition(".")
    if first == ATTRIBUTES and rest:
        return Column((ATTRIBUTES, rest))
    if first == PARAMS and rest:
        return _param_column(line, name, rest, pipeline)
    forms = {PARAMS: "params.<stage>.<name>", ATTRIBUTES: "attributes.<name>"}
    close = forms.get(first) or suggestion(name, [*PLAIN, *ALIASES])
    return _unknown(line, name, close or f"one of {', '.join([*PLAIN, *ALIASES, *forms.values()])}", sure=not close)


def _param_column(line: int, name: str, rest: str, pipeline: Pipeline) -> Column | Complaint:
    stages = {stage.name: stage.card.params for stage in pipeline.stages}
    stage, _, param = rest.partition(".")
    if stage not in stages:
        close = suggestion(stage, stages)
        expected = f"{PARAMS}.{close}.{readable(param)}" if close else f"a stage: {', '.join(stages)}"
        return _unknown(line, name, expected, sure=not close)
    fields: Mapping[str, object] = stages[stage].model_fields
    if param not in fields:
        close = suggestion(param, fields)
        known = ", ".join(f"{PARAMS}.{stage}.{field}" for field in fields) or f"no parameters of {stage}"
        return _unknown(line, name, f"{PARAMS}.{stage}.{close}" if close else known, sure=not close)
    return Column((PARAMS, stage, param), stages[stage])


def _unknown(line: int, name: str, expected: str, *, sure: bool) -> Complaint:
    expected = expected if sure else f"{expected} (perhaps)"
    shown = readable(name) or "(empty)"
    return Complaint(line, shown, f"{shown}: unknown column; expected {expected}", expected)


def _typed(model: type[BaseModel], name: str, cell: str) -> object:
    """The cell as the parameter's own type: the first reading that the stage's model takes; else for its complaint."""
    scalar = _scalar(cell)
    readings: list[object] = [scalar]
    if scalar != cell:
        readings.append(cell)
    readings.append([_scalar(item.strip()) for item in cell.split(LIST_SEPARATOR)])
    for reading in readings:
        if _fits(model, name, reading):
            return reading
    return readings[-1] if LIST_SEPARATOR in cell else scalar


def _fits(model: type[BaseModel], name: str, value: object) -> bool:
    try:
        model.model_validate({name: value})
    except ValidationError as error:
        return all(each["loc"][:1] != (name,) for each in error.errors(include_url=False, include_context=False))
    return True


def _scalar(cell: str) -> object:
    """A number or a truth value where the cell is written like one, else the text."""
    if _INTEGER.fullmatch(cell):
        return int(cell)
    if _NUMBER.fullmatch(cell) and math.isfinite(float(cell)):
        return float(cell)
    return {"true": True, "false": False}.get(cell, cell)
