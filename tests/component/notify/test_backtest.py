"""A backtest over many alerts: others get their turn, little is held in memory, and its lists are bounded."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from schemas.assessments import Interval
from schemas.instants import DAY, SECOND, format_instant, parse_instant
from services.notify.domain.silence import Matcher, Silence
from services.notify.domain.subscription import DigestMode, Draft, Subscription, Webhook
from services.notify.sql.alert_log import PAGE, SqlAlertLog
from services.notify.use_cases.rehearse import Rehearsed, rehearse
from services.notify.use_cases.release_silenced import RELEASED_AT_ONCE
from services.notify.use_cases.take_alerts import Logged
from services.platform.turns import STEPS
from tests.component.notify.running import hook, revised, running_notify
from tests.parts.receiver import Receiver
from tests.unit.notify.samples import ALERT

START = parse_instant("2016-05-08T12:00:00Z")
MANY = 3_000
END = START + MANY * SECOND
MOST = 100
HOOK = Webhook("https://desk.example.org/hook")
AT_ONCE, HOURLY = Draft(HOOK), Draft(HOOK, mode=DigestMode(digest="PT1H"))
BY_THREAD = Draft(HOOK, group_by=("thread",), group_wait="PT1H")
SILENCE = Silence("sil", None, (Matcher("act", "shelling"),), START, END, "drill", "desk", START)


@dataclass
class Log:
    """Alerts, one a second, each of a thread of its own; ``taken`` is how many were given out so far."""

    taken: int = 0
    most_at_once: int = 0
    entries: list[Logged] = field(default_factory=list)

    def __post_init__(self) -> None:
        for n in range(MANY):
            alert = revised(ALERT, 1, id=f"alr_{n}", status="raised", thread=f"thr_{n}")
            self.entries.append(Logged(n + 1, alert, START + n * SECOND))

    def _give(self, some: Sequence[Logged]) -> Sequence[Logged]:
        self.most_at_once = max(self.most_at_once, len(some))
        return Counted(some, self)

    async def pages(self) -> AsyncIterator[Sequence[Logged]]:
        # One page: nothing but the slices gives the others their turn.
        yield Counted(self.entries, self)

    async def fetch(self, numbers: Sequence[int]) -> Sequence[Logged]:
        return self._give([self.entries[number - 1] for number in numbers])


class Counted(list[Logged]):
    """Entries that are counted as they are judged."""

    def __init__(self, some: Sequence[Logged], log: Log) -> None:
        super().__init__(some)
        self._log = log

    def __iter__(self) -> Iterator[Logged]:
        for entry in super().__iter__():
            self._log.taken += 1
            yield entry


async def backtest(draft: Draft, silences: Sequence[Silence] = ()) -> tuple[Rehearsed, Log, list[int]]:
    """Its result, the log, and how many alerts were judged from each turn of another task to the next."""
    log, turns = Log(), [0]

    async def beat() -> None:
        while True:
            turns.append(log.taken)
            await asyncio.sleep(0)

    other = asyncio.create_task(beat())
    subscription = Subscription("sub", "desk", draft, "active", START, proved_at=START)
    found = await rehearse(subscription, log.pages(), log.fetch, silences, END, MOST)
    other.cancel()
    return found, log, [later - earlier for earlier, later in zip(turns, [*turns[1:], log.taken], strict=True)]


@pytest.mark.parametrize(
    ("draft", "silences", "messages"),
    [(AT_ONCE, (), MANY), (HOURLY, (), 1), (BY_THREAD, (), MANY), (AT_ONCE, (SILENCE,), MANY)],
    ids=["at once", "digest", "groups", "silenced"],
)
async def test_others_get_their_turn_during_a_backtest_and_its_lists_are_bounded(
    draft: Draft, silences: Sequence[Silence], messages: int
) -> None:
    found, log, judged = await backtest(draft, silences)
    assert max(judged) <= STEPS
    assert (found.count, found.message_count) == (MANY, messages)
    assert [e.alert.id for e in found.alerts] == [f"alr_{n}" for n in range(MOST)]
    assert len(found.messages) == min(messages, MOST)
    if messages == MANY:
        assert [m.alerts for m in found.messages] == [(f"alr_{n}",) for n in range(MOST)]
    assert log.most_at_once <= RELEASED_AT_ONCE


async def test_the_log_is_read_page_by_page_in_the_order_of_the_incidents_and_each_entry_once(tmp_path: Path) -> None:
    async with running_notify(tmp_path) as notify:
        count, ended = 2 * PAGE + 1, START + DAY
        # The first one pushed happened last.
        happened = [Interval(format_instant(START), format_instant(ended - n * SECOND)) for n in range(count)]
        await notify.push(
            *(
                revised(ALERT, 1, id=f"alr_{n}", status="raised", occurred=occurred)
                for n, occurred in enumerate(happened)
            )
        )
        log = SqlAlertLog(notify.runtime.database)
        times = await log.rehearsal_times(START, START + SECOND, MANY)
        pages = [page async for page in log.at_moments(times)]
        assert [len(page) for page in pages] == [PAGE, PAGE, 1]
        entries = [entry for page in pages for entry in page]
        assert [entry.alert.id for entry in entries] == [f"alr_{n}" for n in reversed(range(count))]
        assert [entry.recorded_at for entry in entries] == [ended - n * SECOND for n in reversed(range(count))]
        assert await log.rehearsal_times(START - DAY, START, MANY) == []
        assert len(await log.rehearsal_times(START, ended, 5)) == 6
        assert [entry.seq for entry in await log.numbered([3, 1])] == [3, 1]


async def test_a_backtest_goes_by_the_time_of_the_incidents_not_of_their_reports(tmp_path: Path) -> None:
    async with running_notify(tmp_path) as notify:
        await notify.at(3_650 * 86_400)
        moved = Interval("2016-06-01T21:00:00Z", "2016-06-02T21:00:00Z")
        await notify.push(ALERT)
        await notify.at(600)
        await notify.push(revised(ALERT, 2, occurred=moved))
        with Receiver() as receiver:
            made = await notify.subscribe(**hook(receiver))

        async def messages(day: str) -> list[str]:
            span = {"from": f"{day}T00:00:00Z", "to": f"{day}T12:00:00Z"}
            got = (await notify.call("POST", f"/v1/subscriptions/{made['id']}/backtest", span)).json()
            return [message["at"] for message in got["messages"]]

        # An alert is told whole, wherever a correction moved its incident.
        assert await messages("2016-05-08") == await messages("2016-06-02")
        assert await messages("2016-05-08") == ["2016-05-08T21:00:00Z", "2016-05-08T21:10:00Z"]
        assert await messages("2026-05-06") == []
