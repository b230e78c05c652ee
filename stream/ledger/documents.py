"""Reading our own documents back: others can write to the store, so they are checked like anything else."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from stream.core.errors import CorruptDocument

Model = TypeVar("Model", bound=BaseModel)


def read_document(model: type[Model], path: str, body: bytes) -> Model:
    """`body` as `model`. Raises `CorruptDocument` naming the document: that is never a reason to buy."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        complaint = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in complaint["loc"])
        raise CorruptDocument(f"the document {path} is not readable: {field}: {complaint['msg']}") from None
