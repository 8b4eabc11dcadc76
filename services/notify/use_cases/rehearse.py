"""The messages that a subscription would have got."""

from collections.abc import AsyncIterable, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count, islice
from operator import attrgetter
from typing import Final

from msgspec.structs import replace

from schemas.causes import Cause
from schemas.vocabulary import Severity
from services.notify.decisions.alerts import name_group
from services.notify.domain.pipeline import AlertCase, Decision, decide
from services.notify.domain.quiet import breaks_through, quiet_until
from services.notify.domain.silence import Silence, find_silences
from services.notify.domain.subscription import Subscription
from services.notify.kinds.alert import ALERT
from services.notify.kinds.digest import DIGEST
from services.notify.use_cases.release_silenced import RELEASED_AT_ONCE
from services.notify.use_cases.take_alerts import Logged
from services.platform.turns import Turns

#: Kinds of what falls due, in the order in which they come at one moment.
_SILENCE_ENDS: Final = 0
_GROUP_IS_SENT: Final = 1
#: Entries of the log by their numbers, in their order.
Fetch = Callable[[Sequence[int]], Awaitable[Sequence[Logged]]]


@dataclass(frozen=True, slots=True)
class Message:
    """One message that would have gone out."""

    at: int
    type: str
    alerts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """``count`` alerts would have been told of by ``message_count`` messages; the first of both are given."""

    count: int
    alerts: Sequence[Logged]
    message_count: int
    messages: Sequence[Message]


@dataclass(slots=True)
class _Group:
    """Alerts, with their severities, that wait for the hour of their message. ``first_due``: that hour."""

    first_due: int
    members: dict[str, Severity] = field(default_factory=dict)


@dataclass(slots=True)
class _Earliest:
    """The earliest messages, no more than ``most``, and how many there were in all."""

    most: int
    count: int = 0
    kept: list[Message] = field(default_factory=list)

    def add(self, message: Message) -> None:
        self.count += 1
        self.kept.append(message)
        if len(self.kept) > 2 * self.most:
            self.kept = self.first()

    def first(self) -> list[Message]:
        return sorted(self.kept, key=attrgetter("at"))[: self.most]


@dataclass(slots=True)
class _Rehearsal:
    """The pipeline run over the past, with groups and what was told kept in memory; of alerts, only ids and numbers."""

    subscription: Subscription
    silences: Sequence[Silence]
    fetch: Fetch
    messages: _Earliest
    turns: Turns = field(default_factory=Turns)
    told: dict[str, int] = field(default_factory=dict)
    groups: dict[str, _Group] = field(default_factory=dict)
    last_sent: dict[str, int] = field(default_factory=dict)
    #: By alert: when its silence ends, and the number of its entry.
    silenced: dict[str, tuple[int, int]] = field(default_factory=dict)
    #: Due events, as a heap: when, of which kind, a number that keeps the order, the alert or the group.
    due: list[tuple[int, int, int, str]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    def take(self, entry: Logged, now: int) -> None:
        """Decide one revision at ``now``."""
        # As if each incident had been reported when it ended: no change of the registry gathers its alerts.
        alert, key = replace(entry.alert, cause=Cause()), name_group(self.subscription, entry.alert)
        silences = find_silences(self.silences, alert, now)
        told, sent = self.told.get(alert.id, 0), self.last_sent.get(key)
        self._follow(entry, key, decide(AlertCase(alert, self.subscription, now, told, silences, sent)))

    def _follow(self, entry: Logged, key: str, decision: Decision) -> None:
        alert = entry.alert
        if decision.action == "silence":
            self.silenced[alert.id] = (decision.due, entry.seq)
            self._expect(decision.due, _SILENCE_ENDS, alert.id)
        elif decision.action == "send":
            self.told[alert.id] = alert.revision
            self.messages.add(Message(decision.due, ALERT.type(decision.status), (alert.id,)))
        elif decision.action == "gather":
            self.told[alert.id] = alert.revision
            self._gather(key, entry, decision.due)

    def _gather(self, key: str, entry: Logged, due: int) -> None:
        group = self.groups.get(key)
        if group is None or due < group.first_due:
            group = self.groups.setdefault(key, _Group(due))
            group.first_due = due
            self._expect(due, _GROUP_IS_SENT, key)
        group.members[entry.alert.id] = entry.alert.severity

    def _expect(self, due: int, kind: int, key: str) -> None:
        heappush(self.due, (due, kind, next(self.numbers), key))

    async def pass_time(self, now: int) -> None:
        """Send the groups, and take out of their silences the alerts, whose hour has come."""
        while self.due and self.due[0][0] <= now:
            due, kind, _, key = self.due[0]
            if kind == _SILENCE_ENDS:
                await self._release(due)
            else:
                heappop(self.due)
                if key in self.groups and self.groups[key].first_due == due:
                    self._send(key, due)
            await self.turns.give()

    async def _release(self, due: int) -> None:
        """Decide anew some of the alerts whose silence ends at ``due``."""
        numbers: list[int] = []
        while self.due and self.due[0][:2] == (due, _SILENCE_ENDS) and len(numbers) < RELEASED_AT_ONCE:
            id = heappop(self.due)[-1]
            # An alert whose newer revision is held for another time is released then.
            if id in self.silenced and self.silenced[id][0] == due:
                numbers.append(self.silenced.pop(id)[1])
            await self.turns.give()
        for entry in await self.fetch(numbers):
            self.take(entry, due)
            await self.turns.give()

    def _send(self, key: str, due: int) -> None:
        group, quiet = self.groups[key], self.subscription.draft.quiet_hours
        until = quiet_until(quiet, due) if quiet else None
        if until is not None and quiet and not any(breaks_through(quiet, s) for s in set(group.members.values())):
            group.first_due = until
            self._expect(until, _GROUP_IS_SENT, key)
            return
        del self.groups[key]
        self.last_sent[key] = due
        self.messages.add(Message(due, DIGEST.name, tuple(group.members)))


async def rehearse(
    subscription: Subscription,
    pages: AsyncIterable[Sequence[Logged]],
    fetch: Fetch,
    silences: Sequence[Silence],
    end: int,
    most: int,
) -> Rehearsed:
    """The alerts that a subscription as it is now would have got: the newest revision of each, and the messages,
    the first ``most`` of both.

    ``pages`` in the order of ``recorded_at``. Messages that fall due after ``end`` are counted too, at their hour. The
    event loop gets its turn all along, and of the alerts no more is held than a page.
    """
    rehearsal = _Rehearsal(subscription, silences, fetch, _Earliest(most))
    newest: dict[str, int] = {}
    async for page in pages:
        for entry in page:
            await rehearsal.pass_time(entry.recorded_at)
            rehearsal.take(entry, entry.recorded_at)
            newest[entry.alert.id] = entry.seq
            await rehearsal.turns.give()
    await rehearsal.pass_time(end)
    await rehearsal.pass_time(max((g.first_due for g in rehearsal.groups.values()), default=end))
    shown = list(islice((seq for id, seq in newest.items() if id in rehearsal.told), most))
    told, messages = len(rehearsal.told), rehearsal.messages
    return Rehearsed(told, await fetch(shown), messages.count, messages.first())
