"""What was sent to a subscription: each message with each attempt at it, and asking for messages again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from schemas.vocabulary import AlertStatus
from services.notify.domain.attempt import Job, MessageKind
from services.notify.domain.delivery import Failure, general_failure, general_reason
from services.notify.domain.identity import message_id
from services.notify.domain.lifecycle import DeliveryState, NotPossibleError
from services.notify.domain.subscription import Subscription


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
    kind: MessageKind
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
        return f"alert.{self.status}" if self.kind == "alert" else self.kind


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


class History(Protocol):
    async def add(self, jobs: Sequence[Job], also: Also = ...) -> None: ...


async def send_test(subscription: Subscription, now: int, history: History, also: Also) -> str:
    """Queue a test message; returns its id. ``also`` is written with it. Raises NotPossibleError for an endpoint that
    is not proved."""
    refuse_held(subscription)
    if not subscription.is_matched:
        raise NotPossibleError(f"a subscription that is {subscription.state} is sent no messages")
    job = Job(id=message_id(subscription.id, "test", now), subscription=subscription.id, kind="test", created_at=now)
    await history.add([job], also)
    return job.id


def refuse_held(subscription: Subscription) -> None:
    """Raises NotPossibleError while the subscription is held: nothing is queued that nobody would send."""
    if subscription.state == "held":
        raise NotPossibleError(f"the subscription is held: {subscription.reason}")
