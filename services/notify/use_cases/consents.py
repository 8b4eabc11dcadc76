"""Ask readers for the consent that could not be asked for yet, since there was no mail relay."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from schemas.instants import HOUR
from services.notify.domain.consent import AskedTooOftenError, NotWantedError, waits_to_ask
from services.notify.use_cases import endpoints
from services.notify.use_cases.directory import Directory
from services.notify.use_cases.endpoints import Also, Endpoints, Fresh

#: Confirmations sent in one pass, so that no other write waits long.
AT_ONCE: Final = 100


@dataclass(slots=True)
class Postponed:
    """Belongs to one process. ``relay`` False: nothing can be asked. ``fresh`` makes chance."""

    relay: bool
    directory: Directory
    store: Endpoints
    fresh: Callable[[], Fresh]
    _not_before: dict[str, int] = field(default_factory=dict)

    async def ask(self, now: int) -> int:
        """Send the confirmations that wait; returns how many subscriptions those were of."""
        if not self.relay:
            return 0
        waiting = [s.id for s in self.directory.subscriptions.values() if waits_to_ask(s)]
        self._not_before = {id: at for id, at in self._not_before.items() if at > now}
        asked = [id for id in waiting if id not in self._not_before][:AT_ONCE]
        for id in asked:
            await self._ask_one(id, now)
        if asked:
            await self.directory.refresh()
        return len(asked)

    async def _ask_one(self, id: str, now: int) -> None:
        try:
            await self.store.change(id, lambda s: endpoints.resume(s, self.fresh(), now), _nothing)
        except AskedTooOftenError as error:
            self._not_before[id] = error.again_at
        except NotWantedError:
            self._not_before[id] = now + HOUR


_nothing: Also = lambda _connection: None  # noqa: E731
