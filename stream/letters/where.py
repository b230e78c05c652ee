"""`--where`: a condition in JMESPath (jmespath.org) over a letter's document.

Comes in: the expression as typed. Goes out: a compiled one; mistakes are found before the first letter is read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError, LexerError, ParseError
from jmespath.functions import Functions

from stream.core.complaints import suggestion
from stream.core.errors import Misconfigured, shown

MAX_CHARACTERS = 1_000
EXAMPLE = "'attempts > `3` && contains(error, `\"404\"`)'"
"""In the quotes of a shell: backticks would run a command in double ones."""


class CannotTell(Exception):
    """This letter has not the kind of value that the expression needs."""


@dataclass(frozen=True, slots=True)
class Where:
    """A condition; two are equal when their text is."""

    text: str
    fields: frozenset[str] | None = field(repr=False, compare=False)
    """The names in it; None where it may look at any field (`@`, `*`)."""
    _compiled: Any = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> "Where":
        """Raises `Misconfigured` naming what is wrong, and where."""
        if len(text) > MAX_CHARACTERS:
            raise Misconfigured(f"--where: {len(text):,} characters; expected at most {MAX_CHARACTERS:,}")
        try:
            compiled = jmespath.compile(text)
            for name, arguments in _functions(compiled.parsed):
                _demand_function(name, arguments)
        except ParseError as error:
            raise Misconfigured(_complaint(text, error)) from None
        except RecursionError:
            raise Misconfigured("--where: nested too deeply") from None
        except JMESPathError as error:
            raise Misconfigured(_wrong(text, str(error).partition("\n")[0])) from None
        return cls(text, _fields(compiled.parsed), compiled)

    def holds(self, document: Mapping[str, Any]) -> bool:
        """Whether the letter is meant: false, null and what is empty mean no. Raises `CannotTell`."""
        try:
            found = self._compiled.search(document)
        except TypeError:
            raise CannotTell("it compares a number with something else") from None
        except (JMESPathError, ValueError, RecursionError) as error:
            raise CannotTell(str(error).partition("\n")[0][:200]) from None
        return not (found is None or found is False or (isinstance(found, str | list | dict) and not found))


def _fields(node: Mapping[str, Any]) -> frozenset[str] | None:
    names: set[str] = set()
    for each in _nodes(node):
        if each["type"] in {"current", "value_projection"}:
            return None
        if each["type"] == "field":
            names.add(each["value"])
    return frozenset(names)


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node["children"]:
        if isinstance(child, Mapping):
            yield from _nodes(child)


def _functions(node: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Every function called, and with how many arguments."""
    return ((each["value"], len(each["children"])) for each in _nodes(node) if each["type"] == "function_expression")


def _demand_function(name: str, arguments: int) -> None:
    known = Functions.FUNCTION_TABLE
    if name not in known:
        near = suggestion(name, known)
        expected = f"{near} (perhaps)" if near else f"one of {', '.join(sorted(known))}"
        raise Misconfigured(f"--where: no function {shown(name)}; expected {expected}")
    signature = known[name]["signature"]
    is_open = bool(signature) and bool(signature[-1].get("variadic"))
    if arguments < len(signature) or (arguments > len(signature) and not is_open):
        expected = f"at least {len(signature)}" if is_open else f"{len(signature)}"
        raise Misconfigured(f"--where: {name}() got {arguments} arguments; expected {expected}")


def _complaint(text: str, error: ParseError) -> str:
    position = getattr(error, "lex_position", None)
    at = f" at character {position + 1}" if isinstance(position, int) and position >= 0 else ""
    what = "an open quote or an unknown sign" if isinstance(error, LexerError) else "no expression"
    if getattr(error, "token_type", None) == "NUMBER":
        what = "a number stands in backticks here"
    return _wrong(text, f"{what}{at}")


def _wrong(text: str, what: str) -> str:
    return f"--where: got {shown(text)}: {what}; expected JMESPath, e.g. {EXAMPLE}"
