"""Backups of the embedded form, and putting one back so that it knows that it is one."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlalchemy import update
from sqlalchemy.exc import DBAPIError

from services.notify.sql.generations import COPY, MARK_SUFFIX
from services.notify.sql.tables import storage
from services.platform.clock import SystemClock
from services.platform.db.engine import Database
from services.platform.failures import RetryLaterError
from services.platform.settings.config import DATABASE_FILE, SettingsError

#: Pages copied at a time: a running process writes in between.
PAGES: Final = 4096
_MARK: Final = "UPDATE storage SET place = ?"
_HAS_STORAGE: Final = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'storage'"


def back_up(data: Path, file: Path) -> None:
    """Copy the storage in ``data`` into ``file``, marked as a copy; a process may be using it. Raises SettingsError."""
    source = check_storage(data)
    try:
        # Made here, so that it never has another mode; one that is there is not overwritten.
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise SettingsError(f"{file} cannot be made: {error.strerror}") from error
    try:
        _copy(source, file)
    except sqlite3.Error as error:
        file.unlink()
        raise SettingsError(f"{source} cannot be copied: {error}") from error


def check_storage(data: Path) -> Path:
    """The file of the storage in ``data``. Raises SettingsError where there is none."""
    file = data / DATABASE_FILE
    if not file.is_file():
        raise SettingsError(f"--data: there is no storage in {data}")
    return file


def put_back(data: Path, file: Path) -> Path | None:
    """Put the storage in ``file`` into ``data``, which the caller holds; returns under which name what was there is
    kept. Raises SettingsError for a file that is no whole storage: then nothing was changed."""
    _check(file)
    target = data / DATABASE_FILE
    kept = _set_aside(target) if target.is_file() and target.stat().st_size else None
    target.unlink(missing_ok=True)
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    _copy(file, target)
    return kept


async def tell_restored(url: str) -> None:
    """Mark the storage at ``url`` as one that was put back. Raises SettingsError where there is none."""
    database = Database(url)
    try:
        await database.write(lambda connection: connection.execute(update(storage).values(place=COPY)))
    except (RetryLaterError, DBAPIError) as error:
        raise SettingsError(f"there is no storage to be marked: {error}") from error
    finally:
        await database.close()


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new, pages=PAGES, sleep=0.01)
        if new.execute(_HAS_STORAGE).fetchone()[0]:
            new.execute(_MARK, (COPY,))
        new.commit()


def _check(file: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as found:
            (said,) = found.execute("PRAGMA integrity_check(1)").fetchone()
            whole = said == "ok" and bool(found.execute(_HAS_STORAGE).fetchone()[0])
    except sqlite3.Error as error:
        raise SettingsError(f"{file} is no backup of Trucewatch: {error}") from error
    if not whole:
        raise SettingsError(f"{file} is no whole backup of Trucewatch")


def _set_aside(target: Path) -> Path:
    """Rename what is there, with the files that belong to it."""
    kept = target.with_name(f"{target.name}.before-restore-{SystemClock().now() // 1_000_000}")
    for end in ("", "-wal", "-shm", MARK_SUFFIX):
        beside = Path(f"{target}{end}")
        if beside.exists():
            beside.replace(f"{kept}{end}")
    return kept
