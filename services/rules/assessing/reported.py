"""The first cause of an assessment: a reported revision, as it comes on the log."""

from collections.abc import Sequence

import msgspec

from schemas.codec import decode
from schemas.envelope import Event
from schemas.events import IncidentReported
from services.platform.tracing import OFF, Tracing
from services.rules.assessing.domain.keeping import ReportedCase
from services.rules.assessing.judge_and_keep import REPORT, Judging, case_of, judge_and_keep


async def assess_incidents(events: Sequence[Event], judging: Judging, tracing: Tracing = OFF) -> None:
    """Judge each reported revision once. Raises UnreadableEventError for an event that is none, RetryLaterError."""
    reported: list[IncidentReported] = [decode(event) for event in events]
    with tracing.each("judge", events) as traced:
        cases = [
            ReportedCase(case_of(fact), fact.partner, event.data, event.traceparent)
            for fact, event in zip(reported, traced, strict=True)
        ]
        await judge_and_keep(cases, REPORT, judging)


def stored_case(event: bytes) -> ReportedCase:
    """The case of an incident that was judged before, from the event that reported it, as it is kept."""
    fact = msgspec.json.decode(event, type=IncidentReported)
    return ReportedCase(case_of(fact), fact.partner, event)
