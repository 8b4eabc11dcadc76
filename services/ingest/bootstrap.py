"""Ingest, wired: which adapter stands behind each port, which loops run."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from schemas import codec
from schemas.envelope import Event
from schemas.events import IncidentReported, KeyChanged, RegistryChanged
from schemas.instants import HOUR, format_instant
from schemas.topics import ASSESSMENTS, AUDIT, DEAD_SUFFIX, INCIDENTS, KEYS, REGISTRY, Topic
from schemas.zones import UTC, find_zone
from services.ingest.admission import Admission, LocalTime
from services.ingest.api import build_router
from services.ingest.api_keys import build_operator_router
from services.ingest.batch import Batches, Claim, Claimed, Settlement
from services.ingest.intake import Intake
from services.ingest.judged import read_judged
from services.ingest.keys import ensure_first_key
from services.ingest.sql import SqlAnswers, SqlIncidents
from services.ingest.sql_keys import SqlKeys, keep_audit
from services.ingest.use_cases import Command, Outcome, claim, follow_assessments, follow_deaths, take
from services.ingest.waiting import NAME as WAITING
from services.ingest.waiting import Waiting
from services.shared.bus.consume import Loop
from services.shared.db.group import GroupWriter
from services.shared.runtime import Runtime, Service, Task
from services.shared.security import new_secret

#: Idempotency-Keys are remembered for this long after their first use, and forgotten within the hour after it.
REMEMBERED: Final = 48 * HOUR
SWEEP_S: Final = 3600.0
FORGETTING: Final = "ingest.forget_idempotency_keys"
#: Verdicts show in lists this much later, so that many are written at once.
SHOWN_WITHIN_S: Final = 0.05
#: Every process follows the keys; all bury under one name what none can read.
KEYS_FOLLOWER: Final = "keys"
DEAD_INCIDENTS: Final = Topic(
    INCIDENTS.name + DEAD_SUFFIX, IncidentReported, INCIDENTS.type, INCIDENTS.key, INCIDENTS.owner
)


async def prepare_keys(runtime: Runtime) -> str | None:
    """See that there is an operator key, and have the ring follow the log from now on.

    Returns the secret of a key that was made here, to be shown once.
    """
    await feed_keys(runtime)
    first = await ensure_key(runtime)
    for key in await runtime.database.read(lambda connection: SqlKeys(connection).all()):
        # What was revoked is so whatever the log ends with: a relay that was stopped in mid-batch may repeat itself.
        runtime.keys.apply(key)
    return first


async def ensure_key(runtime: Runtime) -> str | None:
    """See that there is an operator key. Raises RetryLaterError."""
    secret, now = new_secret(), runtime.clock.now()

    def flush(connection: Connection, asked: Sequence[str | None]) -> list[str | None]:
        return [ensure_first_key(SqlKeys(connection), admin_key, secret, now) for admin_key in asked]

    (first,) = await GroupWriter(runtime.database, flush).write([runtime.settings.admin_key])
    return first


async def feed_keys(runtime: Runtime) -> None:
    """Have the ring hold every key on the log, and follow it for as long as the process runs."""

    async def apply(event: Event) -> None:
        change: KeyChanged = codec.decode(event)
        runtime.keys.apply(change)

    await runtime.tail(KEYS, KEYS_FOLLOWER, apply)


async def build(runtime: Runtime) -> Service:
    """Ingest over the parts of this process. The key ring is the caller's to feed."""
    database = runtime.database
    local = LocalTime(UTC)
    stop_following = await _follow_time_zone(runtime, local)
    admission = Admission(runtime.clock.now, local)
    writer = GroupWriter[Command, Outcome](database, _take)
    intake = Intake(runtime.keys, admission, writer, runtime.metrics, runtime.tracing)
    batches = Batches(intake, admission, GroupWriter[Claim, Claimed](database, _claim))
    router = build_router(intake, batches, database, runtime.clock, local)
    router.include_router(build_operator_router(runtime))
    waiting = Waiting(database, runtime.clock, runtime.faults)
    loops = [
        await runtime.loop(ASSESSMENTS, "ingest.assessments", _Follower(runtime).assessments, linger_s=SHOWN_WITHIN_S),
        await runtime.loop(DEAD_INCIDENTS, "ingest.dead", _Follower(runtime).deaths),
        await runtime.loop(AUDIT, "ingest.audit", _Follower(runtime).audit),
    ]
    return Service(
        name="ingest",
        router=router,
        loops=loops,
        tasks=[Task(FORGETTING, _Follower(runtime).sweep), Task(WAITING, waiting.follow)],
        stop=[stop_following],
        status=lambda: _status(loops, waiting),
        wrap=intake.wrap,
        state={"local_time": local},
    )


def _take(connection: Connection, commands: Sequence[Command]) -> list[Outcome]:
    return take(SqlIncidents(connection), SqlAnswers(connection), commands)


def _claim(connection: Connection, claims: Sequence[Claim]) -> list[Claimed]:
    return [_claim_one(SqlAnswers(connection), one) for one in claims]


def _claim_one(answers: SqlAnswers, one: Claim) -> Claimed:
    if isinstance(one, Settlement):
        answers.settle(one.once, one.body)
        return None
    return claim(answers, *one)


async def _follow_time_zone(runtime: Runtime, local: LocalTime) -> Any:
    newest = 0

    async def on_event(event: Event) -> None:
        nonlocal newest
        if not event.key.startswith("settings/"):
            return
        change: RegistryChanged = codec.decode(event)
        # The log may repeat itself: what an older version said is not said again.
        if change.body is not None and change.version >= newest:
            local.zone, newest = find_zone(change.body["timezone"]), change.version

    return await runtime.tail(REGISTRY, "ingest.registry", on_event)


class _Follower:
    """What ingest does with the events of others; each handler is one unit of work, harmless to repetition."""

    def __init__(self, runtime: Runtime) -> None:
        self._database = runtime.database
        self._clock = runtime.clock
        self._faults = runtime.faults

    async def assessments(self, events: Sequence[Event]) -> None:
        judged = [read_judged(event) for event in events]
        await self._database.write(
            lambda c: follow_assessments(SqlIncidents(c), judged), durable=False, rows=len(judged)
        )

    async def deaths(self, events: Sequence[Event]) -> None:
        dead = [(event.key, number) for event in events if (number := _revision_of(event)) is not None]
        await self._database.write(lambda c: follow_deaths(SqlIncidents(c), dead), durable=False)

    async def audit(self, events: Sequence[Event]) -> None:
        await self._database.write(lambda c: keep_audit(c, events), durable=False)

    async def sweep(self) -> None:
        """Forget old Idempotency-Keys, for ever."""
        while True:
            await self._faults.guard(FORGETTING, lambda: self._forget(self._clock.now() - REMEMBERED))
            await self._clock.sleep(SWEEP_S)

    async def _forget(self, before: int) -> None:
        await self._database.write(lambda c: SqlAnswers(c).forget(before), durable=False)


class _Numbered(msgspec.Struct):
    revision: int


def _revision_of(event: Event) -> int | None:
    """The revision in a dead letter; None where its bytes are not even that, which is why they are dead."""
    try:
        return msgspec.json.decode(event.data, type=_Numbered).revision
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _status(loops: Sequence[Loop], waiting: Waiting) -> Mapping[str, Any]:
    failing = next((loop.failing for loop in loops if loop.failing is not None), None)
    state = {"state": "ok"} if failing is None else {"state": "degraded", "detail": failing}
    last = None if waiting.last is None else format_instant(waiting.last)
    return {**state, "oldest_unassessed_s": waiting.seconds(), "last_report_at": last}
