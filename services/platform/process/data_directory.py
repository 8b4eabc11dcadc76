"""The data directory of the embedded form: readable by its owner alone, and used by one process at a time."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from services.platform.settings.config import DATABASE_FILE, KEY_FILE, SettingsError

LOCK_FILE: Final = "trucewatch.lock"
#: SQLite gives the files that it makes beside the database the mode of the database. The mark is of notify's storage.
_BESIDE: Final = ("", "-wal", "-shm", "-journal", ".mark")
_PRIVATE: Final = (*(DATABASE_FILE + end for end in _BESIDE), KEY_FILE, LOCK_FILE)
#: The root of a mounted volume has it.
_NOT_COUNTED: Final = frozenset({"lost+found"})


class DataDirectoryError(SettingsError):
    """The data directory cannot be used; the message says why, in one sentence."""


@contextmanager
def hold_data_directory(path: Path) -> Iterator[Path]:
    """Make the directory where it is missing, narrow it to 0700 and its files to 0600, and lock it until the end.

    The lock is the kernel's (flock): it ends with the process, however that ends. Raises DataDirectoryError.
    """
    _make(path)
    lock = _lock(path)
    try:
        _narrow_files(path)
        yield path
    finally:
        os.close(lock)


def _make(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _narrow_directory(path)
    except FileExistsError as error:
        raise DataDirectoryError(f"the data directory {path} cannot be used: it is a file") from error
    except (OSError, ValueError) as error:
        raise DataDirectoryError(f"the data directory {path} cannot be used: {_reason(error)}") from error


def _narrow_directory(path: Path) -> None:
    """An open directory with other people's files in it (``/tmp``, a home) is not ours to close to them."""
    if not stat.S_IMODE(path.stat().st_mode) & 0o077:
        return
    names = {entry.name for entry in os.scandir(path)} - _NOT_COUNTED
    if names and not names & {DATABASE_FILE, LOCK_FILE}:
        raise DataDirectoryError(
            f"the data directory {path} is open to other users and holds other files, such as {min(names)}: "
            "give Trucewatch a directory of its own"
        )
    path.chmod(0o700)


def _lock(path: Path) -> int:
    try:
        descriptor = os.open(path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataDirectoryError(f"the data directory {path} cannot be written: {_reason(error)}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise DataDirectoryError(f"the data directory {path} is in use by process {holder or '(unknown)'}") from error
    except OSError as error:
        os.close(descriptor)
        raise DataDirectoryError(f"the data directory {path} cannot be locked: {_reason(error)}") from error
    return descriptor


def _narrow_files(path: Path) -> None:
    """Make the database file here, so that it never has another mode, and narrow what was made with a wider one."""
    try:
        os.close(os.open(path / DATABASE_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        for name in _PRIVATE:
            with suppress(FileNotFoundError):
                if stat.S_IMODE((path / name).stat().st_mode) & 0o177:
                    (path / name).chmod(0o600)
    except OSError as error:
        raise DataDirectoryError(f"the data directory {path} cannot be written: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """The system's words, without the number of the error."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
