"""Many items in one transaction: one that fails does not undo the others."""

import logging
import sqlite3
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import InterfaceError, OperationalError

from schemas.instants import MINUTE
from services.platform.failures import RetryLaterError

log = logging.getLogger(__name__)

OnFault = Callable[[Exception], None]
T = TypeVar("T")
R = TypeVar("R")

#: The database is away, or another process is first: no item is at fault.
NOT_OF_ITEMS: Final = (RetryLaterError, OperationalError, InterfaceError, sqlite3.OperationalError)
#: An item that failed is tried again after this long.
PUT_OFF: Final = 5 * MINUTE


def log_fault(error: Exception) -> None:
    """The default where no other callback is given."""
    log.error("an item failed and is put off", exc_info=error)


def each_apart(
    connection: Connection,
    items: Sequence[T],
    work: Callable[[Sequence[T]], R],
    put_off: Callable[[T], object],
) -> tuple[list[R], list[Exception]]:
    """Run ``work`` for all ``items`` together; where that fails, for each alone. Returns what it returned, and the
    errors of the items that failed.

    What a failed item did is undone, and ``put_off`` is run for it instead, so that it does not keep others from the
    next turn. Raises what is no item's fault (:data:`NOT_OF_ITEMS`).
    """
    together, error = _attempt(connection, items, work)
    if error is None:
        return together, []
    results: list[R] = []
    errors: list[Exception] = []
    for item in items:
        alone, error = _attempt(connection, [item], work)
        results += alone
        if error is not None:
            put_off(item)
            errors.append(error)
    return results, errors


def _attempt(
    connection: Connection, items: Sequence[T], work: Callable[[Sequence[T]], R]
) -> tuple[list[R], Exception | None]:
    savepoint = connection.begin_nested()
    try:
        result = work(items)
    except NOT_OF_ITEMS:
        raise
    except Exception as error:  # noqa: BLE001 - returned
        savepoint.rollback()
        return [], error
    savepoint.commit()
    return [result], None
