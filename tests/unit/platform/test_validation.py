"""The slow second look at what the quick one refused: they never disagree, whatever stands wherever."""

import copy
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from schemas.examples import REPORT
from schemas.registry import Announcement, Document
from schemas.report import Report
from services.platform.http.validation import find_errors
from tests.unit.rules.registry_samples import announcement, area, document, party, truce

HOSTILE: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 10**30, "", "\0", "a" * 400, "a" * 20_000, [], {}, [[]], [None], {"a": None},
    "2016-13-45", "any", "P1D", ["a"] * 1_001,
)  # fmt: skip

ANNOUNCEMENT = announcement("d", "declare", "01 00", starts_at="2016-05-01", duration="P1D", text="x")
DOCUMENT = document(
    areas={"type": "FeatureCollection", "features": [area("both", None, union=["city"])]},
    parties=[party("army", aliases=["A", {"name": "B", "from": "2016-01-01"}], member_of=[{"party": "rebels"}])],
    presence=[{"party": "army", "area": "city", "control": "held", "to": "2016-01-01"}],
    places=[{"id": "p", "name": "P", "lat": 1, "lon": 2, "radius_km": 3}],
    truces=[truce("calm", ANNOUNCEMENT, exclusions=[{"party": "army", "from": "2016-01-01"}])],
)


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in members:
        yield from places(item, (*path, key))


def put(value: Any, path: tuple[str | int, ...], item: Any) -> Any:
    if not path:
        return item
    changed = copy.deepcopy(value)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = item
    return changed


@pytest.mark.parametrize(("model", "valid"), [(Announcement, ANNOUNCEMENT), (Document, DOCUMENT), (Report, REPORT)])
def test_what_the_quick_look_refuses_has_an_error_and_what_it_takes_has_none(model: Any, valid: Any) -> None:
    assert find_errors(valid, model) == []
    for path in places(valid):
        for item in HOSTILE:
            value = put(valid, path, item)
            try:
                msgspec.json.decode(msgspec.json.encode(value), type=model)
            except msgspec.ValidationError:
                assert find_errors(value, model), (path, item)
            else:
                assert not find_errors(value, model), (path, item)
