"""How much one owner may have, counted in the transaction that adds to it, hence also right for concurrent requests.

Whoever calls holds the lock of the directory's version.
"""

from sqlalchemy import Connection, func, select

from services.notify.domain.limits import LimitReachedError
from services.notify.sql.tables import silences, subscriptions


def check_subscriptions(connection: Connection, owner: str, most: int) -> None:
    """Raises LimitReachedError where the owner now has more subscriptions than ``most``; ended ones do not count."""
    s = subscriptions.c
    _check(_count(connection, s.owner == owner, s.state != "ended"), most, "subscriptions", "end one")


def check_unproved(connection: Connection, owner: str, most: int) -> None:
    """Raises LimitReachedError where more than ``most`` of the owner's subscriptions wait for their proof."""
    s = subscriptions.c
    found = _count(connection, s.owner == owner, s.state == "pending")
    _check(found, most, "subscriptions that are not yet proved", "prove or end one")


def check_silences(connection: Connection, owner: str, most: int, now: int) -> None:
    """Raises LimitReachedError where the owner has more than ``most`` silences that have not ended."""
    s = silences.c
    _check(_count(connection, s.owner == owner, s.ends_at > now), most, "silences that have not ended", "end one")


def _count(connection: Connection, *which: object) -> int:
    return connection.execute(select(func.count()).where(*which)).scalar_one()  # type: ignore[arg-type]


def _check(found: int, most: int, what: str, remedy: str) -> None:
    if found > most:
        raise LimitReachedError(f"one owner may have {most} {what}: {remedy}, or ask an operator for more")
