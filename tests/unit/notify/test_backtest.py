"""A backtest over many alerts: others get their turn, little is held in memory, and its lists are bounded."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import select

from schemas.instants import SECOND, parse_instant
from services.notify.domain.silence import Matcher, Silence
from services.notify.domain.subscription import Draft, Gathered, Subscription, Webhook
from services.notify.sql.alerts import PAGE, SqlAlertLog
from services.notify.sql.tables import alert_log
from services.notify.use_cases.explain import Rehearsed, rehearse
from services.notify.use_cases.take_alerts import RELEASED_AT_ONCE, Logged
from services.shared.turns import STEPS
from tests.unit.notify.desk import revised, running
from tests.unit.notify.samples import ALERT

START = parse_instant("2016-05-08T12:00:00Z")
MANY = 3_000
END = START + MANY * SECOND
MOST = 100
HOOK = Webhook("https://desk.example.org/hook")
AT_ONCE, HOURLY = Draft(HOOK), Draft(HOOK, mode=Gathered(digest="PT1H"))
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


async def test_the_log_is_read_page_by_page_in_order_and_each_entry_once(tmp_path: Path) -> None:
    async with running(tmp_path) as desk:
        wanted = [f"alr_{n}" for n in range(2 * PAGE + 1)]
        await desk.push(*(revised(ALERT, 1, id=id, status="raised") for id in wanted))
        rows = select(alert_log.c.recorded_at).limit(1)
        at: int = await desk.runtime.database.read(lambda connection: connection.execute(rows).scalars().one())
        log = SqlAlertLog(desk.runtime.database)
        count, last = await log.extent(at, at + 1)
        pages = [page async for page in log.between(at, at + 1, last)]
        assert (count, [len(page) for page in pages]) == (len(wanted), [PAGE, PAGE, 1])
        assert [entry.alert.id for page in pages for entry in page] == wanted
        assert await log.extent(at + 1, at + 2) == (0, 0)
        assert [entry.seq for entry in await log.numbered([3, 1])] == [3, 1]
