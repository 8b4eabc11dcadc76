"""Subscriptions, silences and mail as ``/status`` shows them. Pure, from what the process has in memory."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from schemas.instants import format_instant
from services.notify.domain.known import KnownIds, RemovedId, named_in_filter
from services.notify.domain.silence import Silence
from services.notify.domain.subscription import Email, Subscription

#: How many failing subscriptions are told of, those that have failed for longest.
MOST: Final = 100
#: States in which a subscription does not get what it asked for, with what is said where no reason was noted.
FAILING: Final = {
    "failing": "its endpoint does not answer as it should",
    "disabled": "disabled, since it failed for days",
    "gone": "disabled, since its endpoint wants no more",
    "held": "held, since its owner has no valid key",
}


def tell_subscriptions(subscriptions: Iterable[Subscription], known: KnownIds) -> dict[str, Any]:
    """How many are active, which do not get what they asked for, and how many are disabled."""
    found = list(subscriptions)
    failing = [(s, s.failing_since, tell_reason(s)) for s in found if s.state in FAILING]
    for subscription in found:
        if subscription.state == "active" and (removed := find_removed(subscription, known)):
            failing.append((subscription, min(one.at for one in removed), tell_removed(removed)))
    failing.sort(key=lambda one: (one[1] or 0, one[0].id))
    return {
        "active": sum(s.state == "active" for s in found),
        "failing": [
            {
                "id": subscription.id,
                "name": subscription.draft.name,
                "since": None if since is None else format_instant(since),
                "reason": reason,
            }
            for subscription, since, reason in failing[:MOST]
        ],
        "disabled": sum(s.state in ("disabled", "gone") for s in found),
    }


def find_removed(subscription: Subscription, known: KnownIds) -> list[RemovedId]:
    """The ids of a filter that a change of the registry took away since the subscription was made."""
    return known.find_removed(named_in_filter(subscription.draft.filter), subscription.created_at)


def tell_removed(removed: Iterable[RemovedId]) -> str:
    return f"its filter names what the registry no longer has: {list_removed(removed)}"


def list_removed(removed: Iterable[RemovedId]) -> str:
    """The ids, each with its kind."""
    return ", ".join(f"{one.named.kind}/{one.named.id}" for one in removed)


def tell_reason(subscription: Subscription) -> str:
    """Why, without what the endpoint wrote or what its name resolves to: the status is shown to everybody."""
    said = FAILING[subscription.state]
    if subscription.state == "held" or not subscription.reason:
        return said
    kind = ": ".join(subscription.reason.split(": ")[:2]) if subscription.reason.startswith("no answer: ") else ""
    kind = kind or subscription.reason.partition(":")[0]
    return f"{said}: {kind}" if subscription.state != "failing" else kind


def count_silences(silences: Iterable[Silence], now: int) -> int:
    """How many are in force."""
    return sum(silence.starts_at <= now < silence.ends_at for silence in silences)


def tell_mail(subscriptions: Iterable[Subscription], failure: str | None, *, relay: bool) -> Mapping[str, str]:
    """How mail fares. ``failure``: what the last attempt met, where the relay did not take it."""
    if relay:
        return {"state": "ok", "detail": ""} if failure is None else {"state": "degraded", "detail": failure}
    if any(_reads_mail(s) for s in subscriptions):
        return {
            "state": "degraded",
            "detail": "there is no relay (TRUCEWATCH_SMTP_URL), and subscriptions ask for mail",
        }
    return {"state": "off", "detail": "there is no relay (TRUCEWATCH_SMTP_URL)"}


def _reads_mail(subscription: Subscription) -> bool:
    return isinstance(subscription.draft.channel, Email) or bool(subscription.draft.contact)
