"""The declaration of POST /v1/incidents, which two routes enforce, and what the other ways to report share with it."""

from typing import Any, Final

from schemas.report import Report
from services.ingest.wire import AcceptedReport
from services.platform.http.describe import Described
from services.platform.http.problems import PROBLEM_TYPE

EXAMPLE: Final[dict[str, Any]] = {
    "external_id": "state-tv-20160508-midan",
    "occurred": {"from": "2016-05-08T00:00:00+03:00", "to": "2016-05-09T00:00:00+03:00"},
    "act": "shelling",
    "location": {"place": "Midan, Aleppo", "lat": 36.2140, "lon": 37.1660, "radius_km": 1.0},
    "perpetrators": ["opposition fighters"],
    "targets": ["civilians"],
    "casualties": {"killed": 1, "injured": 0},
    "claims": [],
    "sites": [],
    "aggregate": False,
    "description": "Shells on the government-held Midan district killed a child.",
    "source": {"name": "State media", "grade": "C3", "url": "https://example.org/report/1"},
    "evidence": [],
    "language": "en",
}

#: Beside what every operation may answer: content that was corrected since, and another newest revision than named.
CONFLICTS: Final = {409: PROBLEM_TYPE, 412: PROBLEM_TYPE}
IDEMPOTENCY_KEY: Final = (
    "1 to 255 printable ASCII characters. The same key with the same content gets the first answer again, for at least "
    "48 hours; with other content 422."
)
REPORT_HEADERS: Final = {
    "Idempotency-Key": IDEMPOTENCY_KEY,
    "If-Match": "The revision that this one corrects, as an entity tag; 412 if it is not the latest.",
    "traceparent": "W3C Trace Context, version 00; handed on to every webhook that the report causes.",
}
POST_INCIDENT: Final = Described(
    "Report an incident",
    body=Report,
    answers={202: AcceptedReport, 200: AcceptedReport, **CONFLICTS},
    example=EXAMPLE,
    headers=REPORT_HEADERS,
    roles=("partner",),
)
