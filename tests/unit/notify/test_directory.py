"""What a process knows of subscriptions, and how it notices that it knows too little, or too much."""

from collections.abc import Iterator, Sequence
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


async def test_an_answer_that_a_newer_one_overtook_takes_nothing_back() -> None:
    store = Store()
    directory = Directory(store)
    for id in ("a", "b"):
        store.put(id)
    await directory.refresh()
    newest = store.changed_since
    slow: Iterator[Answer] = iter([(1, [store.subscriptions[0]], [])])

    async def overtaken(version: int) -> Answer:
        return next(slow, None) or await newest(version)

    store.changed_since = overtaken  # type: ignore[method-assign]
    await directory.refresh()
    assert (directory.version, sorted(directory.match(ALERT))) == (2, ["a", "b"])
