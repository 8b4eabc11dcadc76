"""Tokens for readers that can send no header: feeds, event streams."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, select

from services.notify.sql.tables import feed_tokens
from services.platform.db.engine import Database
from services.platform.db.paging import at_times, select_page
from services.platform.paging import PageQuery

_f = feed_tokens.c
Also = Callable[[Connection], None]


@dataclass(frozen=True, slots=True)
class KeptToken:
    id: str
    owner: str
    created_at: int


class SqlFeedTokens:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, id: str, hash: str, owner: str, now: int, also: Also) -> None:
        """``also`` is what happens with it, or not at all."""
        row = {"id": id, "hash": hash, "owner": owner, "created_at": now}

        def work(connection: Connection) -> None:
            connection.execute(insert(feed_tokens), row)
            also(connection)

        await self._database.write(work)

    async def find(self, hash: str) -> KeptToken | None:
        found = await self._read(select(feed_tokens).where(_f.hash == hash))
        return found[0] if found else None

    async def page(self, owner: str | None, query: PageQuery) -> Sequence[KeptToken]:
        """One page of one owner's, or of everybody's, by creation and id, with one more."""
        statement = select(feed_tokens).where(*at_times(query, _f.created_at))
        if owner is not None:
            statement = statement.where(_f.owner == owner)
        return await self._read(select_page(statement, query, _f.created_at, _f.id))

    async def remove(self, id: str, owner: str | None, also: Also) -> bool:
        """False when there is no such token of that owner."""
        gone = delete(feed_tokens).where(_f.id == id)
        if owner is not None:
            gone = gone.where(_f.owner == owner)

        def work(connection: Connection) -> bool:
            was_there = connection.execute(gone).rowcount > 0
            if was_there:
                also(connection)
            return was_there

        return await self._database.write(work)

    async def _read(self, statement: Select[Any]) -> Sequence[KeptToken]:
        return await self._database.read(
            lambda connection: [KeptToken(row.id, row.owner, row.created_at) for row in connection.execute(statement)]
        )
