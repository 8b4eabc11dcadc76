"""The mails that ask readers for consent: counted by address and owner, and remembered for the link that blocks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from schemas.instants import DAY
from services.notify.domain.consent import (
    COUNTED_OVER,
    MOST_FOR_OWNER,
    MOST_TO_ADDRESS,
    AskedTooOftenError,
    NotWantedError,
    fold_address,
)
from services.notify.domain.identity import hash_token
from services.notify.domain.subscription import Email, Subscription
from services.notify.kinds.kind import Job
from services.notify.sql.tables import confirmations
from services.platform.db.paging import at_times, select_page
from services.platform.paging import PageQuery
from services.platform.security.sealing import Sealer

#: How long the link that blocks an address is good for, after the mail.
KEPT_FOR: Final = 366 * DAY
#: In these states a subscription by mail is sent something, or asks for it.
_MAILED: Final = ("pending", "active", "failing", "disabled")
_c = confirmations.c


@dataclass(frozen=True, slots=True)
class Block:
    """An address whose reader wants no mail from here."""

    id: str
    address: str
    blocked_at: int


def admit(
    connection: Connection, sealer: Sealer, before: Subscription | None, after: Subscription, jobs: Sequence[Job]
) -> None:
    """Let a change of a subscription pass, and remember the confirmations that it sends.

    Raises NotWantedError where it would mail an address that its reader blocked, AskedTooOftenError where too many
    confirmations were sent within a day. Whoever calls holds the lock of the directory's version, so none is counted
    twice or not at all.
    """
    channel = after.draft.channel
    newly = before is None or (before.state, before.target) != (after.state, after.target)
    if isinstance(channel, Email) and newly and after.state in _MAILED:
        _refuse_blocked(connection, sealer, channel.to, "/channel/to")
    if after.contact_state == "confirmed" and (before is None or before.contact_state != "confirmed"):
        _refuse_blocked(connection, sealer, after.draft.contact or "", "/contact")
    for job in jobs:
        asks = job.kind.asks
        if asks is not None:
            _remember(connection, sealer, after, job, asks.address(after), asks.token(after), asks.pointer)


def is_blocked(connection: Connection, sealer: Sealer, address: str) -> bool:
    wanted = _c.address_hash.in_(sealer.indexes(fold_address(address)))
    return connection.execute(select(_c.id).where(wanted, _c.blocked_at.is_not(None)).limit(1)).first() is not None


def _refuse_blocked(connection: Connection, sealer: Sealer, address: str, pointer: str) -> None:
    if is_blocked(connection, sealer, address):
        raise NotWantedError(pointer)


def _remember(
    connection: Connection, sealer: Sealer, s: Subscription, job: Job, address: str, nonce: str | None, pointer: str
) -> None:
    assert nonce is not None, "a confirmation has a token"
    _refuse_blocked(connection, sealer, address, pointer)
    to_it = _c.address_hash.in_(sealer.indexes(fold_address(address)))
    _count(connection, to_it, MOST_TO_ADDRESS, f"{MOST_TO_ADDRESS} confirmations to this address", job.created_at)
    _count(connection, _c.owner == s.owner, MOST_FOR_OWNER, f"{MOST_FOR_OWNER} confirmations by you", job.created_at)
    row = {
        "id": job.id, "token_hash": hash_token(nonce), "owner": s.owner, "sent_at": job.created_at, "blocked_at": None,
    } | _address_columns(sealer, job.id, fold_address(address))  # fmt: skip
    connection.execute(insert(confirmations), row)


def _count(connection: Connection, which: Any, most: int, text: str, now: int) -> None:
    recent = select(_c.sent_at).where(which, _c.sent_at > now - COUNTED_OVER).order_by(_c.sent_at.desc()).limit(most)
    sent = list(connection.execute(recent).scalars())
    if len(sent) >= most:
        raise AskedTooOftenError(f"{text} were sent within 24 hours, which is the most", sent[-1] + COUNTED_OVER)


def _address_columns(sealer: Sealer, id: str, address: str) -> dict[str, Any]:
    return {"sealed": sealer.seal(address.encode(), _place(id)), "address_hash": sealer.index(address)}


def _place(id: str) -> str:
    return f"confirmations/{id}"


def find_address(connection: Connection, sealer: Sealer, token: str) -> tuple[str, str] | None:
    """Id and address of the confirmation whose mail had this token; None for an unknown or an old one."""
    row = connection.execute(select(_c.id, _c.sealed).where(_c.token_hash == hash_token(token))).first()
    return None if row is None else (row.id, sealer.open(row.sealed, _place(row.id)).decode())


def block(connection: Connection, id: str, now: int) -> None:
    connection.execute(update(confirmations).where(_c.id == id, _c.blocked_at.is_(None)).values(blocked_at=now))


def list_blocks(connection: Connection, sealer: Sealer, query: PageQuery) -> Sequence[Block]:
    """One page by the time of the block and id, with one more. An address that was blocked by several mails is there
    once for each."""
    statement = select(_c.id, _c.sealed, _c.blocked_at).where(
        _c.blocked_at.is_not(None), *at_times(query, _c.blocked_at)
    )
    rows = connection.execute(select_page(statement, query, _c.blocked_at, _c.id))
    return [Block(row.id, sealer.open(row.sealed, _place(row.id)).decode(), row.blocked_at) for row in rows]


def lift(connection: Connection, sealer: Sealer, id: str) -> str | None:
    """Let the address of a block be mailed again, by whichever mail it was blocked. Its address, if there was one."""
    row = connection.execute(select(_c.id, _c.sealed).where(_c.id == id, _c.blocked_at.is_not(None))).first()
    if row is None:
        return None
    address = sealer.open(row.sealed, _place(row.id)).decode()
    connection.execute(
        update(confirmations).where(_c.address_hash.in_(sealer.indexes(address))).values(blocked_at=None)
    )
    return address


def forget_old(connection: Connection, now: int) -> int:
    """Forget the confirmations that nothing depends on any more; returns how many those were."""
    old = delete(confirmations).where(_c.sent_at < now - KEPT_FOR, _c.blocked_at.is_(None))
    return connection.execute(old).rowcount


def find_old_seals(connection: Connection, sealer: Sealer) -> list[str]:
    """The confirmations whose address another key than the first encrypted, by id."""
    rows = connection.execute(select(_c.id, _c.sealed))
    return [row.id for row in rows if not sealer.is_current(row.sealed)]


def seal_again(connection: Connection, sealer: Sealer, ids: Sequence[str]) -> None:
    """Encrypt the addresses of these confirmations with the first key."""
    for row in connection.execute(select(_c.id, _c.sealed).where(_c.id.in_(ids)).with_for_update()).all():
        address = sealer.open(row.sealed, _place(row.id)).decode()
        connection.execute(
            update(confirmations).where(_c.id == row.id).values(_address_columns(sealer, row.id, address))
        )


def count_foreign(connection: Connection, sealer: Sealer) -> int:
    """How many addresses were encrypted with a key that is not at hand."""
    return sum(not sealer.knows(sealed) for sealed in connection.execute(select(_c.sealed)).scalars())
