"""The loops that read the log."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import msgspec

from schemas.codec import decode, decode_as
from schemas.envelope import Event
from schemas.events import AlertDecided
from schemas.topics import ALERTS, ASSESSMENTS, REASSESSMENTS, WINDOWS
from services.notify.sql.changes import SqlChanges
from services.notify.sql.heartbeat_counts import SqlJudgedReports
from services.notify.sql.truce_notices import SqlTruceNotices
from services.notify.use_cases.take_alerts import Arrival
from services.notify.wiring.stores import Stores
from services.platform.bus.consume import Loop
from services.platform.clock import Clock
from services.platform.process.runtime import Runtime

GROUP: Final = "notify.alerts"
COUNTING: Final = "notify.counts"
SCHEDULES: Final = "notify.windows"
CHANGES: Final = "notify.reassessments"
#: Counting is in no hurry: it waits for company, so that it costs the writer a few commits a second.
COUNTED_AT_ONCE: Final = 1_000
COUNTING_LINGERS_S: Final = 0.25

TakeArrivals = Callable[[Sequence[Arrival]], Awaitable[None]]


async def open_loops(runtime: Runtime, stores: Stores, take: TakeArrivals) -> list[Loop]:
    """``take`` is given the alerts that arrive."""
    clock = runtime.clock
    return [
        await runtime.loop(ALERTS, GROUP, partial(_take, take, runtime), limit=200),
        await runtime.loop(ASSESSMENTS, COUNTING, partial(_count, stores.judged, clock), limit=COUNTED_AT_ONCE),
        await runtime.loop(WINDOWS, SCHEDULES, partial(_learn, stores.notices, clock)),
        await runtime.loop(REASSESSMENTS, CHANGES, partial(_end, stores.changes, clock)),
    ]


async def _take(take: TakeArrivals, runtime: Runtime, events: Sequence[Event]) -> None:
    now = runtime.clock.now()
    with runtime.tracing.each("decide", events) as traced:
        await take([_arrival(event, now) for event in traced])


async def _count(judged: SqlJudgedReports, clock: Clock, events: Sequence[Event]) -> None:
    if len(events) < COUNTED_AT_ONCE:
        await clock.sleep(COUNTING_LINGERS_S)
    await judged.add(list(dict.fromkeys(event.key for event in events)), clock.now())


async def _learn(notices: SqlTruceNotices, clock: Clock, events: Sequence[Event]) -> None:
    await notices.learn([decode(event) for event in events], clock.now())


async def _end(changes: SqlChanges, clock: Clock, events: Sequence[Event]) -> None:
    await changes.end([decode(event) for event in events], clock.now())


class _RawAlert(msgspec.Struct):
    alert: msgspec.Raw


def _arrival(event: Event, now: int) -> Arrival:
    decided: AlertDecided = decode(event)
    body = bytes(decode_as(event, _RawAlert).alert)
    return Arrival(decided.alert, body, event.id, now, event.traceparent)
