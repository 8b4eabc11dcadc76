"""Bytes <-> events. The one place that knows how a payload is written, and that reads older forms."""

from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeVar

import msgspec

from schemas.envelope import Event
from schemas.topics import AUDIT, TOPICS, Topic

T = TypeVar("T", bound=msgspec.Struct)

_encoder = msgspec.json.Encoder()
_decoders: dict[str, msgspec.json.Decoder[Any]] = {name: msgspec.json.Decoder(t.payload) for name, t in TOPICS.items()}


_SOURCES: Final = {name: f"/trucewatch/{t.owner}" for name, t in TOPICS.items()}


class UnreadableEventError(ValueError):
    """The bytes of an event do not have the form that its topic promises: never retried, sent to ``.dead``."""


def encode(topic: Topic, payload: msgspec.Struct, *, key: str, id: str, time: str, source: str = "") -> Event:
    """The event of a payload. ``id`` must be a function of the fact; ``time`` is RFC 3339 UTC."""
    return encode_raw(topic, _encoder.encode(payload), key=key, id=id, time=time, source=source)


def encode_raw(
    topic: Topic, data: bytes, *, key: str, id: str, time: str, source: str = "", traceparent: str | None = None
) -> Event:
    """The event of a payload that was written already, in the form that :func:`encode` gives it."""
    return Event(topic.name, key, id, topic.type, source or _SOURCES[topic.name], time, data, traceparent)


def decode(event: Event) -> Any:
    """The payload of an event, of its topic's class, older forms included. Raises UnreadableEventError."""
    older = _OLDER.get(event.topic)
    if older is None:
        return _decode(event, _decoders.get(event.topic))
    return _decode(msgspec.structs.replace(event, data=older(event.data)), _decoders.get(event.topic))


def decode_kept(topic: Topic, data: bytes) -> Any:
    """A payload that was kept as it was published. Raises UnreadableEventError."""
    return decode(Event(topic.name, "", "", topic.type, "", "", data))


def decode_as(event: Event, form: type[T]) -> T:
    """As much of the payload as ``form`` names; a field of ``msgspec.Raw`` is its JSON unchanged.

    Raises UnreadableEventError.
    """
    read: T = _decode(event, _decoder_of(form))
    return read


class _Acted(msgspec.Struct):
    actor: msgspec.Raw


_read_acted: Final = msgspec.json.Decoder(_Acted).decode


def _with_actor(data: bytes) -> bytes:
    """An act whose actor was the name of a key alone, which is all that was known of it."""
    try:
        said = bytes(_read_acted(data).actor).strip()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return data
    if not said.startswith(b'"'):
        return data
    act = msgspec.json.decode(data)
    return _encoder.encode({**act, "actor": {"key": None, "name": act["actor"]}})


#: Functions that bring older forms of a topic's payload to the present one.
_OLDER: Final[dict[str, Callable[[bytes], bytes]]] = {AUDIT.name: _with_actor}


@cache
def _decoder_of(form: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(form)


def _decode(event: Event, decoder: msgspec.json.Decoder[Any] | None) -> Any:
    if decoder is None:
        raise UnreadableEventError(f"{event.topic} event {event.id}: no topic is called so")
    try:
        return decoder.decode(event.data)
    except msgspec.DecodeError as error:
        raise UnreadableEventError(f"{event.topic} event {event.id}: {error}") from error
