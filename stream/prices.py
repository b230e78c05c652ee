"""The price book: what a job of each operation costs, what the plans give. Sources disagree: it is configuration.

Comes in: the name of a shipped book, or a file of one's own (YAML). Goes out: a `PriceBook`. What a source does not
tell is absent: no figure is invented.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BeforeValidator, Field, ValidationError

from stream.core.complaints import first_complaint, suggestion
from stream.core.errors import Misconfigured, shown
from stream.events import Frozen

DEFAULT_BOOK = "article"
SHIPPED = Path(__file__).parent / "prices.yaml"


def _exact(value: object) -> object:
    """A number, or one in quotes, as the decimal it was written as; 0.1 stays a tenth."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return value
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return value


Amount = Annotated[Decimal, BeforeValidator(_exact), Field(ge=0, le=10**9)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,48}$")]


class Plan(Frozen):
    """A plan's figures; None where the source tells none ("fair use" is no rate)."""

    dollars: Amount | None = None
    """A month."""
    credits: Annotated[Decimal, BeforeValidator(_exact), Field(gt=0, le=10**12)] | None = None
    """In one purchase, which is one month."""
    requests_per_minute: Annotated[int, Field(ge=1)] | None = None


class PriceBook(Frozen):
    """One source's word. `credits`: per job, by operation. `notes`: what it does not say, or says otherwise."""

    source: str = ""
    credits: Annotated[dict[Name, Amount], Field(min_length=1)]
    plans: dict[Name, Plan] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def plan(self, name: str) -> Plan:
        """The plan called `name`, in any case. Raises `Misconfigured` with a suggestion."""
        plan = self.plans.get(name.lower())
        if plan is None:
            known = f"known: {', '.join(self.plans)}" if self.plans else "this price book has no plans"
            close = suggestion(name.lower(), self.plans)
            raise Misconfigured(f"plan {shown(name)}: {f'did you mean {close}?' if close else known}")
        return plan


@cache
def shipped_books() -> Mapping[str, PriceBook]:
    """The books that come with skustream, by name."""
    text = SHIPPED.read_text(encoding="utf-8")
    return {name: _read(book, f"the shipped book {name}") for name, book in yaml.safe_load(text).items()}


def load_prices(chosen: str) -> PriceBook:
    """The shipped book called `chosen`, or the book in the file at that path. Raises `Misconfigured`."""
    books = shipped_books()
    if chosen in books:
        return books[chosen]
    path = Path(chosen)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        close = suggestion(chosen, books)
        hint = f"did you mean {close}?" if close else f"shipped are {', '.join(books)}"
        raise Misconfigured(f"SKUSTREAM_PRICES={chosen}: neither a shipped price book nor a file; {hint}") from None
    except OSError as error:
        raise Misconfigured(f"the price book {path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Misconfigured(f"the price book {path} is not YAML: {' '.join(str(error).split())}") from None
    return _read(content, f"the price book {path}")


def _read(content: Any, source: str) -> PriceBook:
    if isinstance(content, dict) and isinstance(content.get("notes"), list):
        content = {**content, "notes": tuple(content["notes"])}
    try:
        book = PriceBook.model_validate(content)
    except ValidationError as error:
        complaint = first_complaint(error, [*PriceBook.model_fields, *Plan.model_fields])
        where = f"{complaint.field}: {complaint.detail}" if complaint.field else complaint.detail
        raise Misconfigured(f"{source}: {where}, expected {complaint.expected}") from None
    return book if book.source else book.model_copy(update={"source": source})
