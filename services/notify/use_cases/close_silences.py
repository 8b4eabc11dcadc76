"""When a silence is over, whoever asked for it is told."""

from collections.abc import Iterator

from schemas.instants import DAY
from services.notify.domain.consent import address_of
from services.notify.domain.silence import Silence
from services.notify.kinds.kind import Job
from services.notify.kinds.notice import NOTICE, NoticeContent
from services.notify.use_cases.directory import Directory
from services.notify.use_cases.history import History


async def close_silences(now: int, directory: Directory, history: History) -> None:
    """Tell of the silences that have expired, and let go of them. Told again after a restart, under the same ids.

    Of one that somebody ended nothing is said: they know.
    """
    over = [s for s in directory.silences.values() if s.ends_at <= now]
    notices = [job for s in over if _is_news(s, now) for job in announce(s, directory, now)]
    if notices:
        await history.add(notices)
    for silence in over:
        directory.silences.pop(silence.id, None)


def _is_news(silence: Silence, now: int) -> bool:
    return silence.ended_at is None and now - silence.ends_at < DAY


def announce(silence: Silence, directory: Directory, now: int) -> Iterator[Job]:
    """One letter to each address of the subscriptions that the silence held back for its maker."""
    told: set[str] = set()
    for subscription in directory.subscriptions.values():
        address = address_of(subscription)
        if subscription.owner != silence.owner or address is None or address in told:
            continue
        told.add(address)
        content = NoticeContent("silence_expired", silence.ends_at, silence.reason)
        yield NOTICE.make(subscription.id, now, content.kind, silence.id, content=content)
