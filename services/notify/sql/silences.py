"""Silences as rows."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from services.notify.domain.silence import Matcher, Silence
from services.notify.sql import deliveries
from services.notify.sql.tables import silences
from services.notify.sql.versions import next_version
from services.platform.db.engine import Database
from services.platform.db.paging import select_page, touching_times
from services.platform.paging import PageQuery

Also = Callable[[Connection], None]
_encode: Final = msgspec.json.Encoder().encode
_decode_matchers: Final = msgspec.json.Decoder(tuple[Matcher, ...]).decode


class SqlSilences:
    """The store of silences; ``also`` in each change is what happens with it, or not at all."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, silence: Silence, also: Also) -> None:
        def work(connection: Connection) -> None:
            row = {
                "id": silence.id, "owner": silence.owner, "version": next_version(connection),
                "matchers": _encode(silence.matchers), "starts_at": silence.starts_at, "ends_at": silence.ends_at,
                "ended_at": silence.ended_at,
                "reason": silence.reason, "author": silence.author, "created_at": silence.created_at,
            }  # fmt: skip
            connection.execute(insert(silences), row)
            also(connection)

        return await self._database.write(work)

    async def get(self, id: str) -> Silence | None:
        statement = select(silences).where(silences.c.id == id)
        return next(iter(await self._read(statement)), None)

    async def page(self, owner: str | None, query: PageQuery) -> Sequence[Silence]:
        """One page by creation and id, with one more: of one owner with those of everybody, or all."""
        statement = select(silences).where(*touching_times(query, silences.c.starts_at, silences.c.ends_at))
        if owner is not None:
            statement = statement.where(silences.c.owner.is_(None) | (silences.c.owner == owner))
        return await self._read(select_page(statement, query, silences.c.created_at, silences.c.id))

    async def in_force(self, start: int, end: int) -> Sequence[Silence]:
        """Those that were in force at some moment of the half-open interval."""
        return await self._read(select(silences).where(silences.c.starts_at < end, silences.c.ends_at > start))

    async def _read(self, statement: Any) -> Sequence[Silence]:
        return await self._database.read(lambda connection: [to_silence(row) for row in connection.execute(statement)])

    async def end(self, id: str, now: int, also: Also) -> None:
        """End it now, and let go of what it held. One that ended before is left as it is."""

        def work(connection: Connection) -> None:
            ended = (
                update(silences)
                .where(silences.c.id == id, silences.c.ends_at > now)
                .values(ends_at=now, ended_at=now, version=next_version(connection))
            )
            connection.execute(ended)
            deliveries.release_silenced(connection, id, now)
            also(connection)

        await self._database.write(work)


def to_silence(row: Row[Any]) -> Silence:
    return Silence(
        id=row.id,
        owner=row.owner,
        matchers=_decode_matchers(row.matchers),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        ended_at=row.ended_at,
        reason=row.reason,
        author=row.author,
        created_at=row.created_at,
        version=row.version,
    )
