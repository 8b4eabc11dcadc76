"""CloudEvents 1.0 attributes around the bytes of one event. https://github.com/cloudevents/spec, v1.0.2"""

from typing import Final

import msgspec

SPEC_VERSION: Final = "1.0"
CONTENT_TYPE: Final = "application/json"


class Event(msgspec.Struct, frozen=True):
    """One event as it lies in the outbox and on the log.

    ``id`` is unique within ``source`` and a function of what happened, so that a repetition is recognised;
    ``key`` decides the partition, hence the order; ``time`` is RFC 3339 UTC; ``data`` is JSON. ``reason`` is why a
    consumer gave the event up, on ``.dead`` topics only. ``problem`` is the problem document (RFC 9457) of a record
    of a partner's topic, on the ``.dead`` beside it only: it is never in the outbox.
    """

    topic: str
    key: str
    id: str
    type: str
    source: str
    time: str
    data: bytes
    traceparent: str | None = None
    reason: str | None = None
    problem: str | None = None
