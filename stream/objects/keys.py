"""Where things stand in the store: pure functions from hostile names to safe keys.

Comes in: ids as the PIM wrote them. Goes out: keys that need no percent-encoding, escape from nowhere and never meet.
On a case-insensitive file system ids that differ only by case do meet; S3 and Linux keep them apart.
"""

import hashlib
import re
from dataclasses import dataclass

LEDGER = "_ledger"
"""The ledger's own folder; no quoted id begins with an underscore, so no SKU can reach into it."""
BATCHES = "_batches"
"""Notes about submitted catalogs, apart from SKUs for the same reason."""
CONTROL = "_control"
"""What a person tells the fleet, apart from SKUs for the same reason."""

MANIFEST = "manifest.json"

_MAX_QUOTED = 120
_KEPT_OF_LONG = 80
_SAFE = re.compile(r"[A-Za-z0-9._-]")
_TOKEN = re.compile(r"~([0-9A-F]{2})|([A-Za-z0-9._-])")
_WORD = re.compile(r"[A-Za-z0-9]+")
_JOB_KEY = re.compile(r"[A-Za-z0-9_-]{4,128}")
_SEGMENT = r"[A-Za-z0-9~-][A-Za-z0-9.~_-]{0,119}"
_ASSET = re.compile(
    rf"(?P<unit>{_SEGMENT}/{_SEGMENT})/{_SEGMENT}-(?P<short>[0-9a-f]{{20}})(?:x(?P<generation>[1-9]\d{{0,5}}))?\.[a-z0-9]+",
    re.ASCII,
)
SHORT_HASH_CHARACTERS = 20
"""Of a job's key: enough to never meet another job's within one image."""


@dataclass(frozen=True, slots=True)
class AssetName:
    """What an asset's key tells: its image (`<sku>/<image>`, quoted), the job that made it, and in which generation."""

    unit: str
    short: str
    generation: int


def quote(part: str) -> str:
    """One id as one key segment: [A-Za-z0-9._-] as they are, every other byte of its UTF-8 as `~XX`.

    A leading dot or underscore is escaped too, the empty id is `~`, and what would pass 120 characters is its first
    80, `~~` and 32 hex digits of its SHA-256. Different ids always give different segments.
    """
    encoded = "".join(map(_escaped, part))
    if encoded[:1] in {".", "_"}:
        encoded = f"~{ord(encoded[0]):02X}{encoded[1:]}"
    if len(encoded) > _MAX_QUOTED:
        digest = hashlib.sha256(encoded.encode()).hexdigest()[:32]
        return f"{encoded[:_KEPT_OF_LONG]}~~{digest}"
    return encoded or "~"


def unquote(segment: str) -> str:
    """The id behind a segment. Raises ValueError for a shortened one and for what `quote` never wrote."""
    if segment == "~":
        return ""
    content = bytearray()
    position = 0
    while position < len(segment):
        token = _TOKEN.match(segment, position)
        if token is None:
            raise ValueError(f"not a quoted id, or one too long to be read back: {segment!r}")
        content += bytes.fromhex(token[1]) if token[1] else token[2].encode()
        position = token.end()
    part = content.decode("utf-8", "surrogatepass")
    if quote(part) != segment:
        raise ValueError(f"not a quoted id: {segment!r}")
    return part


def asset_key(sku_id: str, image_id: str, asset: str, recipe_hash: str, extension: str) -> str:
    """`<sku>/<image>/<asset>-<hash>.<ext>`. Raises ValueError unless hash and extension are plain words."""
    for word in (recipe_hash, extension):
        if len(word) > _MAX_QUOTED or not _WORD.fullmatch(word):
            raise ValueError(f"a hash or an extension is letters and digits, got {word!r}")
    return f"{quote(sku_id)}/{quote(image_id)}/{quote(asset)}-{recipe_hash}.{extension}"


def recipe_hash(job_key: str, generation: int) -> str:
    """What the assets of a job carry: the start of its key, and `x<n>` after its assets were collected n times.

    A key on the CDN never changes its content: what is made anew needs a key of its own.
    """
    short = job_key[:SHORT_HASH_CHARACTERS]
    return f"{short}x{generation}" if generation else short


def read_asset_key(key: str) -> AssetName | None:
    """The asset that `key` names, or None for anything that `asset_key` with a `recipe_hash` never wrote."""
    found = _ASSET.fullmatch(key)
    if found is None:
        return None
    return AssetName(found["unit"], found["short"], int(found["generation"] or 0))


def checked_asset_key(key: str) -> str:
    """`key`, if it is an asset's. Raises ValueError for a document's, and for anything foreign."""
    if read_asset_key(key) is None:
        raise ValueError(f"not an asset's key: {key!r}")
    return key


def manifest_key(sku_id: str, image_id: str) -> str:
    """`<sku>/<image>/manifest.json`; assets carry a hyphen there, so none is called so."""
    return f"{quote(sku_id)}/{quote(image_id)}/{MANIFEST}"


def job_key_path(job_key: str) -> str:
    """`_ledger/jobs/<first 2>/<job_key>.json`. Raises ValueError unless it is 4 to 128 of [A-Za-z0-9_-]."""
    if not _JOB_KEY.fullmatch(job_key):
        raise ValueError(f"a job key is 4 to 128 letters, digits, '-' or '_', got {job_key!r}")
    return f"{LEDGER}/jobs/{job_key[:2]}/{job_key}.json"


def job_prefix(short: str) -> str:
    """Where the document of the job stands whose key begins with `short` (see `recipe_hash`)."""
    return f"{LEDGER}/jobs/{short[:2]}/{short}"


def newest_path(sku_id: str, image_id: str) -> str:
    """`_ledger/newest/<2 hex of a hash>/<sku>/<image>.json`."""
    unit = f"{quote(sku_id)}/{quote(image_id)}"
    return f"{LEDGER}/newest/{hashlib.sha256(unit.encode()).hexdigest()[:2]}/{unit}.json"


def version_path(origin: str, sku_id: str, image_id: str) -> str:
    """`_ledger/versions/<2 hex>/<sku>/<image>/<32 hex>.json`, by a hash of the event's origin."""
    digest = hashlib.sha256(origin.encode()).hexdigest()
    return f"{LEDGER}/versions/{digest[:2]}/{quote(sku_id)}/{quote(image_id)}/{digest[:32]}.json"


def batch_path(batch_id: str) -> str:
    """`_batches/<batch>.json`."""
    return f"{BATCHES}/{quote(batch_id)}.json"


def resume_path(stage: str, reason: str | None) -> str:
    """`_control/resume/<stage>/<reason>.json`, or `_any.json` there: the word that a stopped stage may go on."""
    return f"{CONTROL}/resume/{quote(stage)}/{'_any' if reason is None else quote(reason)}.json"


def _escaped(character: str) -> str:
    if _SAFE.fullmatch(character):
        return character
    return "".join(f"~{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
