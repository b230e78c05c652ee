"""Whose work an asset is. Comes in: what an asset's key carries. Goes out: the key of the job that made it."""

from stream.core.errors import CorruptDocument
from stream.objects.keys import job_key_path, job_prefix
from stream.objects.port import ObjectStore


async def maker_of(objects: ObjectStore, short: str) -> str | None:
    """The job whose key begins with `short` (20 hex digits); None when the ledger has none.

    Raises `Unavailable(store)`, and `CorruptDocument` where something else lies between the job documents.
    """
    found = [listed.key async for listed in objects.list_keys(job_prefix(short))]
    if not found:
        return None
    key = found[0].rpartition("/")[2].removesuffix(".json")
    if len(found) > 1 or job_key_path(key) != found[0]:
        raise CorruptDocument(f"{found[0]} is not the only job document of {short}")
    return key
