"""The registry kept in every database: each version for good, one change at a time."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from schemas.events import Actor, OperatorActed, RegistryChanged
from schemas.instants import SECOND, parse_instant
from schemas.registry import Kind
from services.platform.db.engine import Database
from services.platform.db.tables import outbox
from services.platform.paging import PageQuery
from services.rules.judging.model import CompiledRegistry
from services.rules.registry import use_cases as registry_use_cases
from services.rules.registry.domain.document import check_document
from services.rules.registry.domain.resources import delete, put, split
from services.rules.registry.sql import SqlRegistry
from services.rules.registry.sql_history import SqlRegistryHistory
from services.rules.registry.use_cases import (
    Author,
    ChangeRefusedError,
    Edit,
    Flip,
    PreconditionFailedError,
    RegistryCache,
    Snapshot,
    change_registry,
    preview_change,
    read_registry,
)
from services.rules.registry.wire import read_resource
from tests.fakes import DrivenClock
from tests.unit.rules.registry_samples import announcement, document, read, truce

OPERATOR = Author(Actor("o1", "desk"), "registry.replaced", "registry")


def loading(**more: object) -> Edit:
    posted = read(document(**more))
    return lambda _: split(posted)


def putting(kind: Kind, id: str, body: bytes) -> Edit:
    resource = read_resource(kind, body)
    return lambda held: put(held, kind, id, resource)


UN_RENAMED = b'{"id":"un","kind":"other","name":{"en":"United Nations"}}'
NEW_PARTY = putting("parties", "un", b'{"id":"un","kind":"other","name":{"en":"UN"}}')


async def published(database: Database) -> list[RegistryChanged]:
    rows = await database.read(
        lambda c: c.execute(select(outbox.c.data).where(outbox.c.topic == "registry").order_by(outbox.c.seq)).scalars()
    )
    return [msgspec.json.decode(row, type=RegistryChanged) for row in rows]


async def audited(database: Database) -> list[OperatorActed]:
    rows = await database.read(
        lambda c: c.execute(select(outbox.c.data).where(outbox.c.topic == "audit").order_by(outbox.c.seq)).scalars()
    )
    return [msgspec.json.decode(row, type=OperatorActed) for row in rows]


@pytest.fixture
def store(database: Database) -> SqlRegistry:
    return SqlRegistry(database)


async def test_an_empty_registry_is_version_0(store: SqlRegistry) -> None:
    snapshot = await read_registry(store, RegistryCache())
    assert (snapshot.version, snapshot.resources, snapshot.registry.timezone) == (0, {}, "UTC")


async def test_a_document_is_stored_and_found_by_another_process(store: SqlRegistry) -> None:
    calm = truce("calm", announcement("d", "declare", "01 00", starts_at="2016-05-01"))
    written, changes = await change_registry(store, RegistryCache(), DrivenClock(), OPERATOR, loading(truces=[calm]))
    found = await read_registry(store, RegistryCache())
    assert found.version == written.version == 1
    assert len(changes) == 7
    assert found.resources == written.resources
    assert found.registry.truces == written.registry.truces
    assert found.versions == written.versions


async def test_of_all_who_look_at_once_one_reads_and_compiles_what_changed(
    store: SqlRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    await change_registry(store, RegistryCache(), DrivenClock(), OPERATOR, loading())
    compiled: list[int] = []

    def compile_once(*given: Any) -> Any:
        compiled.append(given[1])
        return check_document(*given)

    monkeypatch.setattr(registry_use_cases, "check_document", compile_once)
    cache = RegistryCache()
    found = await asyncio.gather(*(read_registry(store, cache) for _ in range(20)))
    assert ({snapshot.version for snapshot in found}, compiled) == ({1}, [1])


async def test_the_version_rises_by_one_for_each_request_that_changes_anything(store: SqlRegistry) -> None:
    cache, clock = RegistryCache(), DrivenClock()
    for _ in range(2):
        snapshot, _ = await change_registry(store, cache, clock, OPERATOR, loading())
        assert snapshot.version == 1
    snapshot, changes = await change_registry(store, cache, clock, OPERATOR, NEW_PARTY)
    assert (snapshot.version, [c.key for c in changes]) == (2, [("parties", "un")])
    assert snapshot.versions["parties", "un"] == 2
    assert snapshot.versions["parties", "army"] == 1


async def test_changes_that_one_process_is_asked_for_at_once_wait_for_each_other(store: SqlRegistry) -> None:
    cache, clock = RegistryCache(), DrivenClock()
    await change_registry(store, cache, clock, OPERATOR, loading())
    edits = [putting("parties", f"p{n}", b'{"id":"p%d","kind":"other","name":{"en":"P"}}' % n) for n in range(20)]
    done = await asyncio.gather(*(change_registry(store, cache, clock, OPERATOR, edit) for edit in edits))
    assert [snapshot.version for snapshot, _ in done] == list(range(2, 22))
    assert len((await read_registry(store, RegistryCache())).registry.parties) == 23


async def test_every_change_is_published_with_its_version_and_the_last_is_marked(
    database: Database, store: SqlRegistry
) -> None:
    cache, clock = RegistryCache(), DrivenClock()
    await change_registry(store, cache, clock, OPERATOR, loading())
    await change_registry(store, cache, clock, OPERATOR, NEW_PARTY)
    await change_registry(store, cache, clock, OPERATOR, lambda held: delete(held, "parties", "un"))
    events = await published(database)
    assert [e.version for e in events] == [1] * 6 + [2, 3]
    assert [e.last for e in events] == [False] * 5 + [True, True, True]
    assert {f"{e.kind}/{e.id}" for e in events[:6]} == {
        "settings/registry", "parties/army", "parties/rebels", "parties/russia", "areas/city", "areas/country",
    }  # fmt: skip
    assert events[6].body == {"id": "un", "kind": "other", "name": {"en": "UN"}}
    assert events[7].body is None


async def test_every_change_is_in_the_audit(database: Database, store: SqlRegistry) -> None:
    author = Author(Actor("o1", "desk"), "parties.put", "parties/un")
    await change_registry(store, RegistryCache(), DrivenClock(), author, NEW_PARTY)
    (acted,) = await audited(database)
    assert (acted.actor, acted.action, acted.resource) == (Actor("o1", "desk"), "parties.put", "parties/un")
    assert acted.detail == {"registry_version": 1, "count": 1, "changes": ["add parties/un"]}


async def test_the_reason_of_a_change_is_in_the_audit_and_in_its_event(database: Database, store: SqlRegistry) -> None:
    author = Author(Actor("o1", "desk"), "parties.put", "parties/un", "It joined the task force.")
    await change_registry(store, RegistryCache(), DrivenClock(), author, NEW_PARTY)
    (acted,), (change,) = await audited(database), await published(database)
    assert acted.detail["reason"] == "It joined the task force."
    assert (change.by, change.reason) == (Actor("o1", "desk"), "It joined the task force.")


async def test_the_registry_is_read_as_it_stood_in_recorded_time(store: SqlRegistry) -> None:
    cache, clock = RegistryCache(), DrivenClock(parse_instant("2016-05-08T12:00:00Z"))
    await change_registry(store, cache, clock, OPERATOR, loading())
    clock.instant += 10 * SECOND
    await change_registry(store, cache, clock, OPERATOR, NEW_PARTY)
    clock.instant += 10 * SECOND
    await change_registry(store, cache, clock, OPERATOR, lambda held: delete(held, "parties", "un"))
    start = parse_instant("2016-05-08T12:00:00Z")
    for reader in (cache, RegistryCache()):
        stood = [
            ("parties", "un") in (await read_registry(store, reader, start + s * SECOND)).resources
            for s in (0, 9, 10, 19, 20)
        ]
        assert stood == [False, False, True, True, False]
        assert (await read_registry(store, reader, start - 1)).version == 0


async def test_the_history_names_author_action_reason_and_changes_of_each_version(
    database: Database, store: SqlRegistry
) -> None:
    cache, clock, history = RegistryCache(), DrivenClock(), SqlRegistryHistory(database)
    await change_registry(store, cache, clock, OPERATOR, loading())
    joined = Author(Actor("o2", "night"), "parties.put", "parties/un", "It joined.")
    await change_registry(store, cache, clock, joined, NEW_PARTY)
    await change_registry(store, cache, clock, joined, putting("parties", "un", UN_RENAMED))
    await change_registry(store, cache, clock, OPERATOR, lambda held: delete(held, "parties", "un"))
    found = await history.versions(PageQuery(by="version"))
    assert [(v.recorded.version, v.count) for v in found] == [(4, 1), (3, 1), (2, 1), (1, 6)]
    assert [op for v in found for key, op in v.changes if key == ("parties", "un")] == ["remove", "replace", "add"]
    assert (found[1].recorded.by, found[1].recorded.action, found[1].recorded.reason) == (
        Actor("o2", "night"), "parties.put", "It joined.",
    )  # fmt: skip
    first, second = found[3].recorded.recorded_at, found[2].recorded.recorded_at
    assert [v.recorded.version for v in await history.versions(PageQuery(start=first, end=second))] == [1]
    assert [v.recorded.version for v in await history.versions(PageQuery(descending=False, after=(2,), limit=1))] == [
        3, 4,
    ]  # fmt: skip


async def test_the_history_of_a_resource_has_what_each_change_found_and_left(
    database: Database, store: SqlRegistry
) -> None:
    cache, clock, history = RegistryCache(), DrivenClock(), SqlRegistryHistory(database)
    await change_registry(store, cache, clock, OPERATOR, loading())
    assert await history.changes_of(("parties", "un"), PageQuery()) == []
    await change_registry(store, cache, clock, OPERATOR, NEW_PARTY)
    await change_registry(store, cache, clock, OPERATOR, lambda held: delete(held, "parties", "un"))
    await change_registry(store, cache, clock, OPERATOR, putting("parties", "un", UN_RENAMED))
    found = await history.changes_of(("parties", "un"), PageQuery())
    assert [(c.recorded.version, c.change.op) for c in found] == [(4, "add"), (3, "remove"), (2, "add")]
    assert found[1].change.before == found[2].change.after
    assert {c.timezone for c in found} == {"Asia/Damascus"}
    later = await history.changes_of(("parties", "un"), PageQuery(descending=False, after=(2,), limit=1))
    assert [c.change.op for c in later] == ["remove", "add"]


async def test_recorded_time_never_goes_back(store: SqlRegistry) -> None:
    cache, clock = RegistryCache(), DrivenClock()
    first, _ = await change_registry(store, cache, clock, OPERATOR, loading())
    clock.instant -= 60 * SECOND
    second, _ = await change_registry(store, cache, clock, OPERATOR, NEW_PARTY)
    assert second.recorded_at > first.recorded_at


async def test_what_is_refused_changes_nothing(store: SqlRegistry) -> None:
    cache, clock = RegistryCache(), DrivenClock()
    await change_registry(store, cache, clock, OPERATOR, loading(truces=[truce("calm")]))
    with pytest.raises(ChangeRefusedError, match="no area"):
        await change_registry(store, cache, clock, OPERATOR, lambda held: delete(held, "areas", "city"))
    assert (await read_registry(store, RegistryCache())).version == 1


async def test_a_resource_that_fits_into_no_event_is_refused(database: Database, store: SqlRegistry) -> None:
    long = {"id": "d", "issuer": "army", "action": "declare", "announced_at": "2016-05-01", "starts_at": "2016-05-01"}
    many = [{**long, "id": f"d{n}", "text": "x" * 9_999} for n in range(95)]
    with pytest.raises(ChangeRefusedError, match="longer than"):
        await change_registry(store, RegistryCache(), DrivenClock(), OPERATOR, loading(truces=[truce("calm", *many)]))
    assert (await read_registry(store, RegistryCache())).version == 0
    assert await published(database) == []


async def test_two_that_change_at_once_both_count(store: SqlRegistry) -> None:
    one, other = RegistryCache(), RegistryCache()
    clock = DrivenClock()
    await change_registry(store, one, clock, OPERATOR, loading())
    await read_registry(store, other)
    body = '{{"id":"p{n}","kind":"other","name":{{"en":"P"}}}}'
    edits = [putting("parties", f"p{n}", body.format(n=n).encode()) for n in range(4)]
    await asyncio.gather(
        *(change_registry(store, (one, other)[n % 2], clock, OPERATOR, edit) for n, edit in enumerate(edits))
    )
    found = await read_registry(store, RegistryCache())
    assert found.version == 5
    assert {f"p{n}" for n in range(4)} <= found.registry.parties.keys()


async def test_a_change_made_from_another_version_is_refused(store: SqlRegistry) -> None:
    cache, clock = RegistryCache(), DrivenClock()
    await change_registry(store, cache, clock, OPERATOR, loading())
    with pytest.raises(PreconditionFailedError):
        await change_registry(store, cache, clock, OPERATOR, NEW_PARTY, lambda held: held.version == 7)


async def test_another_process_follows(store: SqlRegistry) -> None:
    writer, reader, clock = RegistryCache(), RegistryCache(), DrivenClock()
    await change_registry(store, writer, clock, OPERATOR, loading())
    first = await read_registry(store, reader)
    await change_registry(store, writer, clock, OPERATOR, NEW_PARTY)
    second = await read_registry(store, reader)
    assert reader.current is second
    assert second.registry.areas["city"] is first.registry.areas["city"]
    assert "un" in second.registry.parties


async def test_a_preview_changes_nothing_and_judges_by_what_would_stand(store: SqlRegistry) -> None:
    cache, clock = RegistryCache(), DrivenClock()
    await change_registry(store, cache, clock, OPERATOR, loading())
    asked: list[CompiledRegistry] = []

    async def find_flips(registry: CompiledRegistry, limit: int) -> tuple[Sequence[Flip], int]:
        asked.append(registry)
        return (), 3

    effect = await preview_change(store, cache, NEW_PARTY, find_flips)
    assert ([c.op for c in effect.changes], effect.flip_count) == (["add"], 3)
    assert "un" in asked[0].parties
    assert (await read_registry(store, RegistryCache())).version == 1
    nothing = await preview_change(store, cache, loading(), find_flips)
    assert (nothing.changes, nothing.windows, nothing.flips, nothing.flip_count) == ((), (), (), 0)
    assert len(asked) == 1


def test_a_snapshot_of_nothing_has_a_document() -> None:
    assert Snapshot().document.truces == ()
