"""From an event of rules to what ingest shows of it. The assessment is kept as rules wrote it."""

import msgspec

from schemas import codec
from schemas.assessments import Interval
from schemas.envelope import Event
from schemas.instants import parse_instant
from schemas.vocabulary import Outcome
from services.ingest.use_cases import Judged


class _Read(msgspec.Struct):
    """What of an assessment leads lists."""

    incident_id: str
    revision: int
    verdict: Outcome
    occurred: Interval


class _Told(msgspec.Struct):
    sequence: int
    assessment: _Read


class _Kept(msgspec.Struct):
    assessment: msgspec.Raw


def read_judged(event: Event) -> Judged:
    """Raises UnreadableEventError."""
    told, kept = codec.decode_as(event, _Told), codec.decode_as(event, _Kept)
    read = told.assessment
    start = parse_instant(read.occurred.start)
    return Judged(read.incident_id, told.sequence, read.revision, read.verdict, start, bytes(kept.assessment))
