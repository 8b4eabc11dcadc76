"""Where the keys that encrypt secrets come from: a setting, or a file beside the embedded database."""

import base64
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from services.platform.security.sealing import KEY_BYTES, MAKE_ONE, Sealer, parse_secret_keys
from services.platform.settings.config import KEY_FILE, SettingsError

_SETTING: Final = "TRUCEWATCH_SECRET_KEY"
_HEAD: Final = (
    "# Encrypts the secrets in the database beside it. Keep a copy: without it they are lost. The first key encrypts,\n"
    "# every key decrypts, one on a line.\n"
)


def open_sealer(keys: Sequence[bytes], database_file: str | None, *, in_use: bool) -> Sealer:
    """A sealer with the keys that were set, and with those in the file beside an embedded database, which is made
    where there is no key at all. ``in_use``: something is sealed already, so a new key would not open it.

    ``database_file``: None for a database that is not a file; empty for one in memory. Raises SettingsError.
    """
    if database_file is None:
        if not keys:
            raise SettingsError(f"{_SETTING} is not set: it encrypts webhook secrets and addresses; {MAKE_ONE}")
        return Sealer(keys)
    if not database_file:
        return Sealer(keys or [secrets.token_bytes(KEY_BYTES)])
    path = Path(database_file).parent / KEY_FILE
    found = (*keys, *_read(path))
    if found:
        return Sealer(found)
    if in_use:
        raise SettingsError(f"{path} is missing and {_SETTING} is not set: stored secrets need that key")
    return Sealer([_make(path)])


def _read(path: Path) -> tuple[bytes, ...]:
    try:
        keys = parse_secret_keys(path.read_text("ascii", "replace"))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"{path} {error}") from error
    if not keys:
        raise SettingsError(f"{path} holds no key; restore it from a copy, or remove it if there are no secrets yet")
    return keys


def _make(path: Path) -> bytes:
    """A new key, on disk under its name whole or not at all."""
    key = secrets.token_bytes(KEY_BYTES)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{_HEAD}{base64.b64encode(key).decode()}\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return _read(path)[0]  # another process on the same file was first
        finally:
            draft.unlink()
        _sync_directory(path.parent)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}") from error
    return key


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
