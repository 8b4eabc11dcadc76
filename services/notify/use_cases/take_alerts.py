"""Take alerts off the log: keep them, decide for whom they are, and hand the messages to the sender."""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

import msgspec

from schemas.assessments import Alert
from services.notify.domain.attempt import Job
from services.notify.domain.email import alert_mail_ids
from services.notify.domain.grouping import is_gathered, read_group
from services.notify.domain.identity import alert_message_id
from services.notify.domain.lifecycle import SENT_TO, DeliveryState
from services.notify.domain.pipeline import STAGES, Case, decide, match
from services.notify.domain.subscription import Email, Subscription
from services.notify.use_cases.directory import Directory

#: The index has matched already: what remains is everything after the first stage.
_AFTER_MATCH: Final = STAGES[1:]
#: Alerts that came out of a silence and are decided in one transaction.
RELEASED_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Arrival:
    """One revision of one alert as it came: ``body`` is its JSON, ``event_id`` the event's, ``now`` when;
    ``traceparent`` of what its messages are caused by."""

    alert: Alert
    body: bytes
    event_id: str
    now: int
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Logged:
    """One entry of the alert log. ``seq`` is the cursor; ``event_id`` is of the event that brought it."""

    seq: int
    alert: Alert
    recorded_at: int
    event_id: str = ""
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """The newest revision that a recipient was told of, or waits to be; ``unfinished``: its delivery is under way."""

    revision: int
    unfinished: bool = False
    claimed_by: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the store knows that a decision needs: who was told of an alert, when a group last went out, and where
    alerts are decided anew, for whom a silence held them."""

    told: Mapping[str, Mapping[str, Told]]
    last_sent: Callable[[Sequence[tuple[str, str]]], Mapping[tuple[str, str], int]]
    silenced: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of an alert for a subscription. ``state`` and ``job`` are of a message of its own."""

    action: Literal["send", "gather", "silence"]
    subscription: Subscription
    due: int
    state: DeliveryState = "pending"
    job: Job | None = None
    group: str | None = None
    silence: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was new in a batch, and the messages that are this process's to send now."""

    logged: Sequence[Logged]
    jobs: Sequence[Job]


Judge = Callable[[Arrival, Facts], Iterator[Fate]]


class AlertBook(Protocol):
    async def accept(
        self, arrivals: Sequence[Arrival], judge: Judge, version: int, full: Container[str], expected: int
    ) -> Accepted:
        """Keep what is new and what ``judge`` makes of it, in one transaction. ``expected``: about how many messages
        come of it. Raises StaleError."""
        ...

    async def reconsider(
        self, now: int, judge: Judge, version: int, full: Container[str], limit: int
    ) -> tuple[int, Sequence[Job]]:
        """Decide anew, in one transaction, what silences held that are over, of up to ``limit`` alerts: how many
        these were, and the messages that are this process's to send now. Raises StaleError."""
        ...


class Sender(Protocol):
    def full(self) -> Container[str]:
        """Lanes that have no room for more in memory."""
        ...

    def offer(self, jobs: Sequence[Job]) -> None: ...


async def take_alerts(arrivals: Sequence[Arrival], directory: Directory, book: AlertBook, sender: Sender) -> Accepted:
    """One batch through. Repeating it changes nothing: neither the log nor who is told what."""

    async def accept(version: int) -> Accepted:
        matched = {a.alert.id + str(a.alert.revision): directory.match(a.alert) for a in arrivals}
        judge, expected = _judge_with(directory, matched), sum(map(len, matched.values()))
        return await book.accept(arrivals, judge, version, sender.full(), expected)

    accepted = await directory.decide(accept)
    sender.offer(accepted.jobs)
    return accepted


async def release_silenced(now: int, directory: Directory, book: AlertBook, sender: Sender) -> None:
    """Send what silences held that are over, if it still stands."""

    def judge(arrival: Arrival, facts: Facts) -> Iterator[Fate]:
        held_for = (directory.subscriptions.get(id) for id in facts.silenced.get(arrival.alert.id, ()))
        concerned = [s for s in held_for if s and match(Case(arrival.alert, s, arrival.now)).passed]
        return judge_alert(arrival, concerned, directory, facts)

    count = RELEASED_AT_ONCE
    while count == RELEASED_AT_ONCE:
        count, jobs = await directory.decide(
            lambda version: book.reconsider(now, judge, version, sender.full(), RELEASED_AT_ONCE)
        )
        sender.offer(jobs)


def _judge_with(directory: Directory, matched: Mapping[str, Sequence[str]]) -> Judge:
    def judge(arrival: Arrival, facts: Facts) -> Iterator[Fate]:
        alert = arrival.alert
        told = facts.told.get(alert.id, {})
        ids = {*matched[alert.id + str(alert.revision)], *told} if told else matched[alert.id + str(alert.revision)]
        concerned = [s for id in ids if (s := directory.subscriptions.get(id)) is not None]
        return judge_alert(arrival, concerned, directory, facts)

    return judge


def judge_alert(
    arrival: Arrival, concerned: Sequence[Subscription], directory: Directory, facts: Facts
) -> Iterator[Fate]:
    """The fate of one alert for each subscription that it matches, or whose owner was told of it before."""
    alert, now = arrival.alert, arrival.now
    told = facts.told.get(alert.id, {})
    silences = directory.silences_of(alert, now)
    keys = {s.id: group_key(s, alert) for s in concerned if is_gathered(s.draft)}
    last_sent = facts.last_sent(list(keys.items())) if keys else {}
    for subscription in concerned:
        before = told.get(subscription.id)
        key = keys.get(subscription.id)
        sent = last_sent.get((subscription.id, key)) if key is not None else None
        case = Case(alert, subscription, now, before.revision if before else 0, silences, sent)
        fate = _fate(case, key, directory.mail_domain)
        if fate is not None:
            yield fate


def group_key(subscription: Subscription, alert: Alert) -> str:
    """The group that an alert falls into, as canonical JSON."""
    return msgspec.json.encode(read_group(subscription.draft.group_by, alert), order="sorted").decode()


def _fate(case: Case, key: str | None, mail_domain: str) -> Fate | None:
    decision = decide(case, _AFTER_MATCH)
    subscription = case.subscription
    match decision.action:
        case "skip":
            return None
        case "gather":
            return Fate("gather", subscription, decision.due, group=key)
        case "silence":
            return Fate("silence", subscription, decision.due, silence=decision.silence)
        case "send":
            job = Job(
                id=alert_message_id(subscription.id, case.alert.id, case.alert.revision),
                subscription=subscription.id,
                kind="alert",
                created_at=case.now,
                alert=case.alert.id,
                revision=case.alert.revision,
                status=decision.status,
                mail_id=_mail_id(case, mail_domain),
            )
            state: DeliveryState = "pending" if subscription.state in SENT_TO else "held"
            return Fate("send", subscription, decision.due, state, job)


def _mail_id(case: Case, domain: str) -> str | None:
    """The Message-ID that the alert will go out under, where it goes by mail."""
    if not isinstance(case.subscription.draft.channel, Email):
        return None
    return alert_mail_ids(case.alert, case.subscription.target, domain)[0]
