"""One page of a list in SQL, alike in both databases."""

from typing import Any

from sqlalchemy import ColumnElement, Select, or_, tuple_

from services.platform.paging import PageQuery


def select_page(statement: Select[Any], query: PageQuery, *key: ColumnElement[Any]) -> Select[Any]:
    """``statement`` in the order of ``key``, which is unique, from after the query's position, with one row more than
    its limit."""
    if query.after is not None:
        columns, after = (key[0], query.after[0]) if len(key) == 1 else (tuple_(*key), tuple_(*query.after))
        statement = statement.where(columns < after if query.descending else columns > after)
    ordered = (column.desc() if query.descending else column for column in key)
    return statement.order_by(*ordered).limit(query.limit + 1)


def at_times(query: PageQuery, moment: ColumnElement[int]) -> list[ColumnElement[bool]]:
    """Conditions for an instant to lie within the query's times."""
    found: list[ColumnElement[bool]] = []
    if query.start is not None:
        found.append(moment >= query.start)
    if query.end is not None:
        found.append(moment < query.end)
    return found


def touching_times(query: PageQuery, start: ColumnElement[int], end: ColumnElement[int]) -> list[ColumnElement[bool]]:
    """Conditions for ``[start, end)``, or the instant that it is, to have a moment within the query's times."""
    found: list[ColumnElement[bool]] = []
    if query.start is not None:
        found.append(or_(start >= query.start, end > query.start))
    if query.end is not None:
        found.append(start < query.end)
    return found


def one_of(query: PageQuery, name: str, column: ColumnElement[str]) -> list[ColumnElement[bool]]:
    """The condition of a filter, where it is set."""
    values = query.values(name)
    return [column.in_(values)] if values else []
