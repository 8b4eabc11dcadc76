"""UCDP GED as it is published becomes reports."""

import csv
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import pytest

from schemas.report import Report
from services.cli.report_files import read_ucdp
from services.cli.ucdp import UnreadableRowError, read_row

FILE: Final = Path(__file__).parents[3] / "deploy/scenarios/syria_2016/ucdp_ged_20160220_20160601.csv"
DAMASCUS: Final = ZoneInfo("Asia/Damascus")
ROW: Final = {
    "id": "313373",
    "type_of_violence": "1",
    "dyad_name": "Government of Syria - Syrian insurgents",
    "side_a": "Ahrar al-Sham, Jabhat Fateh al-Sham",
    "side_b": "Syrian insurgents",
    "source_office": "SOHR;BBC Monitoring",
    "source_headline": "A headline",
    "where_prec": "2",
    "where_coordinates": "Daraa  town",
    "latitude": "32.61889",
    "longitude": "36.10213",
    "event_clarity": "1",
    "date_start": "2016-02-26",
    "date_end": "2016-02-26",
    "best": "4",
}


def read(**changes: str) -> dict[str, Any]:
    return read_row({**ROW, **changes}, DAMASCUS)


def test_a_row_becomes_a_report() -> None:
    assert read() == {
        "external_id": "ucdp-313373",
        "occurred": {"date": "2016-02-26"},
        "act": "armed_clash",
        "location": {"place": "Daraa town", "lat": 32.61889, "lon": 36.10213, "radius_km": 25},
        "perpetrators": ["Ahrar al-Sham", "Jabhat Fateh al-Sham"],
        "targets": ["Syrian insurgents"],
        "casualties": {"killed": 4},
        "aggregate": False,
        "description": "A headline",
        "source": {"name": "UCDP GED", "grade": "C3", "quotes": ["SOHR", "BBC Monitoring"]},
        "language": "en",
    }


def test_several_days_are_an_interval_of_whole_local_days() -> None:
    """Damascus was UTC+2 until 25 March 2016, when its midnight did not exist."""
    assert read(date_start="2016-03-20", date_end="2016-03-25")["occurred"] == {
        "from": "2016-03-19T22:00:00Z",
        "to": "2016-03-25T21:00:00Z",
    }


def test_one_sided_violence_harms_civilians() -> None:
    assert read(type_of_violence="3")["act"] == "civilian_harm"


def test_an_unclear_event_is_an_aggregate() -> None:
    assert read(event_clarity="2")["aggregate"] is True


@pytest.mark.parametrize(
    ("precision", "radius"), [("1", 1), ("2", 25), ("3", 50), ("4", 100), ("5", 200), ("6", 300), ("7", 300)]
)
def test_the_radius_follows_from_the_precision(precision: str, radius: float) -> None:
    assert read(where_prec=precision)["location"]["radius_km"] == radius


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("where_prec", "8"),
        ("best", "many"),
        ("latitude", "north"),
        ("date_start", "26/02/2016"),
        ("type_of_violence", "4"),
        ("id", ""),
        ("side_a", ""),
    ],
)
def test_a_row_of_another_kind_is_refused_by_its_column(column: str, value: str) -> None:
    with pytest.raises(UnreadableRowError, match=column):
        read(**{column: value})


def test_the_published_file_is_read_without_one_error() -> None:
    with FILE.open(encoding="utf-8", newline="") as file:
        lines = list(read_ucdp(file, DAMASCUS))
    assert len(lines) == 1_509
    assert [line for line in lines if line.problem] == []
    reports = [msgspec.json.decode(line.body, type=Report) for line in lines]
    assert len({report.external_id for report in reports}) == 1_509


def test_nothing_of_the_published_file_is_lost_on_the_way() -> None:
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    killed = sum(int(row["best"]) for row in rows)
    reports = [read_row(row, DAMASCUS) for row in rows]
    assert sum(report["casualties"]["killed"] for report in reports) == killed
    assert sum(report["aggregate"] for report in reports) == sum(row["event_clarity"] == "2" for row in rows)
