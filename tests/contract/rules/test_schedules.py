"""The schedules of truces as they are kept, on each database: what changed is published once, with its cause."""

from sqlalchemy import event

from schemas.causes import Actor, Cause
from schemas.codec import decode
from schemas.envelope import Event
from schemas.events import TruceScheduled
from services.platform.db.engine import Database
from services.platform.db.tables import outbox
from services.rules.registry.schedules_sql import SqlSchedules
from services.rules.registry.sql import registry_resources, registry_versions

TIME = "2016-05-08T09:00:00Z"


def schedule(truce: str, name: str = "calm") -> TruceScheduled:
    return TruceScheduled(truce, 0, "", {"en": name}, (), "UTC", (), ())


async def change(database: Database, version: int, *truces: str) -> None:
    made = {"version": version, "recorded_at": version, "actor": f"author {version}", "reason": f"reason {version}"}
    rows = [{"kind": "truces", "id": id, "version": version, "recorded_at": version} for id in truces]

    def work(connection):  # type: ignore[no-untyped-def]
        connection.execute(registry_versions.insert(), made)
        if rows:
            connection.execute(registry_resources.insert(), rows)

    await database.write(work)


async def published(database: Database) -> list[TruceScheduled]:
    rows = await database.read(lambda c: c.execute(outbox.select().order_by(outbox.c.seq)).all())
    events = [Event(row.topic, row.key, row.id, row.type, row.source, row.time, row.data) for row in rows]
    return [one for one in map(decode, events) if isinstance(one, TruceScheduled)]


def cause(truce: str, version: int) -> Cause:
    return Cause("registry", Actor(None, f"author {version}"), f"reason {version}", (f"truces/{truce}",), version)


async def test_each_truce_has_the_change_that_was_its_last_as_cause(database: Database) -> None:
    store = SqlSchedules(database, "me")
    await change(database, 1, "a", "b")
    await change(database, 2, "b")
    await change(database, 3)
    assert await store.publish(3, {id: schedule(id) for id in "abc"}, 0)
    # Of "c" nothing is recorded: something that it names changed, and the newest change is taken for it.
    assert [one.cause for one in await published(database)] == [cause("a", 1), cause("b", 2), cause("c", 3)]
    await change(database, 4, "a")
    assert await store.publish(4, {"a": schedule("a", "quiet"), "b": schedule("b"), "c": schedule("c", "new")}, 0)
    assert [one.cause for one in (await published(database))[3:]] == [cause("a", 4), cause("c", 4)]


async def test_a_thousand_truces_are_published_by_hardly_more_statements_than_ten(database: Database) -> None:
    """No report is judged while they are published: the process has one writer."""
    store, statements = SqlSchedules(database, "me"), [0]

    @event.listens_for(database.engine, "before_cursor_execute")
    def count(*_: object) -> None:
        statements[0] += 1

    used = []
    for version, number in ((1, 10), (2, 1_000)):
        truces = [f"t{version}-{n}" for n in range(number)]
        await change(database, version, *truces)
        before = statements[0]
        assert await store.publish(version, {id: schedule(id) for id in truces}, 0)
        used.append(statements[0] - before)
    assert used[1] <= used[0] + 10
