"""Adapters as rows: what an operator wrote, what is sealed, and what each has done."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Integer, LargeBinary, Row, Table, Text, delete, select, update

from services.ingest.adapters.domain import Adapter, AdapterState, Secrets
from services.ingest.sql import revisions, source_items
from services.platform.db.engine import Database
from services.platform.db.paging import one_of, select_page
from services.platform.db.tables import metadata
from services.platform.db.upsert import insert_new, upsert
from services.platform.paging import PageQuery
from services.platform.security.sealing import Sealer, is_sealed

#: ``document`` is :class:`Adapter` in JSON; ``sealed`` its secrets, encrypted; null: it has none.
adapters = Table(
    "adapters",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("sealed", LargeBinary),
)

#: The state of each adapter (:class:`AdapterState` in JSON), and when its list is next read.
adapter_states = Table(
    "adapter_states",
    metadata,
    Column("id", Text, primary_key=True),
    Column("next_poll_at", BigInteger, nullable=False),
    Column("document", LargeBinary, nullable=False),
)

#: How far each partition of a partner's topic was taken in, in the transaction that took it. It outlives its adapter:
#: one that is put again goes on from there.
topic_offsets = Table(
    "topic_offsets",
    metadata,
    Column("adapter", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("next", BigInteger, nullable=False),
)


class StandingItem(msgspec.Struct, frozen=True):
    """A submission that its source has, as far as is known, and when the incident ended, in microseconds."""

    incident_id: str
    external_id: str
    ends_at: int


Also = Callable[[Connection], None]
_encode: Final = msgspec.json.Encoder().encode
_decode_adapter: Final = msgspec.json.Decoder(Adapter).decode
_decode_state: Final = msgspec.json.Decoder(AdapterState).decode
_decode_secrets: Final = msgspec.json.Decoder(Secrets).decode


class VersionLostError(Exception):
    """Another change of the same adapter came first."""


class SqlAdapters:
    """The store of adapters. ``sealer`` opens when the first secret is stored or read."""

    def __init__(self, database: Database, sealer: Callable[[], Sealer]) -> None:
        self._database, self._sealer = database, sealer

    async def put(self, adapter: Adapter, secrets: Secrets, also: Also) -> None:
        """Add, or replace the version before. Raises VersionLostError, SettingsError without a key."""
        sealed = None
        if secrets != Secrets():
            sealed = self._sealer().seal(_encode(secrets), _row_name(adapter.id))
        row = {
            "id": adapter.id, "kind": adapter.kind, "version": adapter.version, "document": _encode(adapter),
            "sealed": sealed,
        }  # fmt: skip

        def work(connection: Connection) -> None:
            if adapter.version == 1:
                added = connection.execute(
                    insert_new(connection, adapters).values(row).returning(adapters.c.id)
                ).first()
            else:
                before = (adapters.c.id == adapter.id) & (adapters.c.version == adapter.version - 1)
                changed = update(adapters).where(before).values(row)
                added = connection.execute(changed.returning(adapters.c.id)).first()
            if added is None:
                raise VersionLostError
            # It is read from the start again: the tables may have changed.
            state = _read_state(connection, adapter.id)
            _write_state(
                connection, adapter.id, msgspec.structs.replace(state, cursor="", last_full_at=0, next_poll_at=0)
            )
            also(connection)

        await self._database.write(work)

    async def find(self, id: str) -> Adapter | None:
        statement = select(adapters.c.document).where(adapters.c.id == id)
        body = await self._database.read(lambda connection: connection.execute(statement).scalar())
        return None if body is None else _decode_adapter(body)

    async def secrets(self, id: str) -> Secrets:
        """Raises SealError, DamagedError, SettingsError."""
        statement = select(adapters.c.sealed).where(adapters.c.id == id)
        sealed = await self._database.read(lambda connection: connection.execute(statement).scalar())
        return Secrets() if sealed is None else _decode_secrets(self._sealer().open(sealed, _row_name(id)))

    async def page(self, query: PageQuery) -> list[tuple[Adapter, AdapterState]]:
        """One page by id, with one more."""
        statement = _joined().where(*one_of(query, "kind", adapters.c.kind))
        return await self._pairs(select_page(statement, query, adapters.c.id))

    async def all(self) -> list[tuple[Adapter, AdapterState]]:
        return await self._pairs(_joined().order_by(adapters.c.id))

    async def _pairs(self, statement: Any) -> list[tuple[Adapter, AdapterState]]:
        return await self._database.read(lambda connection: [_pair(row) for row in connection.execute(statement)])

    async def state(self, id: str) -> AdapterState:
        return await self._database.read(lambda connection: _read_state(connection, id))

    async def change_state(self, id: str, change: Callable[[AdapterState], AdapterState]) -> None:
        """Set the state to what ``change`` makes of it; an adapter that is gone has none."""

        await self._database.write(lambda connection: change_state(connection, id, change), durable=False)

    async def delete(self, id: str, also: Also) -> bool:
        """False: there is none. What was reported through it stays."""

        def work(connection: Connection) -> bool:
            if not connection.execute(delete(adapters).where(adapters.c.id == id)).rowcount:
                return False
            connection.execute(delete(adapter_states).where(adapter_states.c.id == id))
            also(connection)
            return True

        return await self._database.write(work)

    async def standing_items(self, adapter: str, before: int) -> list[StandingItem]:
        """Each submission that an adapter knew before an instant and that its source has not withdrawn."""
        newest = (revisions.c.incident_id == source_items.c.incident_id) & revisions.c.superseded_at.is_(None)
        statement = (
            select(source_items.c.incident_id, source_items.c.external_id, revisions.c.occurred_end)
            .join(revisions, newest)
            .where(source_items.c.adapter == adapter, source_items.c.gone.is_(False), source_items.c.noted_at < before)
        )
        return await self._database.read(
            lambda connection: [StandingItem(*row) for row in connection.execute(statement)]
        )

    async def known(self, incidents: Sequence[str]) -> set[str]:
        """Those of the incidents that are there."""
        statement = select(revisions.c.incident_id).where(revisions.c.incident_id.in_(incidents)).distinct()
        return await self._database.read(lambda connection: set(connection.execute(statement).scalars()))

    async def seal_anew(self) -> None:
        """Encrypt with the first key what another key encrypted. Raises SealError where that is not at hand."""
        statement = select(adapters.c.id, adapters.c.sealed).where(adapters.c.sealed.is_not(None))
        rows = await self._database.read(lambda connection: connection.execute(statement).all())
        if not rows:
            return
        sealer = self._sealer()

        def work(connection: Connection) -> None:
            for id, sealed in rows:
                if not sealer.is_current(sealed):
                    fresh = sealer.seal(sealer.open(sealed, _row_name(id)), _row_name(id))
                    same = (adapters.c.id == id) & (adapters.c.sealed == sealed)
                    connection.execute(update(adapters).where(same).values(sealed=fresh))

        await self._database.write(work)


async def holds_sealed(database: Database) -> bool:
    """Whether a secret of an adapter is encrypted yet."""
    statement = select(adapters.c.sealed).where(adapters.c.sealed.is_not(None)).limit(1)
    found = await database.read(lambda connection: connection.execute(statement).scalar())
    return found is not None and is_sealed(found)


def change_state(connection: Connection, id: str, change: Callable[[AdapterState], AdapterState]) -> None:
    """:meth:`SqlAdapters.change_state` within a transaction of the caller's."""
    if connection.execute(select(adapters.c.id).where(adapters.c.id == id)).first() is not None:
        _write_state(connection, id, change(_read_state(connection, id, lock=True)))


def _joined() -> Any:
    return select(adapters.c.document, adapter_states.c.document.label("state")).outerjoin(
        adapter_states, adapter_states.c.id == adapters.c.id
    )


def _pair(row: Row[Any]) -> tuple[Adapter, AdapterState]:
    return _decode_adapter(row.document), AdapterState() if row.state is None else _decode_state(row.state)


def _read_state(connection: Connection, id: str, *, lock: bool = False) -> AdapterState:
    statement = select(adapter_states.c.document).where(adapter_states.c.id == id)
    body = connection.execute(statement.with_for_update() if lock else statement).scalar()
    return AdapterState() if body is None else _decode_state(body)


def _write_state(connection: Connection, id: str, state: AdapterState) -> None:
    row = {"id": id, "next_poll_at": state.next_poll_at, "document": _encode(state)}
    connection.execute(upsert(connection, adapter_states).values(row))


def _row_name(id: str) -> str:
    return f"adapters/{id}"
