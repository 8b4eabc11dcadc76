"""One page of a list, as a value: order, position, times and filters."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Up to ``limit`` items that follow ``after``, the sort key of the item before, in the order ``by``.

    ``start`` and ``end`` are instants, half-open, in microseconds; None is open. ``chosen`` has the values of each
    filter that is set: an item must match one value of every filter.
    """

    by: str = ""
    descending: bool = True
    after: tuple[Any, ...] | None = None
    limit: int = 100
    start: int | None = None
    end: int | None = None
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def order(self) -> str:
        """As the query parameter has it: ``-created`` is descending."""
        return f"-{self.by}" if self.descending else self.by

    def values(self, name: str) -> tuple[str, ...]:
        return self.chosen.get(name, ())


def page_items(items: Iterable[T], query: PageQuery, key: Callable[[T], tuple[Any, ...]]) -> list[T]:
    """The items of one page out of all, and one more where there is one."""
    ordered = sorted(items, key=key, reverse=query.descending)
    if query.after is not None:
        after, descending = query.after, query.descending
        ordered = [item for item in ordered if (key(item) < after if descending else key(item) > after)]
    return ordered[: query.limit + 1]
