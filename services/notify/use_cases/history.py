"""The messages sent to a subscription: each with each attempt at it, and asking for messages again."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from schemas.vocabulary import AlertStatus
from services.notify.domain.delivery import Failure, general_failure, general_reason
from services.notify.domain.lifecycle import DeliveryState, NotPossibleError, next_delivery, states_before
from services.notify.domain.subscription import Subscription
from services.notify.kinds.kind import Job, Kind
from services.notify.kinds.test import TEST


@dataclass(frozen=True, slots=True)
class Attempted:
    """One attempt: when, what was answered or why nothing was, in how long (microseconds), and what that meant."""

    number: int
    at: int
    status: int | None
    failure: Failure | None
    latency: int
    reason: str
    excerpt: bytes


@dataclass(frozen=True, slots=True)
class Delivered:
    """One message and all attempts at it, in order. ``due_at``: when the next is due, if one is."""

    id: str
    kind: Kind
    state: DeliveryState
    status: AlertStatus
    alert: str | None
    revision: int
    created_at: int
    due_at: int | None
    finished_at: int | None
    attempts: tuple[Attempted, ...]

    @property
    def type(self) -> str:
        """The type of the message, as its body says it."""
        return self.kind.type(self.status)


#: Writes in the same transaction, or not at all; opaque here.
Also = Callable[[Any], None]


def in_general(delivered: Delivered) -> Delivered:
    """A message as those who are no operators may see it: attempts tell nothing of names and addresses inside."""
    return replace(delivered, attempts=tuple(_attempted_in_general(a) for a in delivered.attempts))


def _attempted_in_general(a: Attempted) -> Attempted:
    if a.status is not None or a.failure is None:
        return a
    failure = general_failure(a.failure)
    # How long a look-up took tells whether there was one.
    latency = 0 if failure == "refused" else a.latency
    return replace(a, failure=failure, latency=latency, reason=general_reason(None, a.failure, a.reason))


#: The states in which an owner asks for messages again without naming each.
RECOVERED: Final[frozenset[DeliveryState]] = frozenset({"held", "failed"})


class History(Protocol):
    async def add(self, jobs: Sequence[Job], also: Also = ...) -> None: ...


class SentMessages(Protocol):
    """The messages that were made for subscriptions."""

    async def get(self, subscription: str, id: str) -> Delivered:
        """Raises UnknownError."""
        ...

    async def queue_again(
        self, subscription: str, id: str, states: Collection[DeliveryState], now: int, also: Also
    ) -> bool:
        """Queue a message again, and write ``also`` with it, if it is in one of the states: whether it was."""
        ...


async def resend(subscription: Subscription, id: str, now: int, sent: SentMessages, also: Also) -> None:
    """Queue one message again, under its id. Raises UnknownError, NotPossibleError."""
    refuse_held(subscription)
    found = await sent.get(subscription.id, id)
    if not found.kind.needs_proof:
        raise NotPossibleError(f"a {found.kind.name} is not sent again; POST …/verify asks for a new proof")
    next_delivery(found.state, "resent")
    if not await sent.queue_again(subscription.id, id, states_before("resent"), now, also):
        raise NotPossibleError("its subscription has ended meanwhile")


async def send_test(subscription: Subscription, now: int, history: History, also: Also) -> str:
    """Queue a test message; returns its id. ``also`` is written with it. Raises NotPossibleError for an endpoint that
    is not proved."""
    refuse_held(subscription)
    if not subscription.is_matched:
        raise NotPossibleError(f"a subscription that is {subscription.state} is sent no messages")
    job = TEST.make(subscription.id, now, now)
    await history.add([job], also)
    return job.id


def refuse_held(subscription: Subscription) -> None:
    """Raises NotPossibleError while the subscription is held: nothing is queued that nobody would send."""
    if subscription.state == "held":
        raise NotPossibleError(f"the subscription is held: {subscription.reason}")
