"""The subscriptions that a process knows, and how it notices that it knows too little, or too much."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.notify.domain.silence import Silence
from services.notify.domain.subscription import Draft, Subscription, Webhook
from services.notify.use_cases.directory import Directory, StaleError
from tests.unit.notify.samples import ALERT

Answer = tuple[int, Sequence[Subscription], Sequence[Silence]]
DRAFT = Draft(Webhook("https://hooks.example.org/a"))


@dataclass
class Store:
    """A store whose versions a test sets."""

    version: int = 0
    subscriptions: list[Subscription] = field(default_factory=list)

    async def changed_since(self, version: int) -> Answer:
        return self.version, [s for s in self.subscriptions if s.version > version], []

    def put(self, id: str) -> None:
        self.version += 1
        self.subscriptions.append(Subscription(id, "desk", DRAFT, "active", 0, self.version))


async def test_an_attempt_is_made_again_until_nothing_has_changed_under_it() -> None:
    store = Store()
    directory = Directory(store)
    store.put("a")
    tried: list[int] = []

    async def attempt(version: int) -> list[str]:
        tried.append(version)
        if version < 2:
            store.put(f"later-{version}")
            raise StaleError
        return directory.match(ALERT)

    found = await directory.decide(attempt)
    assert (tried, sorted(found)) == ([0, 2], ["a", "later-0"])


async def test_a_store_that_was_put_back_to_what_it_once_was_is_read_anew() -> None:
    store = Store()
    directory = Directory(store)
    for id in ("kept", "made after the backup"):
        store.put(id)
    await directory.refresh()
    store.version, store.subscriptions = 1, store.subscriptions[:1]
    await directory.refresh()
    assert (directory.version, directory.match(ALERT)) == (1, ["kept"])


async def test_answers_that_overtake_each_other_lose_nothing() -> None:
    """Once, one that came late looked like a store that had gone back, and what had come since was forgotten."""
    store, turns = Store(), iter([10, 0, 10, 0, 20])

    class Slow:
        async def changed_since(self, version: int) -> Answer:
            answer = await store.changed_since(version)
            await pass_turns(next(turns, 0))
            return answer

    directory = Directory(Slow())

    async def make(turn: int, *ids: str) -> None:
        await pass_turns(turn)
        for id in ids:
            store.put(id)
        await directory.refresh()

    await asyncio.gather(make(0), make(2, "a", "b"), make(13, "c"), make(15, "d"))
    assert (directory.version, sorted(directory.match(ALERT))) == (4, ["a", "b", "c", "d"])


async def pass_turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)
