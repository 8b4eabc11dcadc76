"""Decide about many items of which one may fail: the others are decided all the same."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from services.platform.failures import RetryLaterError

Item = TypeVar("Item")
Made = TypeVar("Made")
Name = TypeVar("Name")


async def decide_apart(
    items: Iterable[Item], name: Callable[[Item], Name], decide: Callable[[Item], Awaitable[Made]]
) -> tuple[list[Made], dict[Name, Exception]]:
    """The decisions in order, and by name the errors of the items that failed, to be put off and shown. Raises
    RetryLaterError, which is no item's fault."""
    decided, failed = list[Made](), dict[Name, Exception]()
    for item in items:
        try:
            decided.append(await decide(item))
        except RetryLaterError:
            raise
        except Exception as error:  # noqa: BLE001 - returned
            failed[name(item)] = error
    return decided, failed
