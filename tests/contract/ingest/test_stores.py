"""The stores of ingest, on both databases."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from schemas.events import Actor
from schemas.instants import parse_instant
from schemas.report import Report
from schemas.time_span import TimeSpan
from services.admin.sql import SqlAuditTrail, SqlKeys
from services.admin.use_cases import create_key, ensure_first_key, new_key, revoke_key
from services.ingest.bootstrap import _take
from services.ingest.domain import name_incident
from services.ingest.incident_view import find_incident
from services.ingest.listing import list_incidents
from services.ingest.sql import SqlAnswers, SqlIncidents, find_oldest_unassessed
from services.ingest.use_cases import (
    Command,
    Filing,
    IdempotencyKey,
    IntakeOutcome,
    KeyReused,
    Recorded,
    Retraction,
    Stale,
    claim,
    follow_assessments,
    follow_deaths,
)
from services.ingest.withheld import EVERYTHING, Reader
from services.platform import audit
from services.platform.db.engine import Database
from services.platform.db.group import GroupWriter
from services.platform.paging import PageQuery
from tests.component.ingest.running import judged, report

OWNER = "partner-a"
DUTY = Actor("o1", "duty")

VIOLATIONS = PageQuery(chosen={"verdict": ("violation",)})


def filing(external_id: str, *, at: int = 1000, start: int = 0, **changes: Any) -> Filing:
    made = msgspec.convert(report(external_id=external_id, **changes), Report)
    once = changes.pop("once", None)
    return Filing(name_incident(OWNER, external_id), OWNER, made, TimeSpan(start, start + 10), at, None, once)


async def take(database: Database, commands: Sequence[Command]) -> Sequence[IntakeOutcome]:
    return await database.write(lambda connection: _take(connection, commands))


async def test_revisions_of_one_unit_follow_each_other(database: Database) -> None:
    acts = ("shelling", "rocket", "rocket", "mortar")
    commands = [filing("b"), *(filing("a", act=act) for act in acts)]
    outcomes = await take(database, commands)
    assert [(one.revision, one.fresh) for one in outcomes if isinstance(one, Recorded)] == [
        (1, True), (1, True), (2, True), (2, False), (3, True),
    ]  # fmt: skip
    assert await take(database, [filing("a")]) == [Stale(name_incident(OWNER, "a"), 1, 3)]
    found = await database.read(lambda c: find_incident(c, name_incident(OWNER, "a"), EVERYTHING))
    assert found is not None
    assert [one.revision for one in found.revisions] == [3, 2, 1]
    listed = await database.read(lambda c: list_incidents(c, PageQuery()))
    assert sorted((one.summary.external_id, one.summary.revision) for one in listed) == [("a", 3), ("b", 1)]


async def test_more_reports_than_one_statement_takes(database: Database) -> None:
    outcomes = await take(database, [filing(f"e{n}", at=n) for n in range(700)])
    assert sum(isinstance(one, Recorded) and one.fresh for one in outcomes) == 700
    again = await take(database, [filing(f"e{n}") for n in range(700)])
    assert not any(isinstance(one, Recorded) and one.fresh for one in again)


async def test_two_processes_never_give_one_number_twice(database_url: str, database: Database) -> None:
    other = Database(database_url)
    writers = [GroupWriter[Command, IntakeOutcome](one, _take) for one in (database, other)]
    texts = [f"version {n}" for n in range(40)]
    outcomes = await asyncio.gather(
        *(writers[n % 2].write([filing("a", description=text), filing(f"b{n}")]) for n, text in enumerate(texts))
    )
    revisions = [pair[0].revision for pair in outcomes if isinstance(pair[0], Recorded)]
    assert sorted(revisions) == list(range(1, 41))
    found = await database.read(lambda c: find_incident(c, name_incident(OWNER, "a"), EVERYTHING))
    assert found is not None
    assert found.revision == 40
    assert len(await database.read(lambda c: list_incidents(c, PageQuery(chosen={"external_id": ("a",)})))) == 1
    await other.close()


async def test_two_processes_keep_one_answer_to_an_idempotency_key(database_url: str, database: Database) -> None:
    other = Database(database_url)
    writers = [GroupWriter[Command, IntakeOutcome](one, _take) for one in (database, other)]
    once = [IdempotencyKey(OWNER, "k", b"same"), IdempotencyKey(OWNER, "k", b"other")]
    outcomes = await asyncio.gather(
        *(writers[n].write([msgspec.structs.replace(filing(f"e{n}"), once=once[n])]) for n in (0, 1))
    )
    assert sorted(type(one[0]).__name__ for one in outcomes) == ["KeyReused", "Recorded"]
    await other.close()


async def test_retractions_keep_the_report_and_are_audited_when_an_operator_does_them(database: Database) -> None:
    incident_id = name_incident(OWNER, "a")
    await take(database, [filing("a")])
    outcomes = await take(
        database,
        [
            Retraction(incident_id, "not theirs", "someone else", Actor("p2", "someone else"), 2000),
            Retraction(incident_id, "withdrawn", OWNER, Actor("p1", OWNER), 2000),
            Retraction(incident_id, "false", None, DUTY, 3000),
        ],
    )
    assert [getattr(one, "revision", None) for one in outcomes] == [None, 2, 3]
    found = await database.read(lambda c: find_incident(c, incident_id, Reader(OWNER)))
    assert found is not None
    assert [one.retracted for one in found.revisions] == ["false", "withdrawn", None]
    latest = await database.read(lambda c: SqlIncidents(c).latest([incident_id]))
    assert latest[incident_id].report == filing("a").report


async def test_the_projection_keeps_the_highest_sequence_and_leads_lists_by_verdict(database: Database) -> None:
    await take(database, [filing("a", start=0), filing("b", start=5), filing("c", start=9)])
    a, b, c = (name_incident(OWNER, name) for name in "abc")
    decode = [(a, 2, "violation"), (a, 1, "excluded"), (b, 1, "violation"), (c, 1, "excluded")]
    assessed = [_assessed(judged(incident_id, 1, n, verdict)) for incident_id, n, verdict in decode]  # type: ignore[arg-type]
    await database.write(lambda connection: follow_assessments(SqlIncidents(connection), assessed))
    await database.write(lambda connection: follow_assessments(SqlIncidents(connection), assessed[1:2]))
    await database.write(lambda connection: follow_deaths(SqlIncidents(connection), [(c, 1), (c, 1)]))
    listed = await database.read(lambda connection: list_incidents(connection, VIOLATIONS))
    assert {one.summary.external_id for one in listed} == {"a", "b"}
    first = await database.read(lambda connection: list_incidents(connection, replace(VIOLATIONS, limit=1)))
    rest = await database.read(lambda connection: list_incidents(connection, replace(VIOLATIONS, after=first[0].key)))
    assert [one.summary.external_id for one in (*first[:1], *rest)] == [one.summary.external_id for one in listed]


async def test_lists_page_by_time_then_arrival(database: Database) -> None:
    await take(database, [filing(f"e{n}", start=n // 2, at=n // 4) for n in range(8)])
    everything = await database.read(lambda c: list_incidents(c, PageQuery(limit=10)))
    keys = [one.key for one in everything]
    assert keys == sorted(keys, reverse=True)
    for index, key in enumerate(keys):
        after = await database.read(lambda c, key=key: list_incidents(c, PageQuery(limit=10, after=key)))  # type: ignore[misc]
        assert [one.key for one in after] == keys[index + 1 :]
    within = await database.read(lambda c: list_incidents(c, PageQuery(start=11, end=13), Reader(OWNER)))
    assert {one.summary.external_id for one in within} == {f"e{n}" for n in (4, 5, 6, 7)}
    assert await database.read(lambda c: list_incidents(c, PageQuery(), Reader("nobody"))) == []


async def test_the_oldest_report_without_a_judgement(database: Database) -> None:
    await take(database, [filing("a", at=100), filing("b", at=200), filing("c", at=300)])
    a, b = name_incident(OWNER, "a"), name_incident(OWNER, "b")
    assert await database.read(lambda c: find_oldest_unassessed(c, 0)) == 100
    assert await database.read(lambda c: find_oldest_unassessed(c, 150)) == 200
    await database.write(lambda c: follow_assessments(SqlIncidents(c), [_assessed(judged(a, 1, 1))]))
    # A record that a stranger put on the log is of no report that is kept.
    await database.write(lambda c: follow_deaths(SqlIncidents(c), [("unknown", 7)]))
    await database.write(lambda c: follow_deaths(SqlIncidents(c), [(b, 1)]))
    assert await database.read(lambda c: find_oldest_unassessed(c, 0)) == 300


async def test_a_claimed_key_is_answered_once_and_forgotten_in_time(database: Database) -> None:
    once = IdempotencyKey(OWNER, "batch", b"content")
    assert await database.write(lambda c: claim(SqlAnswers(c), once, 100)) is None
    assert await database.write(lambda c: claim(SqlAnswers(c), once, 100)) is None
    await database.write(lambda c: SqlAnswers(c).settle(once, b"first"))
    await database.write(lambda c: SqlAnswers(c).settle(once, b"second"))
    answer = await database.write(lambda c: claim(SqlAnswers(c), once, 100))
    assert not isinstance(answer, KeyReused)
    assert answer is not None
    assert answer.body == b"first"
    other = msgspec.structs.replace(once, fingerprint=b"other")
    assert isinstance(await database.write(lambda c: claim(SqlAnswers(c), other, 100)), KeyReused)
    assert await database.write(lambda c: SqlAnswers(c).forget(100)) == 0
    assert await database.write(lambda c: SqlAnswers(c).forget(101)) == 1


async def test_keys_and_the_audit(database: Database) -> None:
    assert await database.write(lambda c: ensure_first_key(SqlKeys(c), None, "secret", 1)) == "secret"
    assert await database.write(lambda c: ensure_first_key(SqlKeys(c), None, "another", 2)) is None
    key = new_key("k1", "partner-a", "partner", "s", 3, None)
    await database.write(lambda c: create_key(SqlKeys(c), key, DUTY))
    assert [one.name for one in await database.read(lambda c: SqlKeys(c).all())] == ["partner-a", "operator"]
    await database.write(lambda c: revoke_key(SqlKeys(c), "k1", 4, DUTY))
    assert (await database.read(lambda c: SqlKeys(c).all()))[0].revoked_at is not None
    acts = [_audited(n) for n in range(3)]
    trail = SqlAuditTrail(database)
    await trail.keep(acts)
    await trail.keep(acts)
    entries = (await trail.list(PageQuery(limit=1)))[:2]
    rest = await trail.list(PageQuery(after=(parse_instant(entries[-1].at), entries[-1].id)))
    assert [one.resource for one in (*entries, *rest)] == ["r/2", "r/1", "r/0"]


async def test_the_audit_of_an_act_has_one_id(database: Database) -> None:
    def twice(connection: Any) -> list[str]:
        for _ in range(2):
            audit.record(connection, at=5, actor=DUTY, action="tried", resource="r/1", detail={"a": 1})
        return [event.id for _, event in connection.info["committed_events"].events]

    first, second = await database.write(twice)
    assert first == second


def _assessed(event: Any) -> Any:
    from services.ingest.projection import read_judged

    return read_judged(event)


def _audited(number: int) -> Any:
    from schemas import codec
    from schemas.events import OperatorActed
    from schemas.topics import AUDIT

    act = OperatorActed(f"2016-05-08T12:00:0{number}Z", DUTY, "did", f"r/{number}")
    return codec.encode(AUDIT, act, key=act.resource, id=f"a{number}", time=act.at)
