"""Rules as verbs: assess what was reported, answer what was assessed."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from schemas.assessments import Assessment
from schemas.codec import decode, encode_raw
from schemas.envelope import Event
from schemas.events import IncidentReported
from schemas.topics import ALERTS, ASSESSMENTS
from services.rules import sql
from services.rules.domain.alerting import AlertState, decide_alert, without_words
from services.rules.domain.evaluate import Case, Judge
from services.rules.domain.model import Registry
from services.rules.domain.telling import Teller
from services.rules.registry_sql import current_version
from services.shared.clock import Clock
from services.shared.db import outbox
from services.shared.db.engine import Database
from services.shared.failures import RetryLaterError
from services.shared.tracing import OFF, Tracing

Newest = Callable[[], Awaitable[Registry]]


class Bench:
    """Who judges now. Replaced as a whole, so no report is judged by half a change of the registry.

    ``newest`` reads the registry as it stands in the database. Raises RetryLaterError.
    """

    def __init__(self, registry: Registry, newest: Newest) -> None:
        self.judge = Judge(registry)
        self.teller = Teller(self.judge)
        self._newest = newest
        self._replacing = asyncio.Lock()

    async def catch_up(self) -> None:
        """Judge by the registry as it stands now, or a newer one. Raises RetryLaterError."""
        await self.adopt(await self._newest())

    async def adopt(self, registry: Registry) -> None:
        """Judge by ``registry`` from now on, unless a newer one is known; it is made ready off the event loop."""
        async with self._replacing:
            if registry.version > self.judge.registry.version:
                self.judge = await asyncio.to_thread(Judge, registry)
                self.teller = Teller(self.judge)


async def assess(judge: Judge, cases: Sequence[Case], now: int) -> list[Assessment]:
    """One assessment for each case, made off the event loop: a large registry, or a report whose place nobody can
    find, takes a while. What alerts will ask of the places is measured there too."""
    return await asyncio.to_thread(_assess, judge, cases, now)


def _assess(judge: Judge, cases: Sequence[Case], now: int) -> list[Assessment]:
    judgements = judge.assess(cases, now)
    for judgement in judgements:
        judge.areas_of(judgement.place)
    return judgements


class _StaleRegistryError(Exception):
    """The registry that was judged by is not the one that stands any more."""


_encode = msgspec.json.Encoder().encode

Observe = Callable[[Sequence[Assessment], Sequence[AlertState]], None]


def case_of(reported: IncidentReported) -> Case:
    """The case that a reported revision makes."""
    return Case(
        incident_id=reported.incident_id,
        revision=reported.revision,
        report=reported.report,
        retracted=reported.retracted,
    )


async def assess_incidents(
    events: Sequence[Event], bench: Bench, database: Database, clock: Clock, observe: Observe, tracing: Tracing = OFF
) -> None:
    """Judge each reported revision once, keep the assessments, and put out what follows from them.

    What is reported after a change of the registry was answered is judged by that change, whichever process made it:
    the transaction that keeps the assessments begins with a look at which registry stands. Repetition changes nothing:
    a revision that was judged before is passed over. Raises UnreadableEventError for an event that is none,
    RetryLaterError when another process judged the same incidents at this moment.
    """
    reported = [decode(event) for event in events]
    with tracing.each("judge", events) as events:
        kept = await _judge_and_keep(events, reported, bench, database, clock)
    observe([j.assessment for j in kept], [j.alert for j in kept if j.alert is not None and j.tells])


async def _judge_and_keep(
    events: Sequence[Event], reported: Sequence[IncidentReported], bench: Bench, database: Database, clock: Clock
) -> list[sql.Judgement]:
    while True:
        judge, teller = bench.judge, bench.teller
        judgements = await assess(judge, [case_of(r) for r in reported], clock.now())
        batch = list(zip(events, (r.partner for r in reported), judgements, strict=True))
        try:
            return await database.write(
                partial(_keep, judge.registry.version, teller, batch),
                durable=not database.is_log,
                rows=len(batch),
            )
        except IntegrityError as error:
            raise RetryLaterError("these incidents are being judged elsewhere") from error
        except _StaleRegistryError:
            await bench.catch_up()


def _keep(
    version: int, teller: Teller, batch: Sequence[tuple[Event, str, Assessment]], connection: Connection
) -> list[sql.Judgement]:
    if current_version(connection) > version:
        raise _StaleRegistryError
    standings = sql.load_standings(connection, [a.incident_id for *_, a in batch])
    kept: list[sql.Judgement] = []
    published: list[Event] = []
    for event, partner, assessment in batch:
        standing = standings.get(assessment.incident_id)
        if standing is not None and standing.revision >= assessment.revision:
            continue
        judgement, told = judge_next(teller, standing, assessment, partner, event)
        standings[assessment.incident_id] = sql.Standing(
            assessment.revision, judgement.sequence, judgement.alert, judgement.alert_body
        )
        kept.append(judgement)
        published.extend(told)
    sql.save_judgements(connection, kept)
    outbox.append(connection, published)
    return kept


def judge_next(
    teller: Teller, standing: sql.Standing | None, assessment: Assessment, partner: str, event: Event
) -> tuple[sql.Judgement, list[Event]]:
    """What is to be kept of one more assessment of an incident, and the events that tell of it."""
    sequence = 1 if standing is None else standing.sequence + 1
    last = None if standing is None else standing.alert
    decided = decide_alert(last, assessment, teller.surroundings_of)
    body = _encode(assessment)
    told = [_assessed(sequence, assessment, body, event.traceparent)]
    if decided is None:
        alert_body = None if standing is None else standing.alert_body
    else:
        alert_body = _encode(without_words(decided.alert))
        told.append(_alerted(decided, _encode(decided.alert), event.traceparent))
    tells = decided is not None
    return sql.Judgement(sequence, partner, assessment, body, event.data, decided or last, alert_body, tells), told


def _assessed(sequence: int, assessment: Assessment, body: bytes, traceparent: str | None) -> Event:
    return encode_raw(
        ASSESSMENTS,
        b'{"sequence":%d,"assessment":%b}' % (sequence, body),
        key=assessment.incident_id,
        id=f"{assessment.incident_id}-{sequence}",
        time=assessment.assessed_at,
        traceparent=traceparent,
    )


def _alerted(decided: AlertState, body: bytes, traceparent: str | None) -> Event:
    alert = decided.alert
    return encode_raw(
        ALERTS,
        b'{"alert":%b}' % body,
        key=alert.id,
        id=f"{alert.id}-{alert.revision}",
        time=alert.sent_at,
        traceparent=traceparent,
    )


@dataclass(frozen=True, slots=True)
class Flip:
    """An incident whose verdict another registry would change."""

    incident_id: str
    before: str
    after: str


async def find_flips(judge: Judge, database: Database, clock: Clock, limit: int) -> tuple[list[Flip], int]:
    """The first ``limit`` incidents whose verdict ``judge`` would change, and how many there are in all.

    Reads in slices, so that neither memory nor the event loop is held by the size of the history.
    """
    flips: list[Flip] = []
    count, after = 0, ""
    while stored := await database.read(lambda c, a=after: list(sql.load_stored(c, a, 200))):  # type: ignore[misc]
        after = stored[-1].incident_id
        cases = [case_of(_reported(s.event)) for s in stored]
        for was, now in zip(stored, await assess(judge, cases, clock.now()), strict=True):
            if was.verdict != now.verdict:
                count += 1
                if len(flips) < limit:
                    flips.append(Flip(was.incident_id, was.verdict, now.verdict))
    return flips, count


def _reported(data: bytes) -> IncidentReported:
    return msgspec.json.decode(data, type=IncidentReported)
