"""What the published schema accepts and what the route accepts are the same.

The schema of a report says what its types say. What it cannot say is stated in its prose: a place is lat and lon, an
area or a place; a time is a moment, from and to, or a date; neither lies in the future. Those are generated validly
here, and refused in :mod:`tests.unit.ingest.test_refusals`.
"""

import copy
import json
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from schemas.instants import parse_instant
from schemas.report import Report
from services.shared.http import Problem
from services.shared.reports import read_report
from tests.unit.ingest.desk import REPORT

NOW = parse_instant("2016-06-01T00:00:00Z")
CHECKER = FormatChecker(formats=())


@CHECKER.checks("date-time")
def _is_moment(value: object) -> bool:
    """RFC 3339 with an offset, as the language's own reader sees it."""
    if not isinstance(value, str) or len(value) < 20 or value[10] not in "Tt ":
        return not isinstance(value, str)
    try:
        parse_instant(value.upper())
    except ValueError:
        return False
    return True


SCHEMA = Draft202012Validator(msgspec.json.schema(Report), format_checker=CHECKER)
VALUES = st.sampled_from(
    [None, True, 0, -1, 1, 1.0, 1.5, 2, 50, 90, 90.5, 181, 1000, 1001, 10_000_001, "", "x", "shelling", "hospital",
     "accident", "C3", "C33", "c3", "en", "https://example.org", "x" * 300, "x" * 301, "x" * 2001, "x" * 10_001,
     "2016-05-08", "2016-05-08T10:00:00Z", "2016-05-08T10:00:00+03:00", "2016-05-08T10:00:00", [], ["x"], [""],
     ["x"] * 50, ["x"] * 51, ["hospital"], ["accident"], {}, {"name": "x"}, {"killed": 2}, {"killed": 1.0},
     {"date": "2016-05-08"}, {"date": "2016-13-01"}, {"place": "x"}, {"area": "x", "place": None}]
)  # fmt: skip
PATHS = st.sampled_from(
    [(name,) for name in msgspec.structs.asdict(msgspec.json.decode(json.dumps(REPORT), type=Report))]
    + [("location", "place"), ("location", "area"), ("casualties", "killed"), ("casualties", "odd"), ("odd",)]
    + [("source", "name"), ("source", "grade"), ("source", "url"), ("source", "quotes"), ("occurred", "odd")]
)  # fmt: skip


@st.composite
def variants(draw: st.DrawFn) -> dict[str, Any]:
    body: dict[str, Any] = copy.deepcopy(REPORT)
    for _ in range(draw(st.integers(1, 3))):
        *parents, name = draw(PATHS)
        target = body
        for parent in parents:
            if isinstance(target.get(parent), dict):
                target = target[parent]
        if draw(st.integers(0, 5)) == 0:
            target.pop(name, None)
        else:
            target[name] = draw(VALUES)
    return body


def means_something(body: dict[str, Any]) -> bool:
    """The prose of the schema."""
    location, occurred = body.get("location"), body.get("occurred")
    if isinstance(location, dict):
        point = location.get("lat") is not None and location.get("lon") is not None
        if not point and location.get("place") is None and location.get("area") is None:
            return False
    if isinstance(occurred, dict):
        given = {name for name in ("from", "to", "date") if occurred.get(name) is not None}
        return given in ({"date"}, {"from", "to"})
    return True


@given(body=variants())
@settings(max_examples=600, deadline=None)
def test_the_schema_and_the_route_accept_the_same(body: dict[str, Any]) -> None:
    try:
        read_report(json.dumps(body).encode(), NOW, ZoneInfo("UTC"))
    except Problem as problem:
        accepted, told = False, problem.errors
    else:
        accepted, told = True, ()
    valid = SCHEMA.is_valid(body) and means_something(body)
    assert accepted == valid, (told, [error.message for error in SCHEMA.iter_errors(body)])
