"""The status of the services of other processes, from the ``service-status`` topic, as long as it is fresh."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.codec import decode, encode
from schemas.envelope import Event
from schemas.events import ServiceReported
from schemas.instants import SECOND, format_instant, parse_instant
from schemas.topics import SERVICE_STATUS
from services.platform.bus.port import Bus
from services.platform.clock import Clock
from services.platform.failures import RetryLaterError

log = logging.getLogger(__name__)

#: The topic that every process of the distributed form tails.
HEARD: Final = SERVICE_STATUS
PERIOD_S: Final = 2.0
#: Stale after three missed reports.
FRESH: Final = int(3 * PERIOD_S * SECOND)
_BY_GRAVITY: Final = ("ok", "degraded", "down")


@dataclass(slots=True)
class StatusBoard:
    """The newest report of each process. ``instance`` is this one's own name."""

    bus: Bus
    clock: Clock
    instance: str
    _heard: dict[tuple[str, str], ServiceReported] = field(default_factory=dict)

    async def receive(self, event: Event) -> None:
        """Keep the report of a process; an unreadable one is skipped."""
        try:
            said: ServiceReported = decode(event)
            parse_instant(said.at)
        except ValueError as error:
            log.warning("a report of status is skipped: %s", error)
            return
        self._heard[(said.service, said.instance)] = said

    async def publish(self, parts: Mapping[str, Mapping[str, Any]]) -> None:
        """Publish the state of the services of this process. While the log is away the report is dropped."""
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
        """Each service as its processes report it: the worst state, the sum of the lags, the rest from the newest."""
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
    worst = max(one, other, key=lambda part: _BY_GRAVITY.index(part["state"]))
    worries: dict[str, Any] = {name: worst[name] for name in ("state", "detail") if name in worst}
    if "mail" in one and other.get("mail", {}).get("state") != "degraded":
        # Only the process that tried to send knows that the mail relay refuses.
        worries["mail"] = one["mail"]
    return {**one, **other, **worries, "lag": one["lag"] + other["lag"]}
