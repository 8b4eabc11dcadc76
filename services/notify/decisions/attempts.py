"""The outcome of an attempt: the message's next state, and the event of its endpoint."""

from typing import Final, Literal

from msgspec import Struct, structs

from schemas.instants import DAY, SECOND
from services.notify.domain.delivery import AttemptAnswer, Channel, Judgement, next_delay
from services.notify.domain.lifecycle import SENT_TO, DeliveryState, EndpointEvent, EndpointState, next_delivery
from services.notify.domain.subscription import Email, Subscription
from services.notify.kinds.kind import Job

#: An endpoint that fails for this long is disabled.
OUTLASTED: Final = 5 * DAY


class Outcome(Struct, frozen=True):
    """A job's next state, when it is due again, and the attempt's answer, if there was an attempt."""

    job: Job
    at: int
    state: DeliveryState
    reason: str
    due_at: int | None = None
    failures: int = 0
    answer: AttemptAnswer | None = None


def settle(job: Job, answer: AttemptAnswer, judgement: Judgement, now: int, chance: float) -> Outcome:
    """The outcome of an answer. ``chance`` in [0, 1) spreads the retries."""
    if judgement.meaning == "delivered":
        return Outcome(job, now, next_delivery("pending", "delivered"), judgement.reason, answer=answer)
    if judgement.meaning == "gone" and job.kind.needs_proof:
        return Outcome(job, now, next_delivery("pending", "endpoint_off"), judgement.reason, answer=answer)
    failures = job.failures + 1
    delay = next_delay(failures, judgement, chance)
    if delay is None:
        state = next_delivery("pending", "exhausted")
        return Outcome(job, now, state, judgement.reason, failures=failures, answer=answer)
    due = now + int(delay * SECOND)
    return Outcome(job, now, next_delivery("pending", "put_off"), judgement.reason, due, failures, answer)


def fail_inside(
    job: Job, subscription: Subscription | None, error: BaseException, now: int, chance: float
) -> tuple[Outcome, Judgement]:
    """The outcome of an unexpected error of ours. Only the error's type is kept: its text may hold a secret."""
    kind = type(error).__name__
    channel: Channel = "email" if goes_by_mail(job, subscription) else "webhook"
    answer = AttemptAnswer(channel, 0, failure="internal", detail=kind)
    judgement = Judgement("retry", f"not sent: an internal error ({kind})")
    return settle(job, answer, judgement, now, chance), judgement


def strip(outcome: Outcome, error: BaseException) -> Outcome:
    """The outcome without the texts and the answer's body, one of which may be why it cannot be recorded."""
    answer, reason = outcome.answer, f"recorded without its details: an internal error ({type(error).__name__})"
    bare = None if answer is None else AttemptAnswer(answer.channel, 0, status=answer.status, failure=answer.failure)
    return structs.replace(outcome, reason=reason, answer=bare)


def is_off(job: Job, subscription: Subscription) -> bool:
    """Whether the message has to wait for its endpoint. A held subscription is sent nothing at all; otherwise kinds
    that need no proof are sent whatever the endpoint's state."""
    if subscription.state == "held":
        return True
    return subscription.state not in SENT_TO and job.kind.needs_proof


def goes_by_mail(job: Job, subscription: Subscription | None) -> bool:
    """Whether the message goes by mail: its kind always does, or the subscription's channel is mail."""
    channel = None if subscription is None else subscription.draft.channel
    return job.kind.mailed_to is not None or isinstance(channel, Email)


def give_up(job: Job, now: int, reason: str) -> Outcome:
    """The outcome of a job that is never attempted."""
    return Outcome(job, now, next_delivery("pending", "exhausted"), reason, failures=job.failures)


def put_back(job: Job, now: int, due_at: int, reason: str) -> Outcome:
    """The outcome of a job that was not attempted and is due again at ``due_at``."""
    return Outcome(job, now, "pending", reason, due_at, job.failures)


def hold(job: Job, now: int, state: EndpointState) -> Outcome:
    """The outcome of a job whose endpoint is off: held until recovery, or dropped if the subscription ended."""
    event: Literal["endpoint_ended", "endpoint_off"] = "endpoint_ended" if state == "ended" else "endpoint_off"
    return Outcome(job, now, next_delivery("pending", event), f"the subscription is {state}", failures=job.failures)


def endpoint_event(subscription: Subscription, outcome: Outcome, judgement: Judgement) -> EndpointEvent | None:
    """The event of the endpoint that follows from an attempt, None for no change.

    An unreachable mail relay says nothing about the mailbox behind it; an internal error says nothing about either.
    """
    state, answer = subscription.state, outcome.answer
    if not outcome.job.kind.needs_proof or answer is None or answer.failure == "internal":
        return None
    if judgement.meaning == "delivered":
        return "delivered" if state == "failing" else None
    if judgement.meaning == "gone":
        return "refused"
    if answer.channel == "email" and judgement.meaning != "rejected":
        return None
    since = subscription.failing_since
    if state == "failing" and since is not None and outcome.at - since >= OUTLASTED:
        return "outlasted"
    return "failed" if state == "active" else None
