"""The published schema and the route accept the same.

What a schema cannot say stands in its prose: that a time neither ends before it begins nor lies in the future, that a
date exists, that no text holds a NUL. :mod:`tests.component.ingest.test_refusals` has those.
"""

import copy
import json
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from schemas.instants import parse_instant
from schemas.report import Report
from services.platform.http.problems import Problem
from services.platform.reports import read_report
from tests.examples import examples
from tests.unit.ingest.samples import REPORT

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
            target[name] = copy.deepcopy(draw(VALUES))
    return body


@given(body=variants())
@examples(600)
def test_the_schema_and_the_route_accept_the_same(body: dict[str, Any]) -> None:
    try:
        read_report(json.dumps(body).encode(), NOW, ZoneInfo("UTC"))
    except Problem as problem:
        accepted, told = False, problem.errors
    else:
        accepted, told = True, ()
    assert accepted == SCHEMA.is_valid(body), (told, [error.message for error in SCHEMA.iter_errors(body)])
