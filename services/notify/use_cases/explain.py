"""Why somebody got an alert, or did not; and what a subscription would have got."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.instants import format_instant
from services.notify.domain.pipeline import Case, Decision, Step, decide
from services.notify.domain.quiet import breaks_through, quiet_until
from services.notify.domain.silence import Silence, find_silences
from services.notify.domain.subscription import Subscription
from services.notify.use_cases.history import Delivered
from services.notify.use_cases.take_alerts import Logged, group_key


def trace_alert(
    revisions: Sequence[Logged],
    subscription: Subscription,
    silences: Sequence[Silence],
    deliveries: Sequence[Delivered],
) -> list[Step]:
    """The steps of the pipeline for one alert, to the first that did not let it pass.

    They are those of the first revision that got through, of the newest where none did. Filters are read as they are
    today; what was really sent has the last word. ``deliveries``: the messages that told of the alert.
    """
    steps = _before_matching(revisions[-1], subscription)
    if steps is None:
        cases = (
            Case(e.alert, subscription, e.recorded_at, 0, find_silences(silences, e.alert, e.recorded_at))
            for e in revisions
        )
        decisions = [decide(case) for case in cases]
        passed = (d for d in decisions if d.action in ("send", "gather"))
        steps = list(next(passed, decisions[-1]).steps)
    if deliveries:
        steps = [step if step.passed else _overruled(step) for step in steps]
    return [*steps, _record(deliveries)] if all(step.passed for step in steps) else steps


def _before_matching(entry: Logged, subscription: Subscription) -> list[Step] | None:
    """What keeps a subscription from being looked at; None where nothing does."""
    proved = subscription.proved_at
    if proved is None:
        return [Step("match", False, "the subscription has not been proved")]
    if entry.recorded_at < proved:
        when = f"proved at {format_instant(proved)}, after the alert of {format_instant(entry.recorded_at)}"
        return [Step("match", False, f"the subscription was {when}")]
    if not subscription.is_matched:
        return [Step("match", False, f"the subscription is {subscription.state}")]
    return None


def _overruled(step: Step) -> Step:
    return Step(step.step, True, f"it passed when it was decided; as things are today: {step.reason}")


def _record(deliveries: Sequence[Delivered]) -> Step:
    """What became of the messages, in words: of the first one, which decides whether the reader heard of it."""
    if not deliveries:
        return Step("record", False, "waits to be gathered, or for quiet hours to end; no message was made yet")
    first = deliveries[0]
    last = first.attempts[-1] if first.attempts else None
    told = f"attempt {last.number}: {last.reason}" if last else "not attempted yet"
    if first.state == "delivered":
        return Step("record", True, f"delivered by {told}")
    if first.state == "pending" and first.due_at is not None:
        return Step("record", False, f"{told}; the next attempt is due at {format_instant(first.due_at)}")
    return Step("record", False, f"{first.state}: {told}")


@dataclass(frozen=True, slots=True)
class Message:
    """One message that would have gone out."""

    at: int
    type: str
    alerts: tuple[str, ...]


@dataclass(slots=True)
class _Group:
    """Alerts that wait for the hour of their message. ``first_due``: that hour."""

    first_due: int
    members: dict[str, Logged] = field(default_factory=dict)


@dataclass(slots=True)
class _Rehearsal:
    """The pipeline run over the past, with groups and what was told kept in memory."""

    subscription: Subscription
    silences: Sequence[Silence]
    told: dict[str, int] = field(default_factory=dict)
    groups: dict[str, _Group] = field(default_factory=dict)
    last_sent: dict[str, int] = field(default_factory=dict)
    silenced: dict[str, tuple[int, Logged]] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)

    def take(self, entry: Logged, now: int) -> None:
        """Decide one revision at ``now``."""
        alert, key = entry.alert, group_key(self.subscription, entry.alert)
        silences = find_silences(self.silences, alert, now)
        told, sent = self.told.get(alert.id, 0), self.last_sent.get(key)
        self._follow(entry, key, decide(Case(alert, self.subscription, now, told, silences, sent)))

    def _follow(self, entry: Logged, key: str, decision: Decision) -> None:
        alert = entry.alert
        if decision.action == "silence":
            self.silenced[alert.id] = (decision.due, entry)
        elif decision.action == "send":
            self.told[alert.id] = alert.revision
            self.messages.append(Message(decision.due, f"alert.{decision.status}", (alert.id,)))
        elif decision.action == "gather":
            self.told[alert.id] = alert.revision
            group = self.groups.setdefault(key, _Group(decision.due))
            group.first_due = min(group.first_due, decision.due)
            group.members[alert.id] = entry

    def pass_time(self, now: int) -> None:
        """Send the groups, and take out of their silences the alerts, whose hour has come."""
        while (due := self._next_due()) is not None and due <= now:
            for id in [id for id, (until, _) in self.silenced.items() if until <= due]:
                self.take(self.silenced.pop(id)[1], due)
            for key in [k for k, g in self.groups.items() if g.first_due <= due]:
                self._send(key, due)

    def _next_due(self) -> int | None:
        dues = [g.first_due for g in self.groups.values()] + [until for until, _ in self.silenced.values()]
        return min(dues, default=None)

    def _send(self, key: str, due: int) -> None:
        group, quiet = self.groups[key], self.subscription.draft.quiet_hours
        until = quiet_until(quiet, due) if quiet else None
        if (
            until is not None
            and quiet
            and not any(breaks_through(quiet, e.alert.severity) for e in group.members.values())
        ):
            group.first_due = until
            return
        del self.groups[key]
        self.last_sent[key] = due
        self.messages.append(Message(due, "digest", tuple(group.members)))


def rehearse(
    subscription: Subscription, entries: Sequence[Logged], silences: Sequence[Silence], end: int
) -> tuple[list[Logged], list[Message]]:
    """What a subscription as it is now would have got of these alerts: the newest revision of each, and the messages.

    ``entries`` in the order of the log. Messages that fall due after ``end`` are given too, at their hour.
    """
    rehearsal = _Rehearsal(subscription, silences)
    for entry in entries:
        rehearsal.pass_time(entry.recorded_at)
        rehearsal.take(entry, entry.recorded_at)
    rehearsal.pass_time(end)
    rehearsal.pass_time(max((g.first_due for g in rehearsal.groups.values()), default=end))
    newest = {entry.alert.id: entry for entry in entries if entry.alert.id in rehearsal.told}
    return list(newest.values()), sorted(rehearsal.messages, key=lambda m: m.at)
