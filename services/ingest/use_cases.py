"""Accept reports and retractions, and follow how rules judge them. Each function is one unit of work."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from schemas.boxes import Box
from schemas.events import Actor, OperatorActed
from schemas.instants import format_instant
from schemas.report import Report
from schemas.time_span import TimeSpan
from services.ingest.domain import identify, is_outdated, next_retraction, next_revision


class IdempotencyKey(msgspec.Struct, frozen=True):
    """An Idempotency-Key of a partner, and a digest of what it was sent with."""

    partner: str
    key: str
    fingerprint: bytes


class SourceState(msgspec.Struct, frozen=True):
    """The state of one submission at the source that an adapter reads; the source is the authority for its own.

    ``mark`` is the source's mark of revision, empty where it has none. ``read_at``: when the list was asked for that
    has it, in microseconds; None where the source sent it by itself. ``current``: the list always tells what holds,
    whatever the mark.
    """

    adapter: str
    external_id: str
    mark: str = ""
    read_at: int | None = None
    current: bool = False


class SourceItem(msgspec.Struct, frozen=True):
    """The known state of a submission. ``gone``: withdrawn by the source. ``noted_at``: when that became known."""

    incident_id: str
    adapter: str
    external_id: str
    mark: str
    gone: bool
    noted_at: int


class Filing(msgspec.Struct, frozen=True):
    """A valid report, asking to become a revision. ``received_at`` is in microseconds, UTC."""

    incident_id: str
    partner: str
    report: Report
    span: TimeSpan
    received_at: int
    traceparent: str | None = None
    once: IdempotencyKey | None = None
    #: The revisions of which one must be the newest (``If-Match``); None: any may be, or none.
    if_match: frozenset[int] | None = None
    #: Where an adapter read it: the source's mark decides what is newer, not whether the content was there before.
    source: SourceState | None = None


class Retraction(msgspec.Struct, frozen=True):
    """A request to take an incident back. ``owner`` None: of any partner (``actor`` is an operator)."""

    incident_id: str
    reason: str
    owner: str | None
    actor: Actor
    received_at: int
    once: IdempotencyKey | None = None
    if_match: frozenset[int] | None = None
    traceparent: str | None = None
    source: SourceState | None = None


class Recorded(msgspec.Struct, frozen=True):
    """The revision of the content. ``fresh``: it became this revision now; else it was this revision already."""

    incident_id: str
    revision: int
    fresh: bool


class UnknownIncident(msgspec.Struct, frozen=True):
    """There is no such incident, or not one of theirs."""


class KeyReused(msgspec.Struct, frozen=True):
    """The Idempotency-Key was sent with other content before."""


class Stale(msgspec.Struct, frozen=True):
    """The content is that of an earlier ``revision``: an old file sent again must not undo what came after it."""

    incident_id: str
    revision: int
    latest: int


class NotMatched(msgspec.Struct, frozen=True):
    """The newest revision, ``latest``, is none of those that ``If-Match`` names; None: there is none at all."""

    latest: int | None


Command = Filing | Retraction
IntakeOutcome = Recorded | UnknownIncident | KeyReused | Stale | NotMatched


class Revision(msgspec.Struct, frozen=True):
    """One revision as it is kept and published. ``retracted`` is the reason of a retraction; ``identity`` is of what
    was reported, known where the revision is new, and None for a retraction."""

    incident_id: str
    revision: int
    partner: str
    report: Report
    span: TimeSpan
    received_at: int
    retracted: str | None = None
    traceparent: str | None = None
    identity: bytes | None = None


class KeyAnswer(msgspec.Struct, frozen=True):
    """The content that an Idempotency-Key was sent with, and its answer; None: it had none yet."""

    fingerprint: bytes
    body: bytes | None


class ProjectedAssessment(msgspec.Struct, frozen=True):
    """An assessment as ingest shows it, and finds it (:mod:`services.ingest.facets`). ``body`` is its JSON as rules
    wrote it; the incident's ``start`` an instant; ``box`` is around the place."""

    incident_id: str
    sequence: int
    revision: int
    verdict: str
    start: int
    box: Box | None
    facets: tuple[str, ...]
    body: bytes


class Incidents(Protocol):
    """The revisions of incidents."""

    def latest(self, ids: Iterable[str]) -> dict[str, Revision]:
        """The newest revision of each of these incidents that is there."""
        ...

    def reported(self, ids: Iterable[str]) -> dict[str, dict[bytes, int]]:
        """For each of these incidents that is there, what it was ever reported to be (:func:`identify`), with the
        newest revision of that content. Retractions are left out."""
        ...

    def add(self, revisions: Sequence[Revision], acts: Sequence[OperatorActed]) -> None:
        """Keep and publish. Another process that adds the same revision makes this, or the commit, fail."""
        ...


class Answers(Protocol):
    """The answers that Idempotency-Keys got."""

    def recall(self, asked: Iterable[IdempotencyKey]) -> dict[tuple[str, str], KeyAnswer]: ...

    def remember(self, answers: Sequence[tuple[IdempotencyKey, bytes | None, int]]) -> None:
        """Keep answers of keys not known yet, with the time of each in microseconds; None claims the key before
        there is an answer. Another process that does the same makes this, or the commit, fail."""
        ...

    def settle(self, once: IdempotencyKey, body: bytes) -> None:
        """Give a claimed key its answer; the first one stays."""
        ...


class SourceItems(Protocol):
    """The submissions that adapters have read."""

    def recall_items(self, ids: Iterable[str]) -> dict[str, SourceItem]:
        """The known states of the submissions of these incidents."""
        ...

    def keep_items(self, items: Sequence[SourceItem]) -> None:
        """Add or replace."""
        ...


class Projection(Protocol):
    """The judgements of incidents."""

    def keep_newest(self, judged: Sequence[ProjectedAssessment]) -> None:
        """The one of the highest sequence stays, in any order."""
        ...

    def mark_dead(self, revisions: Mapping[str, int]) -> None:
        """The newest revision of each incident that rules gave up on."""
        ...


@dataclass(slots=True)
class _Work:
    """The knowledge and decisions of one unit of work so far."""

    latest: dict[str, Revision]
    reported: dict[str, dict[bytes, int]]
    answers: dict[tuple[str, str], KeyAnswer] = field(default_factory=dict)
    added: list[Revision] = field(default_factory=list)
    acts: list[OperatorActed] = field(default_factory=list)
    items: dict[str, SourceItem] = field(default_factory=dict)
    noted: dict[str, SourceItem] = field(default_factory=dict)


def take(
    incidents: Incidents, answers: Answers, commands: Sequence[Command], sources: SourceItems | None = None
) -> list[IntakeOutcome]:
    """Take reports and retractions in, in order. Returns one outcome each; what was refused changes nothing.
    ``sources`` is needed for what adapters read."""
    work = _load(incidents, commands)
    work.answers = answers.recall([command.once for command in commands if command.once is not None])
    if sources is not None:
        work.items = sources.recall_items({one.incident_id for one in commands if one.source is not None})
    outcomes: list[IntakeOutcome] = []
    remembered: list[tuple[IdempotencyKey, bytes | None, int]] = []
    for command in commands:
        if command.once is None:
            outcomes.append(_decide(work, command))
        else:
            outcomes.append(_decide_once(work, command, command.once, remembered))
    incidents.add(work.added, work.acts)
    answers.remember(remembered)
    if sources is not None and work.noted:
        sources.keep_items(list(work.noted.values()))
    return outcomes


def preview(incidents: Incidents, filings: Sequence[Filing]) -> list[IntakeOutcome]:
    """The outcomes that :func:`take` would have for reports that people sent, in order; nothing is kept."""
    work = _load(incidents, filings)
    return [_file(work, filing) for filing in filings]


def _load(incidents: Incidents, commands: Sequence[Command]) -> _Work:
    """The stored facts about their incidents."""
    latest = incidents.latest({command.incident_id for command in commands})
    return _Work(latest, incidents.reported(_changed(latest, commands)))


def _changed(latest: Mapping[str, Revision], commands: Sequence[Command]) -> set[str]:
    """The incidents, known before, whose report differs from the newest revision."""
    filings = [one for one in commands if isinstance(one, Filing) and one.incident_id in latest]
    return {one.incident_id for one in filings if next_revision(1, latest[one.incident_id].report, one.report)}


def _decide_once(
    work: _Work, command: Command, once: IdempotencyKey, remembered: list[tuple[IdempotencyKey, bytes | None, int]]
) -> IntakeOutcome:
    known = work.answers.get((once.partner, once.key))
    if known is not None:
        if known.fingerprint != once.fingerprint or known.body is None:
            # A key without an answer yet is a batch's: that is other content.
            return KeyReused()
        return msgspec.json.decode(known.body, type=Recorded)
    outcome = _decide(work, command)
    if isinstance(outcome, Recorded):
        body = msgspec.json.encode(outcome)
        work.answers[(once.partner, once.key)] = KeyAnswer(once.fingerprint, body)
        remembered.append((once, body, command.received_at))
    return outcome


def _decide(work: _Work, command: Command) -> IntakeOutcome:
    if command.source is not None:
        return _follow_source(work, command, command.source)
    return _file(work, command) if isinstance(command, Filing) else _retract(work, command)


def _follow_source(work: _Work, command: Command, state: SourceState) -> IntakeOutcome:
    """Take what an adapter read: an older state changes nothing, what the source brings back stands again."""
    known, latest = work.items.get(command.incident_id), work.latest.get(command.incident_id)
    if known is not None and is_outdated(state.mark, state.read_at, known.mark, known.noted_at, current=state.current):
        return UnknownIncident() if latest is None else Recorded(command.incident_id, latest.revision, fresh=False)
    gone = isinstance(command, Retraction)
    mark = state.mark or ("" if known is None else known.mark)
    if known is None or (known.mark, known.gone) != (mark, gone):
        item = SourceItem(command.incident_id, state.adapter, state.external_id, mark, gone, command.received_at)
        work.items[command.incident_id] = work.noted[command.incident_id] = item
    if isinstance(command, Filing):
        return _file(work, command, returned=known is not None and known.gone)
    if latest is not None and latest.retracted is not None:
        return Recorded(command.incident_id, latest.revision, fresh=False)
    return _retract(work, command)


def _file(work: _Work, filing: Filing, *, returned: bool = False) -> IntakeOutcome:
    """``returned``: the source had withdrawn it, and has it again."""
    latest = work.latest.get(filing.incident_id)
    if returned and latest is not None and latest.retracted is not None:
        return _add_report(work, filing, latest.revision + 1)
    number = 1 if latest is None else next_revision(latest.revision, latest.report, filing.report)
    if number is None:
        assert latest is not None
        # The newest revision has this content already, whatever it was to follow: an answer may have been lost.
        return Recorded(filing.incident_id, latest.revision, fresh=False)
    if (refused := _unmatched(filing, latest)) is not None:
        return refused
    known, identity = work.reported.setdefault(filing.incident_id, {}), identify(filing.report)
    if latest is not None and filing.if_match is None and filing.source is None and identity in known:
        return Stale(filing.incident_id, known[identity], latest.revision)
    return _add_report(work, filing, number)


def _add_report(work: _Work, filing: Filing, number: int) -> Recorded:
    identity = identify(filing.report)
    work.reported.setdefault(filing.incident_id, {})[identity] = number
    return _add(
        work,
        Revision(
            filing.incident_id, number, filing.partner, filing.report, filing.span, filing.received_at, None,
            filing.traceparent, identity,
        ),
    )  # fmt: skip


def _unmatched(command: Command, latest: Revision | None) -> NotMatched | None:
    if command.if_match is None or (latest is not None and latest.revision in command.if_match):
        return None
    return NotMatched(None if latest is None else latest.revision)


def _retract(work: _Work, retraction: Retraction) -> IntakeOutcome:
    latest = work.latest.get(retraction.incident_id)
    if latest is None or retraction.owner not in (None, latest.partner):
        return UnknownIncident()
    revision = next_retraction(latest.revision, latest.retracted, retraction.reason)
    if revision is None:
        return Recorded(retraction.incident_id, latest.revision, fresh=False)
    if (refused := _unmatched(retraction, latest)) is not None:
        return refused
    if retraction.owner is None:
        work.acts.append(_retracted(retraction))
    return _add(
        work,
        msgspec.structs.replace(
            latest,
            revision=revision,
            received_at=retraction.received_at,
            retracted=retraction.reason,
            traceparent=retraction.traceparent,
            identity=None,
        ),
    )


def _retracted(retraction: Retraction) -> OperatorActed:
    return OperatorActed(
        at=format_instant(retraction.received_at),
        actor=retraction.actor,
        action="incident.retracted",
        resource=f"incidents/{retraction.incident_id}",
        detail={"reason": retraction.reason},
    )


def _add(work: _Work, revision: Revision) -> Recorded:
    work.added.append(revision)
    work.latest[revision.incident_id] = revision
    return Recorded(revision.incident_id, revision.revision, fresh=True)


def claim(answers: Answers, once: IdempotencyKey, now: int) -> KeyAnswer | KeyReused | None:
    """Begin what may be begun once: None to go on, the answer given before, or KeyReused."""
    known = answers.recall([once]).get((once.partner, once.key))
    if known is None:
        answers.remember([(once, None, now)])
        return None
    if known.fingerprint != once.fingerprint:
        return KeyReused()
    return known if known.body is not None else None


def follow_assessments(projection: Projection, judged: Sequence[ProjectedAssessment]) -> None:
    """Keep the current assessment of each incident. Harmless to repetition and to any order."""
    newest: dict[str, ProjectedAssessment] = {}
    for one in judged:
        known = newest.get(one.incident_id)
        if known is None or known.sequence < one.sequence:
            newest[one.incident_id] = one
    projection.keep_newest(list(newest.values()))


def follow_deaths(projection: Projection, dead: Iterable[tuple[str, int]]) -> None:
    """Mark revisions that rules gave up on, given as pairs of incident and revision."""
    newest: dict[str, int] = {}
    for incident_id, revision in dead:
        newest[incident_id] = max(revision, newest.get(incident_id, 0))
    projection.mark_dead(newest)
