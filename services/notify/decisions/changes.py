"""The decision on the alerts of one change of the registry: each by itself where they are few, else one message."""

from dataclasses import dataclass

from schemas.causes import Cause
from services.notify.decisions.alerts import is_news, tell_apart
from services.notify.decisions.groups import WaitingAlert, held_until, net_status
from services.notify.domain.grouping import MOST_APART, is_gathered
from services.notify.domain.lifecycle import SENT_TO, DeliveryState
from services.notify.domain.subscription import Subscription, format_of
from services.notify.kinds.digest import DIGEST, MAX_ROWS, DigestContent
from services.notify.kinds.kind import Job, Member


@dataclass(frozen=True, slots=True)
class DueChange:
    """The alerts of one change (``version`` of the registry) that wait for a subscription, in the order in which they
    came."""

    subscription: str
    version: int
    cause: Cause
    waiting: tuple[WaitingAlert, ...]


@dataclass(frozen=True, slots=True)
class DecidedChange:
    """The decision on a due change: messages, each with the hour at which it is due, or, where quiet hours have begun,
    another hour for all. ``members`` are told by one message, the only one."""

    change: DueChange
    messages: tuple[tuple[Job, int], ...] = ()
    state: DeliveryState = "pending"
    members: tuple[Member, ...] = ()
    postponed_to: int | None = None


def tell_change(subscription: Subscription, change: DueChange, now: int, mail_domain: str) -> DecidedChange:
    """The messages about one change. Of an alert that was raised and cancelled in the meantime nothing is told."""
    news = [waiting for waiting in change.waiting if is_news(waiting)]
    state: DeliveryState = "pending" if subscription.state in SENT_TO else "held"
    if _are_told_apart(subscription, news):
        messages = [(tell_apart(subscription, one, now, mail_domain), _due(subscription, one, now)) for one in news]
        return DecidedChange(change, tuple((job, due) for job, due in messages if job is not None), state)
    until = held_until(subscription, news, now)
    if until is not None:
        return DecidedChange(change, postponed_to=until)
    members = tuple((one.alert, one.revision, net_status(one)) for one in news)
    content = DigestContent(
        start=min(one.held_at for one in news),
        end=now,
        group={},
        members=members[:MAX_ROWS],
        omitted=max(len(members) - MAX_ROWS, 0),
        cause=change.cause,
    )
    told = (f"{alert}.{revision}" for alert, revision, _ in members)
    job = DIGEST.make(subscription.id, now, f"registry/{change.version}", *told, content=content)
    return DecidedChange(change, ((job, now),), state, members)


def _are_told_apart(subscription: Subscription, news: list[WaitingAlert]) -> bool:
    if not news or format_of(subscription.draft) == "cap":
        return True
    return len(news) <= MOST_APART and not is_gathered(subscription.draft)


def _due(subscription: Subscription, waiting: WaitingAlert, now: int) -> int:
    return held_until(subscription, [waiting], now) or now
