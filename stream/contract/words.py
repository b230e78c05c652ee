"""What every field of the contract means, for somebody who never saw this code. A test compares it with the models."""

RAW_EVENT = {
    "sku_id": "The product. Also taken as `id`, but not as both. The first part of every asset's key.",
    "id": "Another name of `sku_id`.",
    "raw_url": (
        "Where the photo is, without user name or password. What is fetched from where is the worker's setting."
    ),
    "event_id": "The sender's own, for finding the event again. Default: its topic, partition, offset and index.",
    "image_id": "Tells the photos of one product apart. Order is kept per (sku_id, image_id).",
    "version": "The photo's version: change it when the photo changes. Default: what the photo's server tells.",
    "sequence": "Grows with each event of the image; the best order there is.",
    "occurred_at": "A moment with its zone (RFC 3339); orders where `sequence` is missing.",
    "batch_id": "The sender's own; returned in the terminal record.",
    "stages": "The stages to pass, by name. Default: all. Each must find what it needs among what earlier ones make.",
    "params": "Parameters by stage name, over the pipeline's.",
    "attributes": "Anything; carried along, never read.",
}
COMPLETED = {
    "v": "Version of this record; fields may be added without a new one.",
    "event_id": "The event's own id, or `<topic>-<partition>-<offset>-<index>`.",
    "sku_id": "The product.",
    "image_id": "The image of the product.",
    "batch_id": "As the event said.",
    "status": "`completed`, or `superseded`: a newer event of the image is known, and its pictures stand.",
    "replay": "0 for the event itself, n for its nth replay.",
    "priority": "The entry topic's, or `replay`.",
    "origin": "Where the event entered: its identity for life. Per (origin, replay) there is exactly one end.",
    "superseded_by": "The newer event's origin, where one won.",
    "source_version": "The photo's version this was made from.",
    "assets": "Every picture made, by name.",
    "credits": "What this event paid in all, as a decimal number in text.",
    "started_at": "When the first stage read the event, in seconds since 1970.",
    "finished_at": "When the event ended, in seconds since 1970.",
}
ASSET = {
    "key": "Its place in the store; never changes its content.",
    "url": "Where the CDN serves it.",
    "content_type": "As HTTP calls it, from the bytes.",
    "width": "Pixels.",
    "height": "Pixels.",
    "bytes": "Size of the file.",
    "sha256": "Of the file, 64 hexadecimal digits.",
    "credits": "What this event paid for it, as a decimal number in text; 0 where it was reused.",
    "seconds": "From the start of the job to the asset in the store.",
}
ORIGIN = {
    "topic": "The entry topic.",
    "partition": "Its partition.",
    "offset": "The record's offset there.",
    "index": "Tells events of one record apart.",
}
DEFINITIONS = {"Asset": ASSET, "Origin": ORIGIN}
MARK = {
    "v": "Version of this record; fields may be added without a new one.",
    "fate": "`replayed`: the event went back; `discarded`: nobody need look at the letter again.",
    "topic": "Where the letter lies; with partition and offset also the key, `<topic>/<partition>/<offset>`.",
    "partition": "The letter's partition.",
    "offset": "The letter's offset.",
    "at_ms": "When it was decided, in Unix milliseconds.",
    "by": "Who decided.",
    "why": "Why, in a person's words.",
    "filter": "How the letters were chosen, and what was changed.",
    "plan_id": "The plan that was carried out.",
    "origin": "Of a replayed letter: where its event entered.",
    "origin_timestamp_ms": "The origin's record time, in Unix milliseconds; 0 or less for none.",
    "letter_timestamp_ms": "The letter's own record time; 0 for none. Another one at the same place is another letter: "
    "the topic was made anew, and this mark is not about it.",
    "replay": "The number that the replayed event bears from then on: per (origin, replay) there is exactly one end.",
    "stage": "Where it re-entered.",
}
"""A record of the compacted topic `replays`."""

LETTER_ALWAYS = {
    "skustream.origin.topic": "The event's identity: its entry topic; the record's own where it could not be read.",
    "skustream.origin.partition": "The same: partition.",
    "skustream.origin.offset": "The same: offset.",
    "skustream.origin.index": "The same: which event of the record.",
    "skustream.origin.timestamp": "The origin's record time, in Unix milliseconds; 0 or less for none.",
    "skustream.stage": "The stage that gave up.",
    "skustream.reason": "Why, as one word of a closed list (docs/reasons.md).",
    "skustream.error": "Why, as a sentence for a person.",
    "skustream.fingerprint": "Equal for repeats: the same content, failing in the same stage for the same reason.",
    "skustream.attempts": "Tries that failed, the last one included, those before a delayed retry too.",
    "skustream.replay": "0 for the event itself, n for its nth replay.",
    "skustream.input.topic": "The record that failed: its topic.",
    "skustream.input.partition": "Its partition.",
    "skustream.input.offset": "Its offset.",
    "skustream.history": "The first and the latest tries, as JSON: a list of [Unix milliseconds, word, cause].",
}
LETTER_SOMETIMES = {
    "skustream.event-id": "Where the record could be read: the event's id.",
    "skustream.sku-id": "Where the record could be read: the product.",
    "skustream.image-id": "Where the record could be read: the image.",
    "skustream.priority": "Where the record could be read: the event's priority.",
    "skustream.job-key": "Where a job is concerned: the ledger's name of it.",
    "skustream.job-ids": "Where a job is concerned: PixelAPI's ids of it, parted by commas.",
    "skustream.operation": "Where a job is concerned: what was ordered.",
    "skustream.credits": "Where a job is concerned: what was charged.",
    "skustream.credits-in-doubt": "`ambiguous-submit`: the price of the submit whose fate is unknown.",
    "skustream.traceback": "`bug`: where it broke.",
}
_INPUT = "For tools that know {} letters: the record that failed: its {}."
_KIND = "For tools that know {} letters: `skustream.` and the reason, in place of an exception's class."
LETTER_ELSEWHERE = {
    "__connect.errors.topic": _INPUT.format("Kafka Connect's", "topic"),
    "__connect.errors.partition": _INPUT.format("Kafka Connect's", "partition"),
    "__connect.errors.offset": _INPUT.format("Kafka Connect's", "offset"),
    "__connect.errors.connector.name": "The same: always `skustream`.",
    "__connect.errors.task.id": "The same: always 0.",
    "__connect.errors.stage": "The same: the stage that gave up.",
    "__connect.errors.class.name": "The same: what ran it.",
    "__connect.errors.exception.class.name": _KIND.format("Kafka Connect's"),
    "__connect.errors.exception.message": "The same: the sentence for a person.",
    "__connect.errors.exception.stacktrace": "The same: where it broke, if it fits whole.",
    "kafka_dlt-original-topic": _INPUT.format("Spring's", "topic"),
    "kafka_dlt-original-partition": _INPUT.format("Spring's", "partition") + " 4 bytes, big-endian.",
    "kafka_dlt-original-offset": _INPUT.format("Spring's", "offset") + " 8 bytes, big-endian.",
    "kafka_dlt-original-timestamp": _INPUT.format("Spring's", "time, Unix ms") + " 8 bytes, big-endian; -1 for none.",
    "kafka_dlt-original-timestamp-type": "The same: CreateTime, LogAppendTime or NoTimestampType.",
    "kafka_dlt-original-consumer-group": "The same: the stage's consumer group.",
    "kafka_dlt-exception-fqcn": _KIND.format("Spring's"),
    "kafka_dlt-exception-message": "The same: the sentence for a person.",
    "kafka_dlt-exception-stacktrace": "The same: where it broke, if it fits whole.",
}
LETTER_BINARY = frozenset(f"kafka_dlt-original-{what}" for what in ("partition", "offset", "timestamp"))
"""Headers that are no text."""
LETTER_NUMBERS = frozenset(
    {
        "skustream.origin.partition", "skustream.origin.offset", "skustream.origin.index",
        "skustream.attempts", "skustream.replay", "skustream.input.partition", "skustream.input.offset",
    }
)  # fmt: skip
"""Headers that hold a number, as decimal text."""
