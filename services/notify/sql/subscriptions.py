"""Subscriptions as rows. Every change takes the next version of the directory in the same transaction."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, insert, select, tuple_, update

from services.notify.domain.attempt import Job, Outcome
from services.notify.domain.consent import fold_address
from services.notify.domain.identity import hash_token
from services.notify.domain.silence import Matcher, Silence
from services.notify.domain.subscription import Draft, Subscription, Webhook
from services.notify.sql import confirmations, deliveries
from services.notify.sql.tables import deliveries as sent
from services.notify.sql.tables import directory_version, silences, subscriptions
from services.notify.use_cases.directory import StaleError
from services.shared.db.bulk import scalar
from services.shared.db.engine import Database
from services.shared.db.upsert import merge
from services.shared.failures import NeverRetryError
from services.shared.sealing import DamagedError, Sealer

log = logging.getLogger(__name__)

#: Ids in one statement.
IDS_AT_ONCE: Final = 500

Also = Callable[[Connection], None]

_encode = msgspec.json.Encoder().encode
_decode_matchers: Final = msgspec.json.Decoder(tuple[Matcher, ...]).decode


class Sealed(msgspec.Struct, frozen=True):
    """The fields that are secret or may hold a secret, encrypted at rest: a URL may name a user, or be a secret."""

    draft: Draft
    secrets: tuple[tuple[str, int | None], ...]
    nonce: str | None
    token: str
    contact_nonce: str | None = None


_decode_sealed: Final = msgspec.json.Decoder(Sealed).decode


class UnknownError(NeverRetryError):
    """There is no such row."""


def current_version(connection: Connection) -> int:
    """The version of the newest change of a subscription or a silence; 0 before the first."""
    return scalar(connection, "SELECT version FROM directory_version") or 0


def expect_version(connection: Connection, version: int) -> None:
    """Raises StaleError when the directory is no longer at ``version``."""
    if current_version(connection) != version:
        raise StaleError


def next_version(connection: Connection) -> int:
    """Take the next version. On PostgreSQL the row stays locked until the commit, so versions commit in order."""
    raised = merge(connection, directory_version, lambda _: {"version": directory_version.c.version + 1})
    first = {"id": 1, "version": 1}
    version: int = connection.execute(raised.values(first).returning(directory_version.c.version)).scalar_one()
    return version


class SqlSubscriptions:
    """The store of subscriptions; ``also`` in each change is what happens with it, or not at all."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def add(self, subscription: Subscription, jobs: Sequence[Job], also: Also) -> Subscription:
        """Keep a new one, with the messages that prove it. Returns it with its version."""

        def work(connection: Connection) -> Subscription:
            row = to_row(subscription, self._sealer) | {"version": next_version(connection)}
            connection.execute(insert(subscriptions), row)
            confirmations.admit(connection, self._sealer, None, subscription, jobs)
            deliveries.insert_jobs(connection, jobs)
            also(connection)
            return to_subscription(row, self._sealer)

        return await self._database.write(work)

    async def change(
        self, id: str, decide: Callable[[Subscription], tuple[Subscription, Sequence[Job]]], also: Also
    ) -> tuple[Subscription, Subscription]:
        """Load, decide, save, in one transaction; returns what was and what is. Raises UnknownError, and what
        ``decide`` raises."""

        def work(connection: Connection) -> tuple[Subscription, Subscription]:
            return change_in(connection, self._sealer, id, decide, also)

        return await self._database.write(work)

    async def load(self, id: str) -> Subscription:
        """Raises UnknownError."""
        return await self._database.read(lambda connection: load_in(connection, self._sealer, id))

    async def find(self, **column: str) -> Subscription | None:
        """The one whose only given secret (``nonce``, ``token``, ``contact_nonce``) has that value."""
        ((name, value),) = column.items()
        wanted = subscriptions.c[f"{name}_hash"] == hash_token(value)

        def work(connection: Connection) -> Subscription | None:
            row = connection.execute(select(subscriptions).where(wanted)).first()
            return None if row is None else to_subscription(row._mapping, self._sealer)

        return await self._database.read(work)

    async def page(self, owner: str | None, after: tuple[int, str] | None, limit: int) -> Sequence[Subscription]:
        """In the order they were made; of one owner, or of everybody. Ended ones are left out."""
        statement = select(subscriptions).where(subscriptions.c.state != "ended")
        if owner is not None:
            statement = statement.where(subscriptions.c.owner == owner)
        if after is not None:
            statement = statement.where(tuple_(subscriptions.c.created_at, subscriptions.c.id) > after)
        statement = statement.order_by(subscriptions.c.created_at, subscriptions.c.id).limit(limit)
        return await self._database.read(lambda c: _readable(c.execute(statement), self._sealer))

    async def changed_since(self, version: int) -> tuple[int, list[Subscription], list[Silence]]:
        """The directory's version, and all that changed after ``version``, of one moment."""

        def work(connection: Connection) -> tuple[int, list[Subscription], list[Silence]]:
            now = current_version(connection)
            found = connection.execute(select(subscriptions).where(subscriptions.c.version > version))
            quiet = connection.execute(select(silences).where(silences.c.version > version))
            return now, _readable(found, self._sealer), [to_silence(r) for r in quiet]

        return await self._database.read(work)

    async def answered(self, ids: Sequence[str]) -> list[Outcome]:
        """The challenges of these subscriptions that were answered, whatever follows from it."""
        d = sent.c
        found: list[Outcome] = []
        for start in range(0, len(ids), IDS_AT_ONCE):
            mine = d.subscription_id.in_(ids[start : start + IDS_AT_ONCE])
            statement: Any = select(sent).where(mine, d.kind == "challenge", d.state == "delivered")
            rows = await self._database.read(lambda connection, s=statement: connection.execute(s).all())  # type: ignore[misc]
            found += [Outcome(deliveries.to_job(row), row.finished_at, "delivered", "answered") for row in rows]
        return found

    async def find_reader(self, token: str) -> str | None:
        """The address that a confirmation with this token was sent to."""
        found = await self._database.read(lambda c: confirmations.find_address(c, self._sealer, token))
        return None if found is None else found[1]

    async def block(self, token: str, now: int, decide: Callable[[Subscription, str], Subscription]) -> str | None:
        """Block the address that a confirmation with this token was sent to, and have every subscription that names it
        follow. Returns the address."""

        def work(connection: Connection) -> str | None:
            next_version(connection)
            found = confirmations.find_address(connection, self._sealer, token)
            if found is None:
                return None
            id, address = found
            confirmations.block(connection, id, now)
            for named in self._naming(connection, address):
                change_in(connection, self._sealer, named, lambda s: (decide(s, address), []), _nothing)
            return address

        return await self._database.write(work)

    def _naming(self, connection: Connection, address: str) -> list[str]:
        hashes, s = self._sealer.indexes(fold_address(address)), subscriptions.c
        named = select(s.id).where(s.target_hash.in_(hashes) | s.contact_hash.in_(hashes), s.state != "ended")
        return list(connection.execute(named.order_by(s.id)).scalars())

    async def blocks(self, before: tuple[int, str] | None, limit: int) -> Sequence[confirmations.Block]:
        """Blocked addresses, newest first."""
        return await self._database.read(lambda c: confirmations.list_blocks(c, self._sealer, before, limit))

    async def lift_block(self, id: str, also: Also) -> bool:
        """False where there is no such block."""

        def work(connection: Connection) -> bool:
            next_version(connection)
            if confirmations.lift(connection, self._sealer, id) is None:
                return False
            also(connection)
            return True

        return await self._database.write(work)

    async def forget_confirmations(self, now: int) -> None:
        await self._database.write(lambda connection: confirmations.forget_old(connection, now), durable=False)

    async def add_silence(self, silence: Silence, also: Also) -> None:
        def work(connection: Connection) -> None:
            row = {
                "id": silence.id, "owner": silence.owner, "version": next_version(connection),
                "matchers": _encode(silence.matchers), "starts_at": silence.starts_at, "ends_at": silence.ends_at,
                "ended_at": silence.ended_at,
                "reason": silence.reason, "author": silence.author, "created_at": silence.created_at,
            }  # fmt: skip
            connection.execute(insert(silences), row)
            also(connection)

        return await self._database.write(work)

    async def silence(self, id: str) -> Silence | None:
        statement = select(silences).where(silences.c.id == id)
        return next(iter(await self._silences(statement)), None)

    async def silences(self, owner: str | None, before: tuple[int, str] | None, limit: int) -> Sequence[Silence]:
        """Newest first: of one owner with those of everybody, or all."""
        statement = select(silences)
        if owner is not None:
            statement = statement.where(silences.c.owner.is_(None) | (silences.c.owner == owner))
        if before is not None:
            statement = statement.where(tuple_(silences.c.created_at, silences.c.id) < before)
        return await self._silences(statement.order_by(silences.c.created_at.desc(), silences.c.id.desc()).limit(limit))

    async def silences_at(self, start: int, end: int) -> Sequence[Silence]:
        """Those that were in force at some moment of the half-open interval."""
        return await self._silences(select(silences).where(silences.c.starts_at < end, silences.c.ends_at > start))

    async def _silences(self, statement: Any) -> Sequence[Silence]:
        return await self._database.read(lambda connection: [to_silence(row) for row in connection.execute(statement)])

    async def end_silence(self, id: str, now: int, also: Also) -> None:
        """End it now, and let go of what it held. One that ended before is left as it is."""

        def work(connection: Connection) -> None:
            ended = (
                update(silences)
                .where(silences.c.id == id, silences.c.ends_at > now)
                .values(ends_at=now, ended_at=now, version=next_version(connection))
            )
            connection.execute(ended)
            deliveries.release_silenced(connection, id, now)
            also(connection)

        await self._database.write(work)


def _nothing(_connection: Connection) -> None:
    return None


def change_in(
    connection: Connection,
    sealer: Sealer,
    id: str,
    decide: Callable[[Subscription], tuple[Subscription, Sequence[Job]]],
    also: Also,
) -> tuple[Subscription, Subscription]:
    """:meth:`SqlSubscriptions.change` within a transaction that is under way."""
    # The version is locked first, by all alike: several changes in one transaction must not wait for one another's.
    version = next_version(connection)
    before = load_in(connection, sealer, id, lock=True)
    after, jobs = decide(before)
    confirmations.admit(connection, sealer, before, after, jobs)
    row = to_row(after, sealer)
    if after != before:
        row["version"] = version
    connection.execute(update(subscriptions).where(subscriptions.c.id == id).values(row))
    deliveries.follow_endpoint(connection, before, after)
    deliveries.insert_jobs(connection, jobs)
    also(connection)
    return before, to_subscription(row, sealer)


def load_in(connection: Connection, sealer: Sealer, id: str, *, lock: bool = False) -> Subscription:
    statement = select(subscriptions).where(subscriptions.c.id == id)
    row = connection.execute(statement.with_for_update() if lock else statement).first()
    if row is None:
        raise UnknownError(f"no subscription {id}")
    return to_subscription(row._mapping, sealer)


def to_row(s: Subscription, sealer: Sealer) -> dict[str, Any]:
    sealed = sealer.seal(_encode(Sealed(s.draft, s.secrets, s.nonce, s.token, s.contact_nonce)), _place(s.id))
    return {
        "id": s.id, "owner": s.owner, "version": s.version, "state": s.state, "sealed": sealed,
        "target_hash": sealer.index(target_key(s)), "created_at": s.created_at, "proved_at": s.proved_at,
        "nonce_hash": None if s.nonce is None else hash_token(s.nonce), "nonce_until": s.nonce_until,
        "failing_since": s.failing_since, "reason": s.reason, "token_hash": hash_token(s.token),
        "contact_state": s.contact_state, "contact_until": s.contact_until,
        "contact_hash": sealer.index(fold_address(s.draft.contact)) if s.draft.contact else None,
        "contact_nonce_hash": None if s.contact_nonce is None else hash_token(s.contact_nonce),
    }  # fmt: skip


def target_key(s: Subscription) -> str:
    """The key by which a subscription is found from its URL or address."""
    return s.target if isinstance(s.draft.channel, Webhook) else fold_address(s.target)


def to_subscription(row: Any, sealer: Sealer) -> Subscription:
    """Raises SealError for a row that another key sealed, DamagedError for one that was changed."""
    return _subscription(row, _decode_sealed(sealer.open(row["sealed"], _place(row["id"]))))


def _readable(rows: Iterable[Row[Any]], sealer: Sealer) -> list[Subscription]:
    """All but those that are damaged: one such row must not keep the others from being read."""
    found = []
    for row in rows:
        try:
            found.append(to_subscription(row._mapping, sealer))
        except DamagedError as error:
            log.error("left out: %s", error)
    return found


def _place(id: str) -> str:
    return f"subscriptions/{id}"


def from_plain(row: Any) -> Subscription:
    """A row as it was before secrets were encrypted."""
    return _subscription(row, _decode_sealed(row["sealed"]))


def _subscription(row: Any, sealed: Sealed) -> Subscription:
    return Subscription(
        id=row["id"],
        owner=row["owner"],
        draft=sealed.draft,
        state=row["state"],
        created_at=row["created_at"],
        version=row["version"],
        proved_at=row["proved_at"],
        secrets=sealed.secrets,
        nonce=sealed.nonce,
        nonce_until=row["nonce_until"],
        failing_since=row["failing_since"],
        reason=row["reason"],
        token=sealed.token,
        contact_state=row["contact_state"],
        contact_nonce=sealed.contact_nonce,
        contact_until=row["contact_until"],
    )


def to_silence(row: Row[Any]) -> Silence:
    return Silence(
        id=row.id,
        owner=row.owner,
        matchers=_decode_matchers(row.matchers),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        ended_at=row.ended_at,
        reason=row.reason,
        author=row.author,
        created_at=row.created_at,
        version=row.version,
    )
