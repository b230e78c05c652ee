"""Reading our own documents back: others can write to the store, so they are checked like anything else."""

from typing import TypeVar

from pydantic import ValidationError

from stream.core.errors import CorruptDocument, Resource, Unavailable
from stream.events import Kept

Document = TypeVar("Document", bound=Kept)


def read_document(model: type[Document], path: str, body: bytes) -> Document:
    """`body` as `model`. Raises `CorruptDocument` naming the document: that is never a reason to buy.

    Raises `Unavailable(ourselves)` for one that a newer version wrote in a format unknown here: no event's fault (L8),
    and whoever reads it will come.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        complaints = error.errors(include_url=False)
    for each in complaints:
        if each["loc"] == ("v",) and each["type"] == "less_than_equal":
            detail = f"a newer version wrote the document {path} (format {each['input']}): run that version here, too"
            raise Unavailable(Resource.OURSELVES, detail)
    field = ".".join(str(part) for part in complaints[0]["loc"])
    raise CorruptDocument(f"the document {path} is not readable: {field}: {complaints[0]['msg']}")
