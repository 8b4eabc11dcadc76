"""The storage's own state: the generation of its log, and whether it was put back from a backup.

A database cannot tell by its own content that it was put back, so it is compared with something that no backup holds.
SQLite: a file beside it (``….mark``) has the generation and a count that rises with the log; a database that is behind
its file, or has none, was restored. PostgreSQL: the row has the OID of its own table, which is another one after
pg_restore. What neither shows (a whole machine put back, point-in-time recovery) is said by ``trucewatch restored``.
"""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, func, insert, select, text, update

from services.notify.domain.generation import Generation, fork
from services.notify.sql.alert_log import lock_log
from services.notify.sql.tables import alert_log, storage
from services.platform.clock import new_id
from services.platform.db.engine import Database

MARK_SUFFIX: Final = ".mark"
#: The place of a backup, and of a storage that was said to be restored.
COPY: Final = "copy"
_decode_forks = msgspec.json.Decoder(tuple[tuple[str, int], ...]).decode


class Mark(msgspec.Struct, frozen=True):
    """The content of the file beside the database."""

    generation: str
    count: int


class GenerationStore:
    """``generation`` is how this process last saw it. Belongs to the event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._file = Path(f"{database.file}{MARK_SUFFIX}") if database.file else None
        self._dirty = False
        self.generation = Generation("")

    async def open(self, now: int) -> None:
        """See which generation it is, and begin the next one where the storage was restored."""
        mark = await asyncio.to_thread(read_mark, self._file)
        fresh = new_id()
        if mark is None and self._file is not None:
            # Before the row, since a row without a file means a restored copy.
            await asyncio.to_thread(write_mark, self._file, Mark(fresh, 0), fresh=True)
        generation, count = await self._database.write(lambda c: _open(c, self._file is not None, mark, fresh, now))
        self.generation = generation
        await self._keep(Mark(generation.id, count))

    async def look(self, now: int) -> None:
        """Read what other processes changed: held no more, or restored."""
        found, here = await self._database.read(lambda connection: (_load(connection), _place(connection)))
        if found is None or found.place != here:
            await self.open(now)
        else:
            self.generation = to_generation(found)

    def grown(self, entries: Sequence[object]) -> None:
        """The log grew by these: the file is to show it soon."""
        self._dirty = self._dirty or bool(entries)

    async def beat(self, _now: int) -> None:
        """Raise the count on both sides, if the log grew: the database first, and only then what says so beside it."""
        if self._file is None or not self._dirty:
            return
        self._dirty = False
        count = await self._database.write(_raise)
        await self._keep(Mark(self.generation.id, count))

    async def release(self, also: Any) -> Generation:
        """Send again. What is written with it is ``also``'s."""

        def work(connection: Connection) -> None:
            connection.execute(update(storage).values(held=0))
            also(connection)

        await self._database.write(work)
        found = await self._database.read(_load)
        self.generation = to_generation(found)
        return self.generation

    async def _keep(self, mark: Mark) -> None:
        if self._file is not None:
            await asyncio.to_thread(write_mark, self._file, mark)


def to_generation(row: Any) -> Generation:
    return Generation(row.generation, _decode_forks(row.forks), row.restored_at, bool(row.held))


def _load(connection: Connection, *, lock: bool = False) -> Any:
    statement = select(storage).where(storage.c.id == 1)
    return connection.execute(statement.with_for_update() if lock else statement).first()


def _raise(connection: Connection) -> int:
    raised = update(storage).values(count=storage.c.count + 1).returning(storage.c.count)
    count: int = connection.execute(raised).scalar_one()
    return count


def _place(connection: Connection) -> str:
    """Differs between this storage and one that its backup was put into. Empty on SQLite, where the file does that."""
    if connection.dialect.name != "postgresql":
        return ""
    return str(connection.execute(text("SELECT 'storage'::regclass::oid::bigint")).scalar_one())


def _open(connection: Connection, marked: bool, mark: Mark | None, fresh: str, now: int) -> tuple[Generation, int]:
    """The generation and the count from now on."""
    # Nobody appends meanwhile, and one process alone finds out.
    lock_log(connection)
    here, row = _place(connection), _load(connection, lock=True)
    if row is None:
        made = Generation(fresh)
        connection.execute(insert(storage).values(_row(made, here) | {"id": 1, "count": 0}))
        return made, 0
    before = to_generation(row)
    if not _is_restored(row, here, mark if marked else Mark(row.generation, 0)):
        connection.execute(update(storage).values(place=here))
        return before, row.count
    last = connection.execute(select(func.max(alert_log.c.seq))).scalar() or 0
    after = fork(before, fresh, last, now)
    connection.execute(update(storage).values(_row(after, here)))
    return after, row.count


def is_put_back(connection: Connection, file: Path) -> bool:
    """Whether the next start on an SQLite storage, with the mark in ``file``, would see that it was restored."""
    row = _load(connection)
    return row is not None and _is_restored(row, "", read_mark(file))


def _is_restored(row: Any, here: str, mark: Mark | None) -> bool:
    if row.place == COPY or mark is None or mark.generation != row.generation:
        return True
    # Without a place it was moved here from a file, which is no restore.
    return mark.count > row.count or row.place not in ("", here)


def _row(generation: Generation, place: str) -> dict[str, Any]:
    return {
        "generation": generation.id, "place": place, "restored_at": generation.restored_at,
        "held": int(generation.held), "forks": msgspec.json.encode(generation.forks),
    }  # fmt: skip


def read_mark(file: Path | None) -> Mark | None:
    """Read the file; None where there is none, or it cannot be read."""
    if file is None:
        return None
    try:
        return msgspec.json.decode(file.read_bytes(), type=Mark)
    except (OSError, msgspec.DecodeError):
        return None


def write_mark(file: Path, mark: Mark, *, fresh: bool = False) -> None:
    """Whole or not at all, and on disk. ``fresh``: only where there is none."""
    if fresh and file.exists():
        return
    made = file.with_name(file.name + ".new")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, msgspec.json.encode(mark))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    made.replace(file)
