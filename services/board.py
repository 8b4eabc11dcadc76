"""What the services of other processes say of themselves: the ``service-status`` topic, as far as it is fresh."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.codec import decode, encode
from schemas.envelope import Event
from schemas.events import ServiceReported
from schemas.instants import SECOND, format_instant, parse_instant
from schemas.topics import SERVICE_STATUS
from services.shared.bus.port import Bus
from services.shared.clock import Clock
from services.shared.failures import RetryLaterError

log = logging.getLogger(__name__)

#: The topic that every process of the distributed form hears.
HEARD: Final = SERVICE_STATUS
PERIOD_S: Final = 2.0
#: Who has not been heard of for three periods is gone.
FRESH: Final = int(3 * PERIOD_S * SECOND)
_GRAVITY: Final = ("ok", "degraded", "down")


@dataclass(slots=True)
class Board:
    """The newest report of each process. ``instance`` is this one's own name."""

    bus: Bus
    clock: Clock
    instance: str
    _heard: dict[tuple[str, str], ServiceReported] = field(default_factory=dict)

    async def hear(self, event: Event) -> None:
        """Take in what a process said; what is no report is passed over, it is only about status."""
        try:
            said: ServiceReported = decode(event)
            parse_instant(said.at)
        except ValueError as error:
            log.warning("a report of status is passed over: %s", error)
            return
        self._heard[(said.service, said.instance)] = said

    async def tell(self, parts: Mapping[str, Mapping[str, Any]]) -> None:
        """Say how the services of this process fare. While the log is away nobody hears it, and nobody waits."""
        at = format_instant(self.clock.now())
        reports = [
            ServiceReported(name, self.instance, at, part["state"], dict(part))  # type: ignore[arg-type]
            for name, part in parts.items()
        ]
        events = [
            encode(SERVICE_STATUS, r, key=f"{r.service}/{r.instance}", id=f"{r.service}-{r.instance}-{at}", time=at)
            for r in reports
        ]
        try:
            await self.bus.publish(events)
        except RetryLaterError:
            return

    def parts(self) -> dict[str, dict[str, Any]]:
        """Each service as its processes tell it: the worst state, the sum of the lags, the rest as told last."""
        now = self.clock.now()
        for key in [key for key, said in self._heard.items() if abs(now - parse_instant(said.at)) > FRESH]:
            del self._heard[key]
        merged: dict[str, dict[str, Any]] = {}
        for said in sorted(self._heard.values(), key=lambda one: one.at):
            merged[said.service] = _merge(merged.get(said.service), said.detail)
        return merged


def _merge(one: dict[str, Any] | None, other: dict[str, Any]) -> dict[str, Any]:
    if one is None:
        return dict(other)
    worst = max(one, other, key=lambda part: _GRAVITY.index(part["state"]))
    worries: dict[str, Any] = {name: worst[name] for name in ("state", "detail") if name in worst}
    if "mail" in one and other.get("mail", {}).get("state") != "degraded":
        # Only the process that tried knows that the relay does not take mail.
        worries["mail"] = one["mail"]
    return {**one, **other, **worries, "lag": one["lag"] + other["lag"]}
