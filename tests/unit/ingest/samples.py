"""A report as partners post it."""

from typing import Any, Final

REPORT: Final[dict[str, Any]] = {
    "external_id": "midan-20160508",
    "occurred": {"from": "2016-05-08T00:00:00+03:00", "to": "2016-05-08T12:00:00+03:00"},
    "act": "shelling",
    "location": {"place": "Midan, Aleppo", "lat": 36.214, "lon": 37.166, "radius_km": 1.0},
    "perpetrators": ["opposition fighters"],
    "targets": ["civilians"],
    "casualties": {"killed": 1, "injured": 0},
    "source": {"name": "State media", "grade": "C3"},
}
