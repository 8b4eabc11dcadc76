"""Take alerts off the log: decide for whom they are, keep that, and hand the messages to the sender.

Everything is decided before the store is locked. The store compares what the decision rests on with what is there when
it is locked, and raises StaleError where a subscription, a silence or another process's alert came between: then it is
decided anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from schemas.assessments import Alert
from services.notify.decisions.alerts import AlertAction, Concerned, GroupName, decide_alert, find_intervals
from services.notify.decisions.groups import WaitingAlert
from services.notify.domain.subscription import Subscription
from services.notify.kinds.kind import Job
from services.notify.use_cases.directory import Directory
from services.platform.turns import Turns

#: Subscriptions that are decided for before the event loop may get its turn.
DECIDED_AT_ONCE: Final = 100


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
class AlertFacts:
    """The store's facts about ``alerts`` and ``groups``: the revisions in the log, the newest revision that each
    subscription was told of, or waits to be, what waits to be gathered, and when each group last went out."""

    alerts: frozenset[str] = frozenset()
    groups: frozenset[GroupName] = frozenset()
    known: frozenset[tuple[str, int]] = frozenset()
    told: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    waiting: Mapping[str, Mapping[str, WaitingAlert]] = field(default_factory=dict)
    last_sent: Mapping[GroupName, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DecidedAlert:
    """One revision and what is done with it, in the order in which its messages are kept and sent."""

    arrival: Arrival
    actions: Sequence[AlertAction]


@dataclass(frozen=True, slots=True)
class DecidedBatch:
    """Alerts in order, each revision once. Holds while the directory is at ``version`` and the store has ``facts``."""

    alerts: Sequence[DecidedAlert]
    version: int
    facts: AlertFacts

    @property
    def size(self) -> int:
        """How many rows it comes to, at most."""
        return max(len(self.alerts), sum(len(decided.actions) for decided in self.alerts))

    @property
    def lanes(self) -> frozenset[str]:
        """Those that its messages go by."""
        actions = (action for decided in self.alerts for action in decided.actions)
        return frozenset(job.lane for action in actions for job in (action.ahead, action.job) if job is not None)


@dataclass(frozen=True, slots=True)
class AcceptedAlerts:
    """The new alerts of a batch, and the messages that are this process's to send now."""

    logged: Sequence[Logged]
    jobs: Sequence[Job]


class FactsStore(Protocol):
    async def load_facts(self, alerts: frozenset[str], groups: frozenset[GroupName]) -> AlertFacts: ...


class AlertBook(FactsStore, Protocol):
    async def accept(self, batch: DecidedBatch, full: frozenset[str]) -> AcceptedAlerts:
        """Keep what is new with what is done with it, in one transaction. ``full``: lanes without room in memory.
        Raises StaleError where the batch does not hold any more."""
        ...


class JobQueue(Protocol):
    def full(self, lanes: Iterable[str]) -> frozenset[str]:
        """Those of the lanes that have no room for more in memory."""
        ...

    def offer(self, jobs: Sequence[Job]) -> None: ...


async def take_alerts(
    arrivals: Sequence[Arrival], directory: Directory, book: AlertBook, sender: JobQueue
) -> AcceptedAlerts:
    """One batch through. Repeating it changes nothing: neither the log nor who is told what."""

    async def attempt(version: int) -> AcceptedAlerts:
        matched = [directory.match(arrival.alert) for arrival in arrivals]
        revised = frozenset(arrival.alert.id for arrival in arrivals if arrival.alert.revision > 1)
        # An alert that begins was told to nobody, and the store leaves out one that it has: nothing is to be read.
        facts = await book.load_facts(revised, frozenset()) if revised else AlertFacts()
        concerned = [
            _find_concerned(arrival, ids, directory, facts) for arrival, ids in zip(arrivals, matched, strict=True)
        ]
        facts = await load_intervals(concerned, facts, book)
        decided = await decide_all(list(zip(arrivals, concerned, strict=True)), facts, directory.mail_domain)
        batch = DecidedBatch(decided, version, facts)
        return await book.accept(batch, sender.full(batch.lanes))

    accepted = await directory.decide(attempt)
    sender.offer(accepted.jobs)
    return accepted


def _find_concerned(arrival: Arrival, ids: Sequence[str], directory: Directory, facts: AlertFacts) -> Concerned:
    """Those that match, and those that were told before."""
    alert, now = arrival.alert, arrival.now
    told = facts.told.get(alert.id)
    found = [s for id in ({*ids, *told} if told else ids) if (s := directory.subscriptions.get(id)) is not None]
    return Concerned(alert, now, found, directory.silences_of(alert, now), is_matched=True)


async def load_intervals(concerned: Iterable[Concerned], facts: AlertFacts, store: FactsStore) -> AlertFacts:
    """The facts, with when the groups of these alerts last went out. Whether all hold together, the store sees when it
    keeps what was decided."""
    groups = frozenset(group for one in concerned for group in find_intervals(one))
    if not groups:
        return facts
    found = await store.load_facts(frozenset(), groups)
    return replace(facts, groups=groups, last_sent=found.last_sent)


async def decide_all(
    found: Sequence[tuple[Arrival, Concerned]], facts: AlertFacts, mail_domain: str, *, again: bool = False
) -> list[DecidedAlert]:
    """Decide in order, each revision once and none that the log has, unless it is decided ``again``. The event loop
    gets its turn all along."""
    turns, decided, seen = Turns(), list[DecidedAlert](), set(() if again else facts.known)
    told = {alert: dict(by) for alert, by in facts.told.items()}
    waits = {alert: dict(by) for alert, by in facts.waiting.items()}
    reached = dict[str, dict[str, Subscription]]()
    for arrival, concerned in found:
        revision = (arrival.alert.id, arrival.alert.revision)
        if revision in seen:
            continue
        seen.add(revision)
        before = told.setdefault(arrival.alert.id, {})
        waiting = waits.setdefault(arrival.alert.id, {})
        readers = reached.setdefault(arrival.alert.id, {})
        actions: list[AlertAction] = []
        for some in _slices(_with_readers(concerned, readers)):
            actions += decide_alert(some, before, waiting, facts.last_sent, mail_domain)
            await turns.give()
        _follow(waiting, before, arrival, actions)
        before.update((a.subscription.id, arrival.alert.revision) for a in actions if a.action != "silence")
        readers.update((a.subscription.id, a.subscription) for a in actions if a.action != "silence")
        decided.append(DecidedAlert(arrival, sorted(actions, key=_place)))
    return decided


def _follow(
    waiting: dict[str, WaitingAlert], told: Mapping[str, int], arrival: Arrival, actions: Iterable[AlertAction]
) -> None:
    """The alerts that wait to be gathered once the actions are taken."""
    alert, now = arrival.alert, arrival.now
    for action in actions:
        id = action.subscription.id
        earlier = waiting.pop(id, None) if action.frees or action.action == "gather" else None
        if action.action == "gather":
            told_before = id in told if earlier is None else earlier.told_before
            waiting[id] = WaitingAlert(
                alert.id, alert.revision, alert.status, alert.severity, now, action.due, told_before
            )


def _with_readers(concerned: Concerned, readers: Mapping[str, Subscription]) -> Concerned:
    """Also those that an earlier revision of the same batch was for: its filter may now keep them out."""
    known = {subscription.id for subscription in concerned.subscriptions}
    more = [subscription for id, subscription in readers.items() if id not in known]
    return replace(concerned, subscriptions=[*concerned.subscriptions, *more]) if more else concerned


def _slices(concerned: Concerned) -> list[Concerned]:
    found = concerned.subscriptions
    if len(found) <= DECIDED_AT_ONCE:
        return [concerned]
    starts = range(0, len(found), DECIDED_AT_ONCE)
    return [replace(concerned, subscriptions=found[start : start + DECIDED_AT_ONCE]) for start in starts]


def _place(action: AlertAction) -> str:
    """Messages of one alert are sent, hence recorded, in the order in which the table keeps them."""
    return action.job.id if action.job is not None else ""
