"""From an event of rules to what ingest shows of it. The assessment is kept as rules wrote it."""

import msgspec

from schemas import codec
from schemas.assessments import Interval
from schemas.boxes import box_of
from schemas.envelope import Event
from schemas.instants import parse_instant
from services.ingest.facets import JudgedFacts, facets_of
from services.ingest.use_cases import ProjectedAssessment


class _Read(JudgedFacts, kw_only=True):
    """The part of an assessment that lists show and filter by."""

    incident_id: str
    revision: int
    occurred: Interval


class _AssessedHead(msgspec.Struct):
    sequence: int
    assessment: _Read
    areas: tuple[str, ...] = ()


class _Kept(msgspec.Struct):
    assessment: msgspec.Raw


def read_judged(event: Event) -> ProjectedAssessment:
    """Raises UnreadableEventError."""
    head, kept = codec.decode_as(event, _AssessedHead), codec.decode_as(event, _Kept)
    read = head.assessment
    return ProjectedAssessment(
        incident_id=read.incident_id,
        sequence=head.sequence,
        revision=read.revision,
        verdict=read.verdict,
        start=parse_instant(read.occurred.start),
        box=box_of(read.place),
        facets=facets_of(read, head.areas),
        body=bytes(kept.assessment),
    )
