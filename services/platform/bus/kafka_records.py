"""CloudEvents 1.0 on Kafka in binary mode: attributes are headers, data is the value, the subject is the key.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

from functools import lru_cache
from typing import Final, Protocol
from zlib import crc32

import msgspec

from schemas.envelope import CONTENT_TYPE, SPEC_VERSION, Event

#: Why a consumer gave the event up; on ``.dead`` topics only. An extension attribute, hence the plain name.
REASON: Final = "ce_reason"
#: The problem document of a refused record, JSON; on the ``.dead`` topics of partners only.
PROBLEM: Final = "problem"

Header = tuple[str, bytes]


class Record(Protocol):
    """The part of an aiokafka record that we read."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]


@lru_cache(maxsize=256)
def _common(kind: str, source: str) -> tuple[Header, ...]:
    return (
        ("ce_specversion", SPEC_VERSION.encode()),
        ("content-type", CONTENT_TYPE.encode()),
        ("ce_type", kind.encode()),
        ("ce_source", source.encode()),
    )


def headers_of(event: Event) -> list[Header]:
    """The headers that an event travels with."""
    headers = [
        *_common(event.type, event.source),
        ("ce_id", event.id.encode()),
        ("ce_time", event.time.encode()),
        ("ce_subject", event.key.encode()),
    ]
    if event.traceparent is not None:
        headers.append(("traceparent", event.traceparent.encode()))
    if event.reason is not None:
        headers.append((REASON, event.reason.encode()))
    if event.problem is not None:
        headers.append((PROBLEM, event.problem.encode()))
    return headers


def event_of(record: Record) -> Event:
    """The event that a record holds. A record that is no CloudEvent becomes one without a type, named after its
    place, so that its consumers find it unreadable and can give it up."""
    found = dict(record.headers)
    try:
        trace, reason = found.get("traceparent"), found.get(REASON)
        return Event(
            topic=record.topic,
            key=(record.key or b"").decode(),
            id=found["ce_id"].decode(),
            type=found["ce_type"].decode(),
            source=found["ce_source"].decode(),
            time=found.get("ce_time", b"").decode(),
            data=record.value or b"",
            traceparent=None if trace is None else trace.decode(),
            reason=None if reason is None else reason.decode(),
        )
    except (KeyError, UnicodeDecodeError, AttributeError):
        return _stray(record)


def partner_event_of(record: Record) -> Event:
    """A record of a partner's topic, whatever it holds: named after its place, the value as it stands."""
    trace = dict(record.headers).get("traceparent")
    return msgspec.structs.replace(
        _stray(record), traceparent=None if trace is None else trace.decode("ascii", "replace")
    )


def _stray(record: Record) -> Event:
    place = f"{record.topic}/{record.partition}/{record.offset}"
    key = (record.key or b"").decode("utf-8", "replace")
    return Event(record.topic, key, id=place, type="", source="", time="", data=record.value or b"")


def partition_of(key: str, partitions: int) -> int:
    """The partition of a key: CRC-32 modulo their number, as librdkafka's ``consistent`` partitioner has it."""
    return crc32(key.encode()) % partitions
