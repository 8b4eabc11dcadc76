"""One message on its way: what is to be sent, and what an attempt at it led to."""

from typing import Final, Literal

from msgspec import Struct, structs

from schemas.instants import DAY, SECOND
from schemas.vocabulary import AlertStatus
from services.notify.domain.consent import address_of
from services.notify.domain.content import decode_challenge, decode_digest
from services.notify.domain.delivery import Answer, Judgement, next_delay
from services.notify.domain.identity import hash_token
from services.notify.domain.lifecycle import SENT_TO, DeliveryState, EndpointEvent, EndpointState, next_delivery
from services.notify.domain.subscription import Subscription

#: ``alert``: one revision of one alert. ``confirm`` asks a mail address for its consent, ``consent`` the contact one;
#: ``notice`` tells the owner about the endpoint itself, at the contact address.
MessageKind = Literal["alert", "digest", "heartbeat", "challenge", "test", "confirm", "consent", "notice"]

#: An endpoint that has failed for so long is disabled.
OUTLASTED: Final = 5 * DAY
#: Kinds that do not wait for the endpoint to be proved, or to be on.
UNPROVED_KINDS: Final[frozenset[MessageKind]] = frozenset({"challenge", "confirm", "consent", "notice"})
#: Kinds that go to the contact address, whatever the channel.
TO_CONTACT: Final[frozenset[MessageKind]] = frozenset({"consent", "notice"})


class Job(Struct, frozen=True):
    """A message to be sent once. ``id`` is the webhook-id.

    ``attempts`` were made before, ``failures`` of them since it was last queued. ``status`` is what the recipient is
    told that the alert is; ``content`` is what a message of another kind is made from, as JSON. ``mail_id`` is the
    Message-ID of an alert that goes by mail, kept so that it can be looked up.
    """

    id: str
    subscription: str
    kind: MessageKind
    created_at: int
    alert: str | None = None
    revision: int = 0
    status: AlertStatus = "raised"
    content: bytes | None = None
    attempts: int = 0
    failures: int = 0
    mail_id: str | None = None

    @property
    def lane(self) -> str:
        """Which queue it stands in. Word to the owner goes another way than the endpoint that it is about."""
        return f"{self.subscription}!" if self.kind in TO_CONTACT else self.subscription


class Outcome(Struct, frozen=True):
    """What became of a job: its new state, when it is due again, and the attempt's answer, if one was made."""

    job: Job
    at: int
    state: DeliveryState
    reason: str
    due_at: int | None = None
    failures: int = 0
    answer: Answer | None = None


def settle(job: Job, answer: Answer, judgement: Judgement, now: int, chance: float) -> Outcome:
    """What an answer makes of a job. ``chance`` in [0, 1) spreads the retries."""
    if judgement.meaning == "delivered":
        return Outcome(job, now, next_delivery("pending", "delivered"), judgement.reason, answer=answer)
    if judgement.meaning == "gone" and job.kind not in UNPROVED_KINDS:
        return Outcome(job, now, next_delivery("pending", "endpoint_off"), judgement.reason, answer=answer)
    failures = job.failures + 1
    delay = next_delay(failures, judgement, chance)
    if delay is None:
        state = next_delivery("pending", "exhausted")
        return Outcome(job, now, state, judgement.reason, failures=failures, answer=answer)
    due = now + int(delay * SECOND)
    return Outcome(job, now, next_delivery("pending", "put_off"), judgement.reason, due, failures, answer)


def fail_inside(job: Job, error: Exception, now: int, chance: float, *, mails: bool) -> tuple[Outcome, Judgement]:
    """An attempt that failed on our side in an unforeseen way. Only the kind of the error is kept: its text may hold
    a secret."""
    kind = type(error).__name__
    answer = Answer("email" if mails else "webhook", 0, failure="internal", detail=kind)
    judgement = Judgement("retry", f"not sent: an internal error ({kind})")
    return settle(job, answer, judgement, now, chance), judgement


def strip(outcome: Outcome, error: Exception) -> Outcome:
    """The outcome without what may be why it cannot be recorded: its texts and the answer's body."""
    answer, reason = outcome.answer, f"recorded without its details: an internal error ({type(error).__name__})"
    bare = None if answer is None else Answer(answer.channel, 0, status=answer.status, failure=answer.failure)
    return structs.replace(outcome, reason=reason, answer=bare)


def is_off(job: Job, subscription: Subscription) -> bool:
    """Whether the message has to wait for its endpoint. One that is held because its owner has no valid key is sent
    nothing at all; else proofs are asked for, and owners told, whatever the endpoint's state."""
    if subscription.state == "held":
        return True
    return subscription.state not in SENT_TO and job.kind not in UNPROVED_KINDS


def is_void(job: Job, subscription: Subscription, now: int) -> bool:
    """Whether a message that asks for proof or goes to the contact address is of no use any more: too late, proved,
    another was sent instead, or the address is not to be mailed."""
    match job.kind:
        case "challenge" | "confirm":
            until = subscription.nonce_until
            return until is None or now >= until or not proves(job, subscription)
        case "consent":
            until, nonce = subscription.contact_until, subscription.contact_nonce
            return until is None or now >= until or nonce is None or not _holds(job, nonce)
        case "notice":
            return address_of(subscription) is None
    return False


def _holds(job: Job, nonce: str) -> bool:
    return decode_challenge(job.content or b"{}").challenge == hash_token(nonce)


def proves(job: Job, subscription: Subscription) -> bool:
    """Whether an answer to this message is the proof that the subscription waits for."""
    nonce = subscription.nonce
    return nonce is not None and _holds(job, nonce)


def tells_heartbeat(job: Job) -> bool:
    """Whether the message proves that the line is open: a heartbeat, or a digest that carries one."""
    if job.kind == "digest":
        return decode_digest(job.content or b"{}").heartbeat is not None
    return job.kind == "heartbeat"


def give_up(job: Job, now: int, reason: str) -> Outcome:
    """The job was not attempted, and will not be."""
    return Outcome(job, now, next_delivery("pending", "exhausted"), reason, failures=job.failures)


def put_back(job: Job, now: int, due_at: int, reason: str) -> Outcome:
    """The job was not attempted, and is due again then."""
    return Outcome(job, now, "pending", reason, due_at, job.failures)


def hold(job: Job, now: int, state: EndpointState) -> Outcome:
    """The job was not attempted, since its endpoint is off: it waits for recovery, or is dropped with the end."""
    event: Literal["endpoint_ended", "endpoint_off"] = "endpoint_ended" if state == "ended" else "endpoint_off"
    return Outcome(job, now, next_delivery("pending", event), f"the subscription is {state}", failures=job.failures)


def endpoint_event(subscription: Subscription, outcome: Outcome, judgement: Judgement) -> EndpointEvent | None:
    """What an attempt says of the endpoint; None where it says nothing new.

    A mail relay that does not answer says nothing of the mailbox behind it, and an error of ours nothing of either.
    """
    state, answer = subscription.state, outcome.answer
    if outcome.job.kind in UNPROVED_KINDS or answer is None or answer.failure == "internal":
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
