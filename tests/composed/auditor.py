"""The auditor: reads what the plant left behind and names every law it finds broken. It shares no code with stream."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from tests.composed.decisions import Decisions
from tests.composed.evidence import Evidence, Record, Target, collect

ENTRY_TOPICS = ("raw", "raw.backfill")
RETRY_TOPICS = ("retry.now", "retry.10s", "retry.1m", "retry.10m")
NOTED = ("stage", "due", "origin.topic", "origin.partition", "origin.offset", "origin.index", "postponed", "replay")
MAX_HEADER_BYTES = 16 * 1024
MAX_NOTE_BYTES = 6 * 1024
AMBIGUOUS = "ambiguous-submit"

Identity = tuple[str, int, int, int, int]
"""Origin topic, partition, offset, index; replay number."""


@dataclass(slots=True)
class Report:
    """`problems` is empty when every law holds; the figures say what was counted."""

    problems: list[str] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    """`completed`, `superseded`, and letters by reason."""
    postponed: int = 0
    """Delayed retries."""
    jobs_accepted: int = 0
    jobs_unknown: int = 0
    """Bought, and their ids lost with their answers."""
    assets_checked: int = 0
    net_credits: Decimal = Decimal(0)
    most_in_window: int = 0
    throttled: int = 0


def audit(target: Target, *, contract: tuple[int, float] | None = None) -> Report:
    """Count everything. `contract`: at most so many requests in so many seconds (L3)."""
    evidence, report = collect(target), Report()
    _one_end(evidence, report)
    _letters_whole(evidence, report)
    _retries_whole(evidence, report)
    _assets_stand(evidence, report)
    _bought_once(evidence, report)
    unknown = _all_accounted(evidence, report)
    _money(evidence, report, unknown)
    _no_key_anywhere(evidence, report)
    if contract is not None:
        _in_contract(evidence, report, contract)
    return report


def _one_end(evidence: Evidence, report: Report) -> None:
    """L1: exactly one terminal record for every raw record and replay, and none for anything else."""
    found: Counter[Identity] = Counter()
    for record in evidence.records["completed"]:
        terminal = record.json()
        origin = terminal["origin"]
        identity = (origin["topic"], origin["partition"], origin["offset"], origin["index"], terminal["replay"])
        found[identity] += 1
        report.ends[terminal["status"]] += 1
    for record in evidence.records["dead-letter"]:
        found[_identity_of(record)] += 1
        report.ends[record.headers["skustream.reason"]] += 1
    report.problems += [f"L1: {count} ends of {identity}" for identity, count in found.items() if count > 1]
    entered = {
        (*record.at, index, 0)
        for topic in ENTRY_TOPICS
        for record in evidence.records[topic]
        for index in _events(record)
    }
    returned = [record for topic in RETRY_TOPICS for record in evidence.records[topic]]
    entered |= {_identity_of(record) if _has_note(record) else (*record.at, 0, 0) for record in returned}
    report.postponed = sum(_is_the_machines(record) for record in returned)
    report.problems += [f"L1: no end of {identity}" for identity in sorted(entered - found.keys())]
    report.problems += [f"L1: an end without an event: {key}" for key in found if key not in entered]
    report.problems += Decisions(evidence).problems(found)


def _events(record: Record) -> list[int]:
    """Which events stand in a raw record: one, or the created objects of a notification, or none."""
    try:
        told = record.json()
        if told.get("Event") == "s3:TestEvent":
            return []
        names = [str(entry["eventName"]) for entry in told["Records"]]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return [0]
    return [index for index, name in enumerate(names) if name.removeprefix("s3:").startswith("ObjectCreated:")]


def _identity_of(record: Record) -> Identity:
    """Of a letter, or of a retry record."""
    told = record.headers
    numbers = (int(told[f"skustream.origin.{name}"]) for name in ("partition", "offset", "index"))
    partition, offset, index = numbers
    return told["skustream.origin.topic"], partition, offset, index, int(told["skustream.replay"])


def _letters_whole(evidence: Evidence, report: Report) -> None:
    """L6: key and value of the failing stage's input byte for byte; headers bounded, with reason and origin."""
    for letter in evidence.records["dead-letter"]:
        told = letter.headers
        at = (
            told["skustream.input.topic"], int(told["skustream.input.partition"]), int(told["skustream.input.offset"]),
        )  # fmt: skip
        record = evidence.input_of(at)
        if record is None or (record.key, record.value) != (letter.key, letter.value):
            report.problems.append(f"L6: the letter {letter.at} is not its input {at} byte for byte")
        if letter.header_bytes > MAX_HEADER_BYTES:
            report.problems.append(f"L6: {letter.header_bytes} bytes of headers on {letter.at}")


def _has_note(record: Record) -> bool:
    """Whether a retry record says whose it is; else it can only end as a letter of its own."""
    return {f"skustream.{name}" for name in NOTED} <= record.headers.keys()


def _is_the_machines(record: Record) -> bool:
    """A delayed retry, and no person's replay."""
    return _has_note(record) and record.headers["skustream.postponed"] != "0"


def _retries_whole(evidence: Evidence, report: Report) -> None:
    """A delayed retry is its stage's input: byte for byte the raw record of its origin, or a record between stages.

    Or what a person's replay put back, which may have been mended.
    """
    inputs = {record.at: (record.key, record.value) for topic in ENTRY_TOPICS for record in evidence.records[topic]}
    others = {
        (record.key, record.value)
        for topic, records in evidence.records.items()
        if topic not in {*ENTRY_TOPICS, "completed", "dead-letter"}
        for record in records
        if topic not in RETRY_TOPICS or not _is_the_machines(record)
    }
    for topic in RETRY_TOPICS:
        for record in filter(_has_note, evidence.records[topic]):
            origin = _identity_of(record)[:3]
            if (record.key, record.value) not in {inputs.get(origin), *others}:
                report.problems.append(f"L6: the retry {record.at} is no input of its stage byte for byte")
            if record.header_bytes > MAX_NOTE_BYTES:
                report.problems.append(f"L6: {record.header_bytes} bytes of headers on the retry {record.at}")


def _assets_stand(evidence: Evidence, report: Report) -> None:
    """Every asset of every completed record and manifest lies in the store, with its size and hash."""
    shown: list[tuple[str, dict[str, Any]]] = []
    for record in evidence.records["completed"]:
        terminal = record.json()
        shown += [(f"completed {record.at}", asset) for asset in terminal["assets"].values()]
        # Beside the photo, which every completed event has: names may be quoted in keys.
        manifest = terminal["assets"]["raw"]["key"].rpartition("/")[0] + "/manifest.json" if terminal["assets"] else ""
        if terminal["status"] == "completed" and manifest not in evidence.documents:
            report.problems.append(f"L1: completed without a manifest: {manifest}")
    for key, manifest_document in evidence.manifests().items():
        shown += [(key, asset) for asset in manifest_document["assets"].values()]
    for where, asset in shown:
        key = asset["key"]
        report.assets_checked += 1
        if key not in evidence.objects and where.startswith("completed") and _was_collected(evidence, key):
            continue  # a person had it deleted since
        if key not in evidence.objects:
            report.problems.append(f"{where}: {key} is not in the store")
        elif (evidence.objects[key], evidence.sha256(key)) != (asset["bytes"], asset["sha256"]):
            report.problems.append(f"{where}: {key} has other bytes than recorded")


def _was_collected(evidence: Evidence, key: str) -> bool:
    """Whether the job in the ledger says that the assets of this key's generation were deleted on purpose."""
    short, _, generation = key.rpartition("-")[2].partition(".")[0].partition("x")
    found = [entry for name, entry in evidence.jobs().items() if short in name]
    return any(int(generation or 0) < len(entry.get("collected", ())) for entry in found)


def _bought_once(evidence: Evidence, report: Report) -> None:
    """L2: of one purchase at most one job alive or completed; a further one only after the last had failed.

    Or after `skustream gc` deleted what the last one had made: the ledger keeps its id. Or once for every person's
    decision, where the last one's id was lost with its answer.
    """
    collected, known = _collected(evidence), _known(evidence)
    decided = Decisions(evidence).bought_again()
    purchases: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for job in evidence.books["jobs"]:
        purchases.setdefault(_purchase(job), []).append(job)
    for purchase, jobs in purchases.items():
        jobs.sort(key=lambda job: job["submitted_at"])
        for earlier, later in pairwise(jobs):
            if earlier["id"] in collected:
                continue
            if earlier["id"] not in known and decided[_image_of(earlier)] > 0:
                decided[_image_of(earlier)] -= 1
                continue
            if earlier["status"] != "failed" or earlier["finished_at"] > later["submitted_at"]:
                report.problems.append(f"L2: bought again while {earlier['status']}: {purchase}")
    report.jobs_accepted = len(evidence.books["jobs"])


def _known(evidence: Evidence) -> set[str]:
    """Ids of jobs that the ledger has, whatever became of them."""
    entries = evidence.jobs().values()
    return {str(entry["job_id"]) for entry in entries} | {
        job_id for entry in entries for job_id in entry["failed_jobs"]
    }


def _purchase(job: dict[str, Any]) -> tuple[str, ...]:
    """What makes two jobs the same: image, operation, input picture and parameters."""
    params = sorted((name, str(value)) for name, value in job["params"].items())
    return (*_image_of(job), job["operation"], job["sha256"], str(params))


def _image_of(job: dict[str, Any]) -> tuple[str, str]:
    """SKU and image from the picture's address, `.../<sku>/<image>/<asset>`; an upload has none."""
    if job["image_url"] is None:
        return "", ""
    sku_id, image_id, _ = urlsplit(job["image_url"]).path.rsplit("/", 3)[1:]
    return sku_id, image_id


def _all_accounted(evidence: Evidence, report: Report) -> list[dict[str, Any]]:
    """Every accepted job is settled or failed in the ledger, or named in a letter; returns those whose id was lost.

    A lost id is accounted for when a letter `ambiguous-submit` of that image and operation says so.
    """
    known = {str(entry.get("job_id")) for entry in evidence.jobs().values() if entry["state"] in _ENDED}
    known |= {job_id for entry in evidence.jobs().values() for job_id in entry["failed_jobs"]}
    known |= _collected(evidence)
    doubts: Counter[tuple[str, str, str]] = Counter()
    for letter in evidence.records["dead-letter"]:
        known |= set(letter.headers.get("skustream.job-ids", "").split(","))
        if letter.headers["skustream.reason"] == AMBIGUOUS:
            doubts[_doubted(letter)] += 1
    unknown = [job for job in evidence.books["jobs"] if job["id"] not in known]
    for job in unknown:
        doubted = (*_image_of(job), _OPERATIONS[job["operation"]])
        if doubts[doubted] <= 0:
            report.problems.append(f"L2: job {job['id']} ({doubted}) is in no ledger document and no letter")
        doubts[doubted] -= 1
    report.jobs_unknown = len(unknown)
    return unknown


def _collected(evidence: Evidence) -> set[str]:
    """Ids of jobs whose assets were deleted on purpose."""
    generations = [each for entry in evidence.jobs().values() for each in entry.get("collected", ())]
    return {job_id for generation in generations for job_id in generation}


_ENDED = frozenset({"settled", "condemned", "blocked", "failed", "overdue"})
_OPERATIONS = {
    "remove-background": "remove-bg", "upscale": "upscale", "replace-background": "replace-bg",
    "add-shadow": "add-shadow",
}  # fmt: skip


def _doubted(letter: Record) -> tuple[str, str, str]:
    told = letter.headers
    return told["skustream.sku-id"], told["skustream.image-id"], told.get("skustream.operation", "")


def _money(evidence: Evidence, report: Report, unknown: list[dict[str, Any]]) -> None:
    """Credits told in ends and letters add up to what the provider took, jobs of unknown fate apart."""
    report.net_credits = _net(evidence.books["jobs"])
    told = sum((Decimal(record.json()["credits"]) for record in evidence.records["completed"]), start=Decimal(0))
    resolved = {entry["key"]: entry for entry in evidence.jobs().values() if entry["state"] == "settled"}
    replayed = Decisions(evidence).replayed
    for letter in evidence.records["dead-letter"]:
        if letter.at in replayed:
            continue  # the end of its replay tells what the event paid before, too
        told += _told_in(letter)
        if letter.headers["skustream.reason"] == AMBIGUOUS:
            # An acceptance that came late: the ledger has the price the letter could not know.
            entry = resolved.pop(letter.headers["skustream.job-key"], None)
            told += Decimal(entry["credits"]) if entry else 0
    expected = report.net_credits - _net(unknown)
    if told != expected:
        report.problems.append(f"L4: ends and letters tell of {told} credits, the provider took {expected}")


def _told_in(letter: Record) -> Decimal:
    """Paid in earlier stages, and for the job the letter is about."""
    told = Decimal(letter.headers.get("skustream.credits", "0"))
    if letter.headers["skustream.input.topic"].endswith(ENTRY_TOPICS):
        return told
    try:
        assets = letter.json()["assets"]
    except (ValueError, KeyError, TypeError):  # the first stage's, from a retry topic
        return told
    return told + sum((Decimal(asset["credits"]) for asset in assets.values()), start=Decimal(0))


def _net(jobs: Iterable[dict[str, Any]]) -> Decimal:
    return sum(
        (Decimal(str(job["charged_credits"])) - Decimal(str(job["refunded_credits"])) for job in jobs), Decimal(0)
    )


def _in_contract(evidence: Evidence, report: Report, contract: tuple[int, float]) -> None:
    """L3: requests in any window as they arrived, and none refused for coming too often."""
    requests, window_seconds = contract
    arrivals = sorted(request["arrived"] for request in evidence.books["requests"])
    first = 0
    for last, now in enumerate(arrivals):
        while now - arrivals[first] >= window_seconds:
            first += 1
        report.most_in_window = max(report.most_in_window, last - first + 1)
    report.throttled = sum(request["status"] == 429 for request in evidence.books["requests"])
    if report.most_in_window > requests:
        report.problems.append(f"L3: {report.most_in_window} requests in {window_seconds} s, contract {requests}")
    if report.throttled:
        report.problems.append(f"L3: {report.throttled} times 429")


def _no_key_anywhere(evidence: Evidence, report: Report) -> None:
    """The API key is in no record, header, log or object, and was shown to no host that needs none."""
    key = evidence.api_key
    for records in evidence.records.values():
        for record in records:
            texts = [record.value or b"", record.key or b"", *(text.encode() for text in record.headers.values())]
            if any(key.encode() in text for text in texts):
                report.problems.append(f"the API key is in {record.at}")
    report.problems += [f"the API key is in the object {name}" for name in evidence.documents.get("_leaks", {})]
    report.problems += [
        f"the API key is in {log.name}" for log in evidence.logs if key in log.read_text(errors="replace")
    ]
    if evidence.books["totals"]["key_leaks"]:
        report.problems.append("the API key was sent with a download")
