"""Tell the owner of a subscription when the registry no longer has what its filter names."""

from dataclasses import dataclass, field

from schemas.instants import DAY
from services.notify.domain.consent import address_of
from services.notify.domain.known import KnownIds
from services.notify.domain.standing import find_removed, list_removed
from services.notify.kinds.kind import Job
from services.notify.kinds.notice import NOTICE, NoticeContent
from services.notify.use_cases.directory import Directory
from services.notify.use_cases.history import History


@dataclass(slots=True)
class RemovedNames:
    """One mail for each subscription and each change of the registry, where its owner reads mail; every process may
    tell of it, under the same id. Later than a day after the change ``/status`` alone shows it."""

    known: KnownIds
    directory: Directory
    history: History
    _told: set[str] = field(default_factory=set)

    async def tell(self, now: int) -> None:
        """Raises RetryLaterError; what was not kept is told at the next call."""
        notices = [job for job in self._due(now) if job.id not in self._told]
        if notices:
            await self.history.add(notices)
            self._told.update(job.id for job in notices)

    def _due(self, now: int) -> list[Job]:
        found = []
        for subscription in self.directory.subscriptions.values():
            removed = find_removed(subscription, self.known)
            newest = max(removed, key=lambda one: one.version, default=None)
            if newest is None or now - newest.at >= DAY or address_of(subscription) is None:
                continue
            content = NoticeContent("names_removed", newest.at, list_removed(removed))
            found.append(NOTICE.make(subscription.id, now, content.kind, newest.version, content=content))
        return found
