"""The tables of links, and the ports on them."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import (
    Column,
    Connection,
    Float,
    Integer,
    LargeBinary,
    Table,
    Text,
    delete,
    func,
    select,
    tuple_,
    update,
)

from schemas.causes import Actor, Cause
from schemas.decisions import LinkState
from services.platform.db.bulk import insert_new_rows, insert_rows, select_by_key, upsert_rows
from services.platform.db.engine import Database
from services.platform.db.tables import metadata
from services.platform.db.upsert import merge
from services.rules.linking.domain.linking import DecidedPair, FoundPairs, KnownProfile, LinkChanges, Pair, PairLink
from services.rules.linking.domain.profile import ReportProfile
from services.rules.linking.recheck import Recheck
from services.rules.linking.use_cases import PlacedProfile, StaleProfilesError

#: So many reports of one cell are compared with each other. Of more at one place and time, those beyond are not linked:
#: a flood must not cost the square of its size, and a hundred reports need no hundred and first to corroborate them.
CROWD: Final = 100

#: Each report as it is compared: its revision, and the version of the registry that it was read by. ``settled``: its
#: links were decided by this version.
link_profiles = Table(
    "link_profiles",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("settled", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("registry_version", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

#: Where reports are found: see :mod:`services.rules.linking.domain.cells`.
link_cells = Table(
    "link_cells",
    metadata,
    Column("cell", Text, primary_key=True),
    Column("incident_id", Text, primary_key=True, index=True),
)

#: Each link twice, once from either end.
links = Table(
    "links",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("other", Text, primary_key=True),
    Column("score", Float, nullable=False),
    Column("independent", Integer, nullable=False),
    Column("state", Text),
)

#: The decisions about links that each report was judged with, for those at the other ends.
link_decisions = Table(
    "link_decisions",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("other", Text, primary_key=True, index=True),
    Column("state", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("decided_at", Text, nullable=False),
)

#: Incidents that are owed a judgement since a link to ``origin`` changed, with the operator who decided so. ``number``
#: rises when the same is owed again.
link_rechecks = Table(
    "link_rechecks",
    metadata,
    Column("origin", Text, primary_key=True),
    Column("incident_id", Text, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("by", LargeBinary),
    Column("reason", Text),
)

_RECHECK_KEY: Final = (link_rechecks.c.origin, link_rechecks.c.incident_id)
_PROFILE_COLUMNS: Final = tuple(link_profiles.c.keys())
_LINK_COLUMNS: Final = tuple(links.c.keys())
_DECISION_COLUMNS: Final = tuple(link_decisions.c.keys())
_PROFILES: Final = (
    "SELECT incident_id, version, settled, revision, registry_version, body FROM link_profiles WHERE incident_id"
)
_CELLS: Final = "SELECT cell, incident_id FROM link_cells WHERE cell"
_OWN_CELLS: Final = "SELECT cell, incident_id FROM link_cells WHERE incident_id"
_LINKS: Final = "SELECT incident_id, other, score, independent, state FROM links WHERE incident_id"
_DECISIONS: Final = "SELECT incident_id, other, state, number, decided_at FROM link_decisions WHERE incident_id"
_DECISIONS_ABOUT: Final = "SELECT incident_id, other, state, number, decided_at FROM link_decisions WHERE other"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ReportProfile).decode
_decode_actor = msgspec.json.Decoder(Actor).decode


class _StoredProfile(NamedTuple):
    incident_id: str
    version: int
    settled: int
    revision: int
    registry_version: int
    body: bytes


@dataclass(frozen=True, slots=True)
class SqlProfiles:
    """The port Profiles on a database."""

    database: Database

    async def put(self, profiles: Mapping[str, PlacedProfile]) -> FoundPairs:
        bodies = {incident_id: _encode(one.profile) for incident_id, one in profiles.items()}
        if self.database.is_log:
            # It has one writer: all others have committed before, or find these.
            return await self.database.write(
                lambda c: _find(profiles, _put(profiles, bodies, c), c), durable=False, rows=len(profiles)
            )
        compared = await self.database.write(partial(_put, profiles, bodies), rows=len(profiles))
        return await self.database.read(partial(_find, profiles, compared))

    async def save(self, changes: LinkChanges, changed: Collection[str], cause: Cause) -> None:
        if changed:
            work = partial(_save, changes, changed, cause)
            await self.database.write(work, durable=not self.database.is_log, rows=len(changes.linked) * 4)

    async def links_of(self, incident_ids: Collection[str]) -> Mapping[Pair, PairLink]:
        return await self.database.read(partial(_links_of, list(incident_ids)))


def _put(profiles: Mapping[str, PlacedProfile], bodies: Mapping[str, bytes], connection: Connection) -> list[str]:
    """Returns the reports whose links are to be decided: those that changed, and those that were left undecided."""
    _lock(sorted(profiles), connection)
    before = {row[0]: _StoredProfile(*row) for row in select_by_key(connection, _PROFILES, list(profiles))}
    decided = _decided_on(list(before), connection)
    changed = [id for id, one in profiles.items() if _replaces(one, bodies[id], before.get(id), decided.get(id, set()))]
    rows = [(id, before[id].version + 1 if id in before else 1, 0, *profiles[id].age, bodies[id]) for id in changed]
    upsert_rows(connection, link_profiles, _PROFILE_COLUMNS, rows)
    moved = [id for id in changed if id in before]
    if moved:
        connection.execute(delete(link_cells).where(link_cells.c.incident_id.in_(moved)))
        connection.execute(delete(link_decisions).where(link_decisions.c.incident_id.in_(moved)))
    insert_rows(
        connection,
        link_decisions,
        _DECISION_COLUMNS,
        [(id, one.other, one.state, one.number, one.at) for id in changed for one in sorted(profiles[id].decided)],
    )
    cells = [(cell, id) for id in changed for cell in profiles[id].kept_in]
    room = Counter({cell: CROWD for cell, _ in cells})
    room.subtract(cell for cell, _ in select_by_key(connection, _CELLS, list(room)))
    kept = []
    for cell, id in cells:
        if room[cell] > 0:
            room[cell] -= 1
            kept.append((cell, id))
    insert_new_rows(connection, link_cells, ("cell", "incident_id"), kept)
    return changed + [id for id in before if not before[id].settled and id not in changed]


def _replaces(one: PlacedProfile, body: bytes, before: _StoredProfile | None, decided: set[DecidedPair]) -> bool:
    if before is None:
        return True
    is_newest = one.age >= (before.revision, before.registry_version)
    return is_newest and (body != bytes(before.body) or one.decided != decided)


def _decided_on(incident_ids: Sequence[str], connection: Connection) -> dict[str, set[DecidedPair]]:
    found: dict[str, set[DecidedPair]] = defaultdict(set)
    for id, other, state, number, at in select_by_key(connection, _DECISIONS, incident_ids):
        found[id].add(DecidedPair(at, number, other, state))
    return found


def _lock(incident_ids: Sequence[str], connection: Connection) -> None:
    """No other process replaces these profiles before the transaction ends. SQLite has one writer."""
    if connection.dialect.name != "sqlite":
        rows = select(link_profiles.c.incident_id).where(link_profiles.c.incident_id.in_(incident_ids))
        connection.execute(rows.order_by(link_profiles.c.incident_id).with_for_update())


def _find(profiles: Mapping[str, PlacedProfile], compared: Sequence[str], connection: Connection) -> FoundPairs:
    candidates = _candidates(profiles, compared, connection)
    links = _links_of(list(profiles), connection)
    decisions = _decisions(compared, connection)
    wanted = {*compared, *(id for found in candidates.values() for id in found)}
    wanted |= {other for one, other in (*links, *decisions) if one in candidates}
    return FoundPairs(_known(sorted(wanted), connection), candidates, links, decisions)


def _candidates(
    profiles: Mapping[str, PlacedProfile], compared: Sequence[str], connection: Connection
) -> dict[str, set[str]]:
    """Of reports that found no room in one of their cells, none: neither would those that have room find them."""
    own = defaultdict(set)
    for cell, id in select_by_key(connection, _OWN_CELLS, list(compared)):
        own[id].add(cell)
    looking = {id: profiles[id].looked_into for id in compared if own[id].issuperset(profiles[id].kept_in)}
    held = defaultdict(list)
    wanted = list(dict.fromkeys(cell for cells in looking.values() for cell in cells))
    for cell, id in select_by_key(connection, _CELLS, wanted):
        held[cell].append(id)
    return {id: {other for cell in looking.get(id, ()) for other in held.get(cell, ())} - {id} for id in compared}


def _decisions(compared: Sequence[str], connection: Connection) -> dict[Pair, LinkState]:
    """The decisions on either incident about the other, in the end; a compared one first."""
    rows = [row for words in (_DECISIONS, _DECISIONS_ABOUT) for row in select_by_key(connection, words, compared)]
    last: dict[Pair, LinkState] = {}
    for one, other, state, _, _ in sorted(rows, key=lambda row: (row[4], row[3], row[0])):
        last[one, other] = last[other, one] = state
    return {pair: state for pair, state in last.items() if pair[0] in compared}


def _known(incident_ids: Sequence[str], connection: Connection) -> dict[str, KnownProfile]:
    rows = select_by_key(connection, _PROFILES, incident_ids)
    return {row[0]: KnownProfile(row[1], _decode(row[-1])) for row in rows}


def _links_of(incident_ids: Sequence[str], connection: Connection) -> dict[Pair, PairLink]:
    return {
        (one, other): PairLink(score, bool(independent), state)
        for one, other, score, independent, state in select_by_key(connection, _LINKS, incident_ids)
    }


def _save(changes: LinkChanges, changed: Collection[str], cause: Cause, connection: Connection) -> None:
    _check_versions(changes.versions, connection)
    both = [*changes.linked.items(), *(((other, one), link) for (one, other), link in changes.linked.items())]
    upsert_rows(
        connection,
        links,
        _LINK_COLUMNS,
        [(one, other, link.score, int(link.independent), link.state) for (one, other), link in sorted(both, key=_pair)],
    )
    ends = _from_both_ends(changes.unlinked)
    if ends:
        connection.execute(delete(links).where(tuple_(links.c.incident_id, links.c.other).in_(ends)))
    settled = update(link_profiles).where(link_profiles.c.incident_id.in_(sorted(changed)))
    connection.execute(settled.values(settled=1))
    ends += _from_both_ends(changes.linked)
    _owe(connection, [end for end in sorted(ends) if end[0] in changed], cause)


def _pair(item: tuple[Pair, PairLink]) -> Pair:
    return item[0]


def _from_both_ends(pairs: Iterable[Pair]) -> list[Pair]:
    return [end for one, other in pairs for end in ((one, other), (other, one))]


def _check_versions(versions: Mapping[str, int], connection: Connection) -> None:
    """Raises StaleProfilesError. What it read cannot change before the transaction ends."""
    statement = (
        select(link_profiles.c.incident_id, link_profiles.c.version)
        .where(link_profiles.c.incident_id.in_(versions))
        .order_by(link_profiles.c.incident_id)
        .with_for_update()
    )
    if {row.incident_id: row.version for row in connection.execute(statement)} != versions:
        raise StaleProfilesError


def _owe(connection: Connection, pairs: Sequence[Pair], cause: Cause) -> None:
    if pairs:
        by = None if cause.by is None else _encode(cause.by)
        statement = merge(
            connection,
            link_rechecks,
            lambda came: {
                "number": link_rechecks.c.number + 1,
                "by": func.coalesce(came.by, link_rechecks.c.by),
                "reason": func.coalesce(came.reason, link_rechecks.c.reason),
            },
        )
        rows: list[dict[str, Any]] = [
            {"origin": origin, "incident_id": id, "number": 1, "by": by, "reason": cause.reason} for origin, id in pairs
        ]
        connection.execute(statement, rows)


@dataclass(frozen=True, slots=True)
class SqlRechecks:
    """The port Rechecks on a database."""

    database: Database

    async def owed(self, origins: Collection[str]) -> Sequence[Recheck]:
        statement = select(link_rechecks).where(link_rechecks.c.origin.in_(origins)).order_by(*_RECHECK_KEY)
        return [_recheck(row) for row in await self.database.read(lambda c: c.execute(statement).all())]

    async def origins(self, limit: int) -> Sequence[str]:
        statement = select(link_rechecks.c.origin).distinct().order_by(link_rechecks.c.origin).limit(limit)
        return await self.database.read(lambda c: c.execute(statement).scalars().all())

    async def done(self, rechecks: Sequence[Recheck]) -> None:
        keys = [(one.origin, one.incident_id, one.number) for one in rechecks]
        if keys:
            key = tuple_(*_RECHECK_KEY, link_rechecks.c.number)
            await self.database.write(lambda c: c.execute(delete(link_rechecks).where(key.in_(keys))), durable=False)


def _recheck(row: Any) -> Recheck:
    by = None if row.by is None else _decode_actor(row.by)
    return Recheck(row.origin, row.incident_id, row.number, by, row.reason)
