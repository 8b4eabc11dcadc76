"""The adapters in /status, from memory: refreshed every few seconds."""

from dataclasses import dataclass, field
from typing import Any, Final

from schemas.instants import format_instant
from services.ingest.adapters.domain import describe_worry
from services.ingest.adapters.sql import SqlAdapters
from services.platform.clock import Clock

NAME: Final = "ingest.adapters"
PERIOD_S: Final = 2.0
#: Failing adapters that are named.
NAMED: Final = 100


@dataclass(slots=True)
class AdapterBoard:
    """The adapters that do not do what they are for."""

    store: SqlAdapters
    clock: Clock
    _active: int = 0
    _failing: list[dict[str, Any]] = field(default_factory=list)

    async def refresh(self) -> None:
        now = self.clock.now()
        pairs = await self.store.all()
        failing = [(worry, adapter.id) for adapter, state in pairs if (worry := describe_worry(state, now)) is not None]
        self._active = len(pairs)
        self._failing = [
            {"id": id, "since": format_instant(since) if since else None, "reason": reason}
            for (since, reason), id in sorted(failing)[:NAMED]
        ]

    def said(self) -> dict[str, Any]:
        return {"active": self._active, "failing": self._failing}
