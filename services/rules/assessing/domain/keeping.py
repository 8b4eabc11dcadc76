"""The kept and published record of an assessment, for every cause. Source: the contract, "Assessments" and "Events"."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from schemas.assessments import Assessment, Reason, ResolvedPlace
from schemas.causes import Cause
from schemas.codec import encode_raw
from schemas.decisions import OperatorDecision
from schemas.envelope import Event
from schemas.topics import ALERTS, ASSESSMENTS
from schemas.wording.reasons import without_sentences
from services.rules.assessing.domain.alerting import AlertState, Surround, decide_alert, thread_of, without_words
from services.rules.judging.evaluate import Case
from services.rules.judging.keys import IncidentKeys

_encode = msgspec.json.Encoder().encode
#: The areas that a place touches.
AreasOf = Callable[[ResolvedPlace], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ReportedCase:
    """A case with what is kept beside its assessment: whose report it is, and the event that reported it."""

    case: Case
    partner: str
    event: bytes
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class LastJudgement:
    """Of one incident: the revision judged last, how many assessments it was given, its last alert, and the decisions
    that stand."""

    revision: int
    sequence: int
    alert: AlertState | None
    alert_body: bytes | None
    decisions: tuple[OperatorDecision, ...] = ()


@dataclass(frozen=True, slots=True)
class CurrentAssessment:
    """The last assessment of an incident, and the keys that it rests on (None: from before they were kept)."""

    assessment: Assessment
    keys: IncidentKeys | None


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """An incident whose last assessment stands, but rests on other keys since the registry changed."""

    incident_id: str
    sequence: int
    keys: IncidentKeys


@dataclass(frozen=True, slots=True)
class JudgedReport:
    """An incident as it was judged last: the revision, the number of its assessment, and that."""

    case: ReportedCase
    sequence: int
    assessment: Assessment


@dataclass(frozen=True, slots=True)
class NewAssessment:
    """One assessment to be kept, and its events.

    ``keys`` are those that the judgement rests on; ``body`` is the assessment as JSON, written once, stored and
    published; ``event`` the report as published; ``alert`` the incident's alert after it, ``alert_body`` the same as
    JSON without words; ``alerts`` whether this assessment decided that alert, not an earlier one.
    """

    sequence: int
    partner: str
    cause: str
    assessment: Assessment
    keys: IncidentKeys
    body: bytes
    event: bytes
    alert: AlertState | None
    alert_body: bytes | None
    alerts: bool
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class KeyedCause:
    """A cause, and the key that tells it from others (:func:`key_of`)."""

    cause: Cause
    key: str


def key_of(cause: Cause) -> str:
    """The key by which two causes are the same one: an incident's revision is judged once for each."""
    match cause.kind:
        case "report":
            return "report"
        case "registry":
            return f"registry/{cause.registry_version}"
        case _:
            return f"{cause.kind}/{','.join(cause.resources)}"


def cause_of(cause: Cause, case: Case, registry_version: int) -> Cause:
    """The cause as it is published with the assessment of one case, judged by that version of the registry."""
    if cause.kind == "registry":
        return cause
    reason = case.retracted if cause.kind == "report" else cause.reason
    return msgspec.structs.replace(cause, reason=reason, registry_version=registry_version)


def select_unjudged(
    cases: Iterable[ReportedCase], last: Mapping[str, LastJudgement], judged: Collection[tuple[str, int]]
) -> list[ReportedCase]:
    """The cases to be judged, in order: no revision older than the one judged last, and none of ``judged``, which
    holds (incident, revision) already judged for this cause."""
    newest = {incident_id: known.revision for incident_id, known in last.items()}
    seen = set(judged)
    selected: list[ReportedCase] = []
    for one in cases:
        incident_id, revision = key = (one.case.incident_id, one.case.revision)
        if revision < newest.get(incident_id, 0) or key in seen:
            continue
        newest[incident_id] = revision
        seen.add(key)
        selected.append(one)
    return selected


def is_same_judgement(one: Assessment, other: Assessment) -> bool:
    """Whether both say the same of an incident, whenever, by which version and for which cause they were made. The
    sentences follow from the codes and facts."""
    return _judgement(one) == _judgement(other)


def _judgement(one: Assessment) -> Assessment:
    return msgspec.structs.replace(
        one,
        assessed_at="",
        registry_version=0,
        cause=Cause(),
        reasons=_without_text(one.reasons),
        findings=tuple(msgspec.structs.replace(f, reasons=_without_text(f.reasons)) for f in one.findings),
    )


def _without_text(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """As they are read back from JSON, which knows no tuples."""
    return tuple(Reason(one.code, msgspec.to_builtins(one.fact)) for one in reasons)


def decide_batch(
    cases: Sequence[ReportedCase],
    assessments: Sequence[Assessment],
    keys: Sequence[IncidentKeys],
    last: Mapping[str, LastJudgement],
    causes: Sequence[str],
    surround: Surround,
    areas_of: AreasOf,
    threads: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> list[NewAssessment]:
    """The new assessments to be kept, in order; several of one incident follow on one another. ``causes``
    are their keys.

    ``threads``: the incidents whose alerts belong into an incident's thread; what is known of them is in ``last``.
    """
    known = dict(last)
    decided: list[NewAssessment] = []
    for one, assessment, its, cause in zip(cases, assessments, keys, causes, strict=True):
        linked = threads.get(assessment.incident_id, ())
        new = decide_next(known, one, assessment, its, cause, surround, areas_of, linked)
        known[assessment.incident_id] = LastJudgement(assessment.revision, new.sequence, new.alert, new.alert_body)
        decided.append(new)
    return decided


def decide_next(
    known: Mapping[str, LastJudgement],
    one: ReportedCase,
    assessment: Assessment,
    keys: IncidentKeys,
    cause: str,
    surround: Surround,
    areas_of: AreasOf,
    linked: Sequence[str] = (),
) -> NewAssessment:
    """One more assessment of an incident to be kept, with its events: that of the assessment, and that of
    the alert where it calls for one."""
    last = known.get(assessment.incident_id)
    sequence = 1 if last is None else last.sequence + 1
    alert = None if last is None else last.alert
    alert_body = None if last is None else last.alert_body
    thread = thread_of(assessment.incident_id, linked, {id: known[id].alert for id in linked if id in known})
    decided = decide_alert(alert, assessment, surround, thread)
    body = _encode(without_sentences(assessment))
    events = [_assessed(sequence, assessment, body, areas_of(assessment.place), one.traceparent)]
    if decided is not None:
        alert, alert_body = decided, _encode(without_words(decided.alert))
        events.append(_alerted(decided, one.traceparent))
    return NewAssessment(
        sequence=sequence,
        partner=one.partner,
        cause=cause,
        assessment=assessment,
        keys=keys,
        body=body,
        event=one.event,
        alert=alert,
        alert_body=alert_body,
        alerts=decided is not None,
        events=tuple(events),
    )


def _assessed(
    sequence: int, assessment: Assessment, body: bytes, areas: tuple[str, ...], traceparent: str | None
) -> Event:
    return encode_raw(
        ASSESSMENTS,
        b'{"sequence":%d,"assessment":%b,"areas":%b}' % (sequence, body, _encode(areas)),
        key=assessment.incident_id,
        id=f"{assessment.incident_id}-{sequence}",
        time=assessment.assessed_at,
        traceparent=traceparent,
    )


def _alerted(decided: AlertState, traceparent: str | None) -> Event:
    alert = decided.alert
    return encode_raw(
        ALERTS,
        b'{"alert":%b}' % _encode(alert),
        key=alert.id,
        id=f"{alert.id}-{alert.revision}",
        time=alert.sent_at,
        traceparent=traceparent,
    )
