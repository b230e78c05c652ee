"""Why Kafka does not answer, or says no: one sentence, with the setting or the right that helps. Never a secret in it.

Comes in: what librdkafka says. Goes out: `Unavailable(broker)` and `Misconfigured` for a person. A wrong password and
an unknown certificate look like silence to a call that waits: a knock beside it hears why.
"""

import logging
import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata  # type: ignore[attr-defined] # re-exported, unmarked

from stream.core.errors import Misconfigured, Missing, Resource, Unavailable
from stream.roles import Grant, Kind

FIRST_SECONDS = 1.0
"""So long a call waits before somebody knocks."""
KNOCK_SECONDS = 8.0
"""So long for a connection to come about: of several addresses the first may be dead, and the second well."""
KNOCK_SLICE_SECONDS, KNOCK_REST_SECONDS = 0.5, 0.1
_CHATTER = logging.getLogger("librdkafka.knock")
"""Silent: of every failed connection it would tell what is told once here."""
_CHATTER.addHandler(logging.NullHandler())
_CHATTER.propagate = False
_SILENCE = frozenset(
    {KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN}  # noqa: SLF001 - the client's names
)
_WRONG_PROTOCOL = "listener?"
"""Of librdkafka's guess, "connecting to a PLAINTEXT broker listener?", or to an SSL one."""
_GUESSED = KafkaError._TRANSPORT  # noqa: SLF001 - likewise
"""It guesses so of every connection that is closed too early: by a balancer, too, whose broker has yet to start."""
_ADDRESS, _STATE = re.compile(r"^\S+/(bootstrap|\d+): "), re.compile(r" \(after \d+ms in state \w+.*?\)")
FORBIDDEN = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: Kind.TOPIC,
    KafkaError.GROUP_AUTHORIZATION_FAILED: Kind.GROUP,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: Kind.TRANSACTIONAL_ID,
}

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Heard:
    """What a knock brought: the cluster as it tells itself, or what stood in the way, if anything was told."""

    cluster: ClusterMetadata | None = None
    trouble: KafkaError | None = None


def cause_of(error: KafkaException) -> KafkaError:
    """What librdkafka says inside its exception."""
    cause = error.args[0]
    assert isinstance(cause, KafkaError)  # noqa: S101 - the client's promise
    return cause


def misfit(error: KafkaException) -> Misconfigured:
    """Options that librdkafka refuses, files it cannot read included."""
    words = cause_of(error).str()
    hint = "; is SKUSTREAM_KAFKA_SSL_KEY_PASSWORD (or ..._FILE) that key's password?" if "ssl.key" in words else ""
    return Misconfigured(f"kafka: {words}{hint}; look at SKUSTREAM_KAFKA_*, or at kafka in the settings file")


def principal_of(client: Mapping[str, Any]) -> str:
    """Who we are to the broker, as access lists name it."""
    return f"User:{client.get('sasl.username', '...')}"


def is_nameless(client: Mapping[str, Any]) -> bool:
    """Whether the broker cannot know who we are: with neither SASL nor TLS everybody is `User:ANONYMOUS`."""
    return str(client.get("security.protocol", "plaintext")).lower() == "plaintext"


def not_allowed(client: Mapping[str, Any], grant: Grant, *, others: int = 0) -> Unavailable:
    """A right that is not given, and the command that gives it; `others`: how many more there are."""
    right = f"{' and '.join(grant.operations)} on the {grant.kind} {grant.name}{'…' if grant.is_prefix else ''}"
    more = f", and {others} more (skustream check names them all)" if others else ""
    way_out = grant.command(principal_of(client))
    told = f"Kafka does not allow {principal_of(client)} {right}{more}; an administrator types: {way_out}"
    return Unavailable(Resource.BROKER, told, is_refusal=True)


def unwritten(error: KafkaError, client: Mapping[str, Any], topic: str) -> str:
    """Why a record could not be written to `topic`."""
    if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
        return str(not_allowed(client, Grant(Kind.TOPIC, topic, ("Write",))))
    return f"{error.name()}: {error.str()}"


def answered(call: Callable[[float], Answer], client: Mapping[str, Any], *, timeout_seconds: float) -> Answer:
    """`call(seconds)`; when nothing came within the first few, a knock tells whether waiting longer makes sense.

    Raises `Unavailable(broker)`.
    """
    until = time.monotonic() + timeout_seconds
    try:
        return call(min(FIRST_SECONDS, timeout_seconds))
    except KafkaException as error:
        if cause_of(error).code() not in _SILENCE:
            raise unanswered(cause_of(error)) from None
    heard = knock(client, timeout_seconds=min(KNOCK_SECONDS, timeout_seconds))
    if heard.trouble is not None:  # no connection came about; one that is slow is waited for
        raise unanswered(heard.trouble)
    try:
        return call(max(until - time.monotonic(), KNOCK_SLICE_SECONDS))
    except KafkaException as error:
        raise unanswered(cause_of(error)) from None


def meet(client: Mapping[str, Any], *, timeout_seconds: float) -> ClusterMetadata:
    """The cluster, if it answers in time. Raises `Unavailable(broker)`, `Misconfigured`, as `knock` does."""
    heard = knock(client, timeout_seconds=timeout_seconds)
    if heard.cluster is None:
        raise unanswered(heard.trouble or KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - the client's name
    return heard.cluster


def demand(names: Collection[str], existing: Collection[str]) -> None:
    """Raises `Missing` when a topic is."""
    missing = [name for name in names if name not in existing]
    if missing:
        raise Missing(
            f"there is no topic {', '.join(missing)}: skustream topics create, or another prefix "
            "(SKUSTREAM_TOPIC_PREFIX); one that this user may not describe is not seen either"
        )


def made(make: Callable[[], Answer]) -> Answer:
    """A client of librdkafka's. Raises `Misconfigured` for options that it refuses."""
    try:
        return make()
    except KafkaException as error:
        raise misfit(error) from None


def knock(client: Mapping[str, Any], *, timeout_seconds: float = KNOCK_SECONDS) -> Heard:
    """Whether a broker answers in time. Raises `Unavailable(broker)` at once when waiting hardly helps.

    Raises `Misconfigured` for options that librdkafka refuses.
    """
    troubles: list[KafkaError] = []
    options: dict[str, Any] = {**client, "error_cb": troubles.append}
    admin = made(lambda: AdminClient(options, logger=_CHATTER))
    until, slice_seconds = time.monotonic() + timeout_seconds, KNOCK_SLICE_SECONDS
    while True:
        try:
            return Heard(admin.list_topics(timeout=slice_seconds))
        except KafkaException:
            admin.poll(0)  # now the callback is told why
        for trouble in troubles:
            if words := _definite(trouble, client):
                raise Unavailable(Resource.BROKER, words, is_refusal=trouble.code() != _GUESSED)
        if time.monotonic() >= until:
            told = [each for each in troubles if each.code() != KafkaError._ALL_BROKERS_DOWN]  # noqa: SLF001 - as above
            return Heard(trouble=next(reversed(told or troubles), None))
        slice_seconds = min(slice_seconds * 2, KNOCK_SECONDS / 2)  # a slow broker needs a long question
        time.sleep(KNOCK_REST_SECONDS)


def unanswered(cause: KafkaError) -> Unavailable:
    """No answer, in the client's words; to a plain client a TLS port says nothing at all."""
    places = "KAFKA_BOOTSTRAP_SERVERS, SKUSTREAM_KAFKA_SECURITY_PROTOCOL, the network and the brokers"
    return Unavailable(Resource.BROKER, f"Kafka does not answer: {_plain(cause)}; look at {places}")


def _definite(trouble: KafkaError, client: Mapping[str, Any]) -> str:
    """The sentence about a trouble that no waiting mends, or hardly; empty for others."""
    words = _plain(trouble)
    if trouble.code() == KafkaError._AUTHENTICATION:  # noqa: SLF001 - the client's name
        return (
            f"Kafka does not let {principal_of(client)} in: {words}; look at SKUSTREAM_KAFKA_SASL_USERNAME, "
            "SKUSTREAM_KAFKA_SASL_PASSWORD (or ..._FILE) and SKUSTREAM_KAFKA_SASL_MECHANISM"
        )
    if trouble.code() == KafkaError._SSL:  # noqa: SLF001 - likewise
        return (
            f"no TLS connection to Kafka: {words}; look at SKUSTREAM_KAFKA_SSL_CA_LOCATION, the authority that signed "
            "the brokers' certificates"
        )
    if _WRONG_PROTOCOL in words:
        return (
            f"Kafka speaks another protocol there, or is only starting: {words}; look at "
            "SKUSTREAM_KAFKA_SECURITY_PROTOCOL and the port"
        )
    return ""


def _plain(cause: KafkaError) -> str:
    """Without the connection's address and state."""
    return _STATE.sub("", _ADDRESS.sub("", cause.str()))
