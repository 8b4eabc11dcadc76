"""One worked example of each published shape, for the generated documents; the tests check every one of them."""

from typing import Any, Final

REPORT: Final[dict[str, Any]] = {
    "external_id": "state-media-20160508-midan",
    "occurred": {"date": "2016-05-08"},
    "act": "shelling",
    "location": {"place": "Midan, Aleppo", "lat": 36.214, "lon": 37.166, "radius_km": 1.0},
    "perpetrators": ["opposition fighters"],
    "targets": ["civilians"],
    "casualties": {"killed": 1, "injured": 0},
    "description": "Shells on a government-held neighbourhood killed a child.",
    "source": {"name": "State media", "grade": "C3", "url": "https://example.org/report/1"},
    "language": "en",
}

_WINDOW: Final[dict[str, Any]] = {
    "from": "2016-05-06T21:01:00Z",
    "to": "2016-05-09T21:01:00Z",
    "disputed": False,
    "area": "aleppo-city",
    "announcements": ["russia-20160506"],
}

ASSESSMENT: Final[dict[str, Any]] = {
    "incident_id": "inc_5f1d0c6b8a7e49d2b3c4",
    "revision": 1,
    "assessed_at": "2016-05-08T09:30:00Z",
    "registry_version": 12,
    "verdict": "violation",
    "certainty": "Possible",
    "severity": "Severe",
    "reasons": [{"code": "source_grade", "fact": {"grade": "C3"}, "text": "The source is graded C3."}],
    "perpetrators": [{"reported": "opposition fighters", "party": "opposition", "coalitions": []}],
    "targets": [{"reported": "civilians", "party": "civilians", "coalitions": []}],
    "place": {"name": "Midan, Aleppo", "lat": 36.214, "lon": 37.166, "radius_km": 1.0, "area": None},
    "links": [],
    "findings": [
        {
            "truce": "aleppo-calm",
            "outcome": "violation",
            "certainty": "Possible",
            "window": _WINDOW,
            "reasons": [
                {
                    "code": "umbrella_perpetrator",
                    "fact": {"reported": "opposition fighters", "party": "opposition"},
                    "text": "“opposition fighters” is an umbrella name that may cover excluded groups too.",
                }
            ],
        }
    ],
    "occurred": {"from": "2016-05-07T21:00:00Z", "to": "2016-05-08T21:00:00Z"},
    "act": "shelling",
    "casualties": {"killed": 1, "injured": 0},
    "source": {"name": "State media", "grade": "C3"},
    "aggregate": False,
    "cause": {"kind": "report", "by": None, "reason": None, "resources": [], "registry_version": 12},
}
