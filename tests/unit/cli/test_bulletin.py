"""The bulletin: casualties of one event once, and texts of reports that are no markup in any form."""

import csv
import io
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from schemas.instants import parse_instant
from schemas.vocabulary import Language
from schemas.zones import UTC
from services.cli.bulletin import BulletinData, ReportedPeriod, events, make_bulletin, toll
from services.cli.bulletin_formats import FORMATS, as_csv, as_html, as_markdown

PERIOD = ReportedPeriod(parse_instant("2016-05-08T00:00:00Z"), parse_instant("2016-05-09T00:00:00Z"), UTC)


def assessed(id: str, killed: int | None = None, *links: tuple[str, float], **more: Any) -> dict[str, Any]:
    return {
        "incident_id": id, "verdict": "violation", "certainty": "Possible", "severity": "Severe", "reasons": [],
        "occurred": {"from": "2016-05-08T01:00:00Z", "to": "2016-05-08T02:00:00Z"}, "act": "shelling",
        "place": {"name": "Midan", "lat": None, "lon": None, "area": None}, "targets": [],
        "perpetrators": [], "casualties": {"killed": killed, "injured": None},
        "source": {"name": "desk", "grade": None}, "links": [{"incident_id": i, "score": s} for i, s in links],
        "findings": [{"truce": "calm", "outcome": "violation"}], **more,
    }  # fmt: skip


def test_reports_of_one_event_count_their_casualties_once() -> None:
    told = [assessed("a", 3, ("b", 0.9)), assessed("b", 5, ("a", 0.9)), assessed("c", 2, ("a", 0.79)), assessed("d")]
    assert toll(told, "killed") == "5–7"
    assert toll(told, "injured") == ""
    assert toll(told[2:], "killed") == "2"


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=12))
def test_each_report_belongs_to_one_event(pairs: list[tuple[int, int]]) -> None:
    linked: dict[int, list[tuple[str, float]]] = {n: [] for n in range(8)}
    for one, other in pairs:
        linked[one].append((str(other), 0.9))
        linked[other].append((str(one), 0.9))
    found = events([assessed(str(n), None, *links) for n, links in linked.items()])
    assert sorted(one["incident_id"] for event in found for one in event) == [str(n) for n in range(8)]
    of = {one["incident_id"]: number for number, event in enumerate(found) for one in event}
    assert all(of[str(one)] == of[str(other)] for one, other in pairs)


def test_what_was_retracted_is_left_out() -> None:
    gone = assessed("a", verdict="not_covered", reasons=[{"code": "retracted"}], findings=[])
    made = make_bulletin(BulletinData([gone], {}, {}), PERIOD, "en")
    assert made.incidents.rows == []


HOSTILE = "<script>alert(1)</script> | **x** [a](javascript:b)\n# =1+1"


@pytest.mark.parametrize("language", get_args(Language))
@pytest.mark.parametrize("form", FORMATS)
def test_a_text_of_a_report_is_no_markup(form: str, language: Language) -> None:
    place = {"name": HOSTILE, "lat": None, "lon": None, "area": None}
    hostile = assessed("a", 1, place=place, source={"name": "=cmd()", "grade": "C3"})
    hostile["perpetrators"] = [{"reported": HOSTILE, "party": None}]
    made = make_bulletin(BulletinData([hostile], {"calm": {"en": HOSTILE}}, {"calm": []}), PERIOD, language)
    text = FORMATS[form](made)
    if form == "html":
        found = html.fromstring(text)
        assert list(found.iter("script")) == []
        assert len(list(list(found.iter("table"))[-1].iter("td"))) == 9
    elif form == "csv":
        (row,) = csv.DictReader(io.StringIO(text))
        assert row["source"] == "'=cmd()"
    else:
        rows = [line for line in text.splitlines() if line.startswith("|") and "script" in line]
        assert rows
        assert all("\\<script\\>" in row and "\\[a\\]" in row and "\\*\\*x" in row for row in rows)


@given(st.text(min_size=1, max_size=60))
def test_any_name_is_one_cell_of_every_form(name: str) -> None:
    place = {"name": name, "lat": None, "lon": None, "area": None}
    made = make_bulletin(BulletinData([assessed("a", place=place)], {}, {}), PERIOD, "en")
    (line,) = [one for one in as_markdown(made).split("\n") if one.startswith("| 8 May 2016")]
    assert line.replace("\\|", "").count("|") == 10
    assert len(list(list(html.fromstring(as_html(made)).iter("table"))[-1].iter("td"))) == 9
    (row,) = csv.DictReader(io.StringIO(as_csv(made)))
    assert len(row) == 15
