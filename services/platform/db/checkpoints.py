"""Checkpoints of an SQLite database, outside the commit path."""

import threading
from pathlib import Path
from typing import Final

from sqlalchemy.engine import Engine

from services.platform.faults import Faults

#: Checkpoint the WAL outside the commit path from this size on, and blocking all writers from the second.
CHECKPOINT_BYTES: Final = 4 * 1024 * 1024
FORCED_CHECKPOINT_BYTES: Final = 128 * 1024 * 1024
CHECKPOINT_S: Final = 0.5


class Checkpoints:
    """A thread that writes the WAL back into the database at ``path``. ``turn`` is held by whoever writes."""

    def __init__(self, path: str, readers: Engine, turn: threading.Lock, faults: Faults) -> None:
        self._wal, self._readers, self._turn, self._faults = Path(f"{path}-wal"), readers, turn, faults
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="db-checkpoint", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Begin no other; one that is under way is waited for by :meth:`join`."""
        self._stopped.set()

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(CHECKPOINT_S):
            try:
                self._checkpoint_if_large()
            except Exception as error:  # noqa: BLE001 - recorded, counted and shown
                self._faults.note("database.checkpoint", error)

    def _checkpoint_if_large(self) -> None:
        size = self._wal.stat().st_size if self._wal.exists() else 0
        if size > FORCED_CHECKPOINT_BYTES:
            # Readers delayed it. It excludes all writers, so the event loop must not try to write.
            with self._turn:
                self._checkpoint("RESTART")
        elif size > CHECKPOINT_BYTES:
            self._checkpoint("PASSIVE")
            self._checkpoint("PASSIVE")
            # The little that was added meanwhile: then the WAL starts from its beginning again.
            with self._turn:
                self._checkpoint("PASSIVE")

    def _checkpoint(self, mode: str) -> None:
        with self._readers.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA wal_checkpoint({mode})")
