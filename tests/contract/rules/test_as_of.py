"""The registry as it stood: after any changes, ``as_of=T`` is the registry as it was answered at T."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from schemas.events import Actor
from schemas.registry import Resource
from services.platform.db.engine import Database
from services.platform.paging import PageQuery
from services.platform.settings.config import embedded_url
from services.rules.registry.domain.resources import (
    Key,
    NoSuchResourceError,
    announce,
    delete,
    join,
    put,
    split,
)
from services.rules.registry.history import RecordedChange
from services.rules.registry.sql import SqlRegistry
from services.rules.registry.sql_history import SqlRegistryHistory
from services.rules.registry.use_cases import (
    Author,
    ChangeRefusedError,
    Edit,
    RegistryCache,
    Snapshot,
    change_registry,
    read_registry,
)
from services.rules.registry.wire import read_announcement, read_resource
from tests.examples import examples
from tests.fakes import DrivenClock
from tests.tables import create_tables
from tests.unit.rules.registry_samples import announcement, area, document, party, read, truce

DECLARED: Final = announcement("d", "declare", "01 00", starts_at="2016-05-01", ends_at="2016-05-03")
#: Of every kind, and announced before and after each other, whatever the order in which they arrive.
SAID: Final = [
    announcement("late", "declare", "05 00", starts_at="2016-05-07", ends_at=None),
    announcement("early", "declare", "01 06", starts_at="2016-04-28", duration="P1D"),
    announcement("e", "extend", "02 00", duration="PT24H"),
    announcement("r", "restate", "01 02", "russia", restates="d", starts_at="2016-05-01T06:00"),
    announcement("x", "end", "02 06", "russia", ends_at="2016-05-02T12:00"),
    announcement("w", "withdraw", "06 00", withdraws="d"),
]
ANNOUNCED: Final = st.sampled_from(SAID).map(
    lambda said: lambda held: announce(held, "calm", read_announcement(msgspec.json.encode(said)))
)
RESOURCES: Final[list[tuple[Any, dict[str, Any]]]] = [
    ("parties", party("un")),
    ("parties", party("un", umbrella=True)),
    ("parties", party("rebels", member_of=["army"])),
    ("presence", {"id": "p", "party": "rebels", "area": "city", "control": "held", "from": "2016-05-01"}),
    ("areas", area("east")),
    ("places", {"id": "homs", "name": "Homs", "lat": 34.7, "lon": 36.7, "radius_km": 5.0}),
    ("places", {"id": "homs", "name": "Hims", "lat": 34.7, "lon": 36.7, "radius_km": 5.0}),
    ("truces", truce("calm", DECLARED, kind="nationwide")),
]
PUT: Final = st.sampled_from(RESOURCES).map(
    lambda one: lambda held: put(held, one[0], one[1]["id"], read_resource(one[0], msgspec.json.encode(one[1])))
)
DELETED: Final = st.sampled_from(RESOURCES).map(lambda one: lambda held: delete(held, one[0], one[1]["id"]))
REPLACED: Final = st.sampled_from(["UTC", "Asia/Damascus"]).map(
    lambda zone: lambda _: split(read(document(timezone=zone, truces=[truce("calm", DECLARED)])))
)
EDITS: Final = st.lists(st.tuples(ANNOUNCED | ANNOUNCED | PUT | DELETED | REPLACED, st.integers(1, 20)), max_size=12)


@dataclass(frozen=True)
class Reading:
    """The registry as it was answered at an instant."""

    at: int
    snapshot: Snapshot


@given(EDITS)
@examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_as_of_an_instant_is_the_registry_as_it_was_answered_then(
    tmp_path_factory: Any, edits: Sequence[tuple[Edit, int]]
) -> None:
    asyncio.run(_play(tmp_path_factory.mktemp("registry"), edits))


async def _play(directory: Path, edits: Sequence[tuple[Edit, int]]) -> None:
    database, clock, cache = Database(embedded_url(directory)), DrivenClock(), RegistryCache()
    create_tables(database.engine)
    store, history = SqlRegistry(database), SqlRegistryHistory(database)
    readings = [Reading(clock.instant, await read_registry(store, cache))]
    author = Author(Actor("o1", "desk"), "tried", "registry")
    for edit, microseconds in [(lambda _: split(read(document(truces=[truce("calm", DECLARED)]))), 1), *edits]:
        clock.instant += microseconds
        with suppress(ChangeRefusedError, NoSuchResourceError):
            await change_registry(store, cache, clock, author, edit)
        readings.append(Reading(clock.instant, await read_registry(store, cache)))
    for reading in readings:
        for reader in (RegistryCache(), cache):
            _expect_same(await read_registry(store, reader, reading.at), reading.snapshot)
    await _expect_history_to_lead_there(history, readings)
    await database.close()


def _expect_same(found: Snapshot, answered: Snapshot) -> None:
    assert (found.version, found.resources, found.versions) == (answered.version, answered.resources, answered.versions)
    assert join(found.resources) == answered.document
    assert found.registry.truces == answered.registry.truces


async def _expect_history_to_lead_there(history: SqlRegistryHistory, readings: Sequence[Reading]) -> None:
    """The changes recorded until then, one after the other, make the registry as it was answered."""
    keys = {key for reading in readings for key in reading.snapshot.resources}
    changes: list[RecordedChange] = []
    for key in keys:
        page = await history.changes_of(key, PageQuery(descending=False))
        changes += page
        assert [change.change.before for change in page] == [None, *(change.change.after for change in page[:-1])]
    for reading in readings:
        made: dict[Key, Resource] = {}
        for change in sorted(changes, key=lambda one: one.recorded.version):
            if change.recorded.recorded_at <= reading.at and change.change.after is None:
                made.pop(change.change.key)
            elif change.recorded.recorded_at <= reading.at and change.change.after is not None:
                made[change.change.key] = change.change.after
        assert made == reading.snapshot.resources
