"""All lists read their queries by one mechanism: orders, times, filters, limits, cursors."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, create_engine, insert, select
from starlette.applications import Starlette
from starlette.requests import Request

from schemas.instants import parse_instant
from services.platform.clock import LocalTime
from services.platform.db.paging import at_times, one_of, select_page, touching_times
from services.platform.http.lists import MAX_VALUES, ListFilter, Listing, Page, make_page, read_list
from services.platform.http.problems import Problem
from services.platform.paging import PageQuery, page_items

LIST: Final = Listing(
    dict,
    orders=("-made", "made", "name"),
    key=(int, str),
    times="things made then",
    filters={"kind": ListFilter("Of this kind.", ("a", "b", "c")), "name": ListFilter("Of this name.")},
)
Thing = tuple[int, str]


def asking(query: str, zone: str | None = None) -> Request:
    scope: dict[str, Any] = {"type": "http", "path": "/", "headers": [], "query_string": query.encode()}
    if zone is not None:
        scope["app"] = Starlette()
        scope["app"].state.local_time = LocalTime(ZoneInfo(zone))
    return Request(scope)


def pointers(query: str) -> list[str]:
    with pytest.raises(Problem) as refused:
        read_list(asking(query), LIST)
    assert refused.value.status == 400
    return [error.pointer for error in refused.value.errors]


def test_what_is_not_asked_for_is_the_first_order_and_everything() -> None:
    assert read_list(asking(""), LIST) == PageQuery("made", descending=True)


def test_everything_that_is_asked_for_is_read() -> None:
    query = "order=made&limit=7&from=2016-05-08T00:00:00%2B03:00&to=2016-05-09T00:00:00Z&kind=a&kind=b&kind=a&name="
    assert read_list(asking(query), LIST) == PageQuery(
        by="made",
        descending=False,
        limit=7,
        start=parse_instant("2016-05-07T21:00:00Z"),
        end=parse_instant("2016-05-09T00:00:00Z"),
        chosen={"kind": ("a", "b")},
    )


def test_every_bad_parameter_is_named_at_once() -> None:
    assert pointers("order=x&limit=0&from=x&to=2016&kind=a&kind=z") == ["/order", "/kind", "/limit", "/from", "/to"]
    assert pointers("&".join(f"name={n}" for n in range(MAX_VALUES + 1))) == ["/name"]


def test_a_local_time_is_of_the_registrys_zone_and_refused_where_that_is_not_known() -> None:
    local = read_list(asking("from=2016-05-08T00:00:00", "Asia/Damascus"), LIST)
    assert local.start == parse_instant("2016-05-08T00:00:00+03:00")
    assert read_list(asking("from=2016-05-08", "Asia/Damascus"), LIST).start == local.start
    assert pointers("from=2016-05-08T00:00:00") == ["/from"]


def test_a_cursor_is_of_one_order() -> None:
    after = make_page(replace(read_list(asking(""), LIST), limit=1), [(2, "b"), (1, "a")], lambda thing: thing).next
    assert after is not None
    assert read_list(asking(f"after={after}"), LIST).after == (2, "b")
    assert pointers(f"after={after}&order=made") == ["/after"]


@pytest.mark.parametrize("cursor", ["rubbish", "%", "W10", "WyItbWFkZSIsICJ4IiwgMV0"])
def test_a_cursor_that_we_did_not_make_is_refused(cursor: str) -> None:
    assert pointers(f"after={quote(cursor)}") == ["/after"]


things = st.lists(st.tuples(st.integers(0, 5), st.text("abc", min_size=1, max_size=3)), unique=True, max_size=30)
metadata = MetaData()
table = Table("things", metadata, Column("made", Integer), Column("name", Text))


def walk(order: str, limit: int, load: Any) -> list[Thing]:
    """Every item of a list, page by page."""
    found: list[Thing] = []
    after = ""
    while True:
        parameters = {"order": order, "limit": str(limit)} | ({"after": after} if after else {})
        query = read_list(asking(urlencode(parameters)), LIST)
        page: Page = make_page(query, load(query), lambda thing: thing)
        assert len(page.items) <= limit
        assert page.has_more == (page.next is not None)
        found += page.items
        if page.next is None:
            return found
        after = page.next


@contextmanager
def in_memory() -> Iterator[Connection]:
    """A connection to a database of its own, closed at the end."""
    engine = create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


@settings(deadline=None)
@given(things=things, limit=st.integers(1, 7), order=st.sampled_from(["made", "-made"]))
def test_pages_hold_every_item_once_and_in_order(things: list[Thing], limit: int, order: str) -> None:
    expected = sorted(things, reverse=order.startswith("-"))
    assert walk(order, limit, lambda query: page_items(things, query, lambda thing: thing)) == expected
    with in_memory() as connection:
        metadata.create_all(connection)
        if things:
            connection.execute(insert(table), [{"made": made, "name": name} for made, name in things])

        def load(query: PageQuery) -> list[Thing]:
            rows = connection.execute(select_page(select(table), query, table.c.made, table.c.name))
            return [(row.made, row.name) for row in rows]

        assert walk(order, limit, load) == expected


@settings(deadline=None)
@given(
    spans=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).map(sorted), max_size=20),
    start=st.none() | st.integers(0, 9),
    end=st.none() | st.integers(0, 9),
)
def test_times_are_half_open_and_touch_a_span_at_one_moment_at_least(
    spans: list[list[int]], start: int | None, end: int | None
) -> None:
    low, high = -1 if start is None else start, 99 if end is None else end
    query, spanned = PageQuery(start=start, end=end), Table("s", MetaData(), Column("a", Integer), Column("b", Integer))
    with in_memory() as connection:
        spanned.create(connection)
        if spans:
            connection.execute(insert(spanned), [{"a": a, "b": b} for a, b in spans])
        at = connection.execute(select(spanned.c.a).where(*at_times(query, spanned.c.a))).scalars().all()
        touching = connection.execute(select(spanned).where(*touching_times(query, spanned.c.a, spanned.c.b))).all()
    assert sorted(at) == sorted(a for a, _ in spans if low <= a < high)
    # A span of no length is the instant that it is.
    assert sorted(map(tuple, touching)) == sorted((a, b) for a, b in spans if a < high and (a >= low or b > low))


def test_a_filter_that_is_not_set_is_no_condition() -> None:
    assert one_of(PageQuery(), "kind", table.c.name) == []
    (condition,) = one_of(PageQuery(chosen={"kind": ("a", "b")}), "kind", table.c.name)
    assert "IN" in str(condition)
