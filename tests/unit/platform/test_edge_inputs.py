"""Hostile query parameters and bodies: refused with a problem document, at a cost in keeping with their size."""

import base64
import json
import tracemalloc
from zoneinfo import ZoneInfo

import pytest
from starlette.requests import Request

from services.platform.http.access import read_authorization
from services.platform.http.lists import Listing, read_list
from services.platform.http.problems import Problem
from services.platform.reports import find_all_errors

LISTING = Listing(dict, ("id",), (int,))


def asking(query: str) -> Request:
    return Request({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": query.encode()})


@pytest.mark.parametrize("limit", ["9" * 5000, "0", "1001", "-1", "x"])
def test_a_limit_that_is_no_number_of_items_is_400(limit: str) -> None:
    with pytest.raises(Problem) as refused:
        read_list(asking(f"limit={limit}"), LISTING)
    assert refused.value.status == 400


@pytest.mark.parametrize("text", ["[" * 1000, "[" * 100_000, "[" * 900 + "]" * 900, "{}", "[1"])
def test_a_cursor_of_nested_brackets_is_400(text: str) -> None:
    cursor = base64.urlsafe_b64encode(text.encode()).decode()
    with pytest.raises(Problem) as refused:
        read_list(asking(f"after={cursor}"), LISTING)
    assert refused.value.status == 400


def test_two_authorization_headers_are_refused() -> None:
    assert read_authorization([(b"authorization", b"Bearer a")]) == "Bearer a"
    with pytest.raises(Problem) as refused:
        read_authorization([(b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")])
    assert refused.value.status == 400


def test_one_long_key_above_many_leaves_costs_no_more_than_its_size() -> None:
    body = json.dumps({"k" * 100_000: ["a"] * 10_000})
    raw = json.loads(body)
    tracemalloc.start()
    find_all_errors(raw, 0, ZoneInfo("UTC"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * len(body) + 2**20
