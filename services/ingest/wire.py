"""The answers and requests of ingest beside the report itself. Source: the contract, "Incident reports" and "Keys"."""

from typing import Annotated, Any, Final, Literal

import msgspec

from schemas.assessments import Assessment, Interval
from schemas.report import MAX_TEXT, Report
from schemas.vocabulary import Certainty, IncidentState, Outcome, Severity

MAX_BATCH: Final = 10_000
MAX_BATCH_BYTES: Final = 16 * 1024 * 1024
#: Of statistics: periods, and series.
MAX_POINTS: Final = 1_000
MAX_SERIES: Final = 100


class AcceptedReport(msgspec.Struct, frozen=True):
    """The content is durable, as this revision of this incident."""

    incident_id: str
    revision: int
    status: Literal["accepted"] = "accepted"


class BatchItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to one report of a batch: ``problem`` where it was refused, else its revision."""

    index: int
    status: Literal[200, 202, 409, 422]
    incident_id: str | None = None
    revision: int | None = None
    problem: dict[str, Any] | None = None


class BatchAnswer(msgspec.Struct, frozen=True):
    """One result for each report, in order."""

    results: list[BatchItem]


class RetractionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why an incident is taken back."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT)]


class RevisionView(msgspec.Struct, frozen=True):
    """One revision; ``retracted`` is the reason where it is a retraction."""

    revision: int
    received_at: str
    retracted: str | None
    report: Report


class IncidentSummary(msgspec.Struct, frozen=True):
    """An incident in a list. ``occurred`` is what the report's times mean, in UTC; ``verdict`` null: not judged.
    ``truces`` are those whose finding carries the verdict."""

    incident_id: str
    external_id: str
    partner: str
    revision: int
    received_at: str
    state: IncidentState
    verdict: Outcome | None
    certainty: Certainty | None
    severity: Severity | None
    truces: list[str]
    occurred: Interval
    report: Report


class IncidentView(IncidentSummary, frozen=True):
    """An incident with its revisions, newest first, and its current assessment (null: not judged yet)."""

    revisions: list[RevisionView]
    assessment: Assessment | None


class ClaimedExtent(msgspec.Struct, frozen=True):
    """The least and the most that claims come to, of which none are added that tell of one event."""

    min: int
    max: int


class StatisticsPoint(msgspec.Struct, frozen=True):
    """The incidents that begin in one period, ``at`` is its first instant. Casualties are as claimed."""

    at: str
    incidents: int
    killed: ClaimedExtent
    injured: ClaimedExtent


class Series(msgspec.Struct, frozen=True):
    """The periods in which there are incidents of one verdict, truce, party, area, act or severity."""

    key: str
    points: list[StatisticsPoint]


class Statistics(msgspec.Struct, frozen=True):
    """The series with most incidents, by their keys; ``omitted`` is the number of further ones."""

    series: list[Series]
    omitted: int
