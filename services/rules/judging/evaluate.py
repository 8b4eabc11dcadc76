"""Judging reports by one version of the registry. Source: judgement.md, "Verdicts".

Pure: ``now`` is the caller's; it is kept in the assessment and decides nothing (judgement.md 11).
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from threading import Lock
from typing import Final

from msgspec import structs

from schemas.assessments import Assessment, Finding, Interval, Link, Reason, ResolvedParty, ResolvedPlace, SourceRef
from schemas.causes import Cause
from schemas.decisions import OperatorDecision
from schemas.instants import HOUR, format_instant
from schemas.report import Location, Report
from schemas.time_span import TimeSpan, locate_in_time
from schemas.vocabulary import CERTAINTIES, OUTCOMES, Certainty, Language, Outcome
from schemas.zones import find_zone
from services.rules.judging import certainty
from services.rules.judging.decided import NOTHING, StandingDecisions, standing, tell_standing, with_verdict
from services.rules.judging.explain import explain_truce
from services.rules.judging.explanation import ExplainedTruce, Explanation, Trail
from services.rules.judging.finding import Checks
from services.rules.judging.footprint import OUTSIDE, AreaShape, Footprint, Shape, UnresolvedPlace
from services.rules.judging.geometry import Disc
from services.rules.judging.incident import Incident, TruceTerms
from services.rules.judging.index import AreaIndex, WindowIndex
from services.rules.judging.keys import IncidentKeys, keys_of
from services.rules.judging.model import CompiledRegistry
from services.rules.judging.parties import PartyDirectory, ResolvedActor
from services.rules.judging.place import Gazetteer, Located, shape_of
from services.rules.judging.presence import PresenceIndex
from services.rules.judging.reasons import Reasons, once
from services.rules.judging.severity import severity_of
from services.rules.judging.time import NEAR
from services.rules.judging.timeline import Timeline, WholeShares
from services.rules.judging.violation import CertaintyRules, JudgedFinding

_KEPT_TIMELINES = 16_384
_KEPT_PLACES = 4_096
#: The least overlap over union of two places that are compared (judgement.md 18).
SIMILAR: Final = 0.25
#: Truces explained that have some of the place at other times only.
_EXPLAINED = 100


@dataclass(frozen=True, slots=True)
class Case:
    """One revision of one incident, to be judged.

    ``retracted`` is the reason given when the report was retracted, None while it is not. ``links`` are its links to
    other reports, ``corroborating`` those incidents among them that corroborate it (judgement.md 18). ``decisions`` are
    those of operators that stand.
    """

    incident_id: str
    revision: int
    report: Report
    retracted: str | None = None
    links: tuple[Link, ...] = ()
    decisions: tuple[OperatorDecision, ...] = ()
    corroborating: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResolvedReport:
    """A report by the names of a registry. Who is nobody known is left out of the sides.

    ``place`` is a disc, the id of an area, or None where it could not be resolved; ``ground`` is in steradians;
    ``similar`` are the areas that may overlap it by :data:`SIMILAR` or more.
    """

    span: TimeSpan
    perpetrators: tuple[ResolvedActor, ...]
    targets: tuple[ResolvedActor, ...]
    place: Disc | str | None
    ground: float
    similar: tuple[str, ...]


class Judge:
    """Built once for a registry version; the same case gives the same assessment whenever and however batched."""

    def __init__(self, registry: CompiledRegistry) -> None:
        self.registry = registry
        self.zone = find_zone(registry.timezone)
        truces = tuple(registry.truces.values())
        self._area_index = AreaIndex(registry.areas)
        self._window_index = WindowIndex(self._area_index, truces)
        self._gazetteer = Gazetteer(registry, self._area_index)
        self._directory = PartyDirectory(registry, self._gazetteer.knows)
        self._reasons = Reasons(registry)
        presence_index = PresenceIndex(registry, self._area_index.number, self._directory)
        self._checks = Checks(
            presence_index, CertaintyRules(self._directory, presence_index, self._reasons), self._reasons
        )
        # Of many truces, few are ever asked.
        self._terms = cache(lambda number: TruceTerms(truces[number], self._area_index.number))
        self._whole_timeline = lru_cache(maxsize=_KEPT_TIMELINES)(self._timeline_of_whole)
        self._latest: dict[Shape, Footprint] = {}
        self.areas_of = lru_cache(maxsize=_KEPT_PLACES)(self._areas_of)
        self._place = lru_cache(maxsize=_KEPT_PLACES)(self._place_of)
        # Prepared geometries index themselves when first asked, with the interpreter's lock released.
        self._turn = Lock()

    def assess(self, reports: Sequence[Case], now: int) -> list[Assessment]:
        """One assessment for each case, in order. Raises ValueError for a report without a possible time."""
        with self._turn:
            return self._assess_batch(reports, now)

    def _assess_batch(self, reports: Sequence[Case], now: int) -> list[Assessment]:
        spans = [locate_in_time(case.report.occurred, self.zone) for case in reports]
        decided = [standing(case.decisions) for case in reports]
        located = [self._locate(case.report, its) for case, its in zip(reports, decided, strict=True)]
        shapes = [place.shape for place in located]
        footprints = self._area_index.footprints(shapes)
        self._latest = dict(zip(shapes, footprints, strict=True))
        near = self._window_index.near(footprints, spans)
        assessed_at = format_instant(now)
        return [
            self._assess(case, its, span, place, footprint, truces, assessed_at)
            for case, its, span, place, footprint, truces in zip(
                reports, decided, spans, located, footprints, near, strict=True
            )
        ]

    def keys_of(self, cases: Sequence[Case]) -> list[IncidentKeys]:
        """The parts of the registry that the judgement of each case rests on. Raises ValueError as :meth:`assess`
        does."""
        with self._turn:
            return [self._keys_of(case.report, standing(case.decisions)) for case in cases]

    def _keys_of(self, report: Report, decided: StandingDecisions) -> IncidentKeys:
        span, located = locate_in_time(report.occurred, self.zone), self._locate(report, decided)
        names = (*report.perpetrators, *report.targets)
        # A party that was decided on counts even while the registry does not have it.
        ids = [id for name in names if (id := decided.party_of(name)) is not None]
        actors = [*self._actors(names, span.start, decided), *self._actors(ids, span.start, NOTHING)]
        place = report.location if decided.place is None else decided.place.place
        return keys_of(structs.replace(report, location=place), span, located, actors, self._area_index)

    def _locate(self, report: Report, decided: StandingDecisions) -> Located:
        """The place as decided, else as reported. A decided place without a name keeps the reported one."""
        if decided.place is None or decided.place.place is None:
            return self._gazetteer.locate(report.location)
        located = self._gazetteer.locate(decided.place.place)
        if located.place.name is not None or report.location.place is None:
            return located
        return replace(located, place=structs.replace(located.place, name=report.location.place))

    def _actors(self, names: Sequence[str], at: int, decided: StandingDecisions) -> tuple[ResolvedActor, ...]:
        return tuple(
            self._directory.actor(name, at)
            if (party := decided.party_of(name)) is None
            else self._directory.decided(name, party, at)
            for name in names
        )

    def resolve(self, case: Case) -> ResolvedReport:
        """A report by this registry's names and the decisions on it. Raises ValueError as :meth:`assess` does."""
        report, decided = case.report, standing(case.decisions)
        span, shape = locate_in_time(report.occurred, self.zone), self._locate(report, decided).shape
        perpetrators, targets = (
            _known(self._actors(side, span.start, decided)) for side in (report.perpetrators, report.targets)
        )
        return ResolvedReport(span, perpetrators, targets, *self._place(shape))

    def overlap(self, one: Disc | str, other: Disc | str) -> float:
        """The ground of both places over the ground of either, 0.0 to 1.0; ``str`` is an area's id. An area that this
        registry does not have holds no ground."""
        shapes = [self._area_index.named(place) if isinstance(place, str) else place for place in (one, other)]
        if shapes[0] is None or shapes[1] is None:
            return 0.0
        with self._turn:
            return self._area_index.overlap(shapes[0], shapes[1])

    def _place_of(self, shape: Shape) -> tuple[Disc | str | None, float, tuple[str, ...]]:
        if isinstance(shape, UnresolvedPlace):
            return None, 0.0, ()
        place = self._area_index.ids[shape.area] if isinstance(shape, AreaShape) else shape
        with self._turn:
            similar = tuple(self._area_index.ids[area] for area in self._area_index.similar(shape, SIMILAR))
            return place, self._area_index.ground_of(shape), similar

    def locate(self, location: Location) -> Located:
        """Where a location is, by the names of this registry."""
        with self._turn:
            return self._gazetteer.locate(location)

    def _areas_of(self, place: ResolvedPlace) -> tuple[str, ...]:
        """The areas that hold more than 0.1 % of an assessed place; none for a place that could not be resolved.

        Cheapest right after the place was assessed: what was measured then is still at hand. Asked once, it is kept:
        asking again never waits for another judgement.
        """
        shape = shape_of(place, self._area_index)
        if isinstance(shape, UnresolvedPlace):
            return ()
        with self._turn:
            footprint = self._latest.get(shape) or self._area_index.footprints([shape])[0]
            return tuple(
                self._area_index.ids[area] for area in sorted(footprint.hits) if footprint.share(area) > OUTSIDE
            )

    def render(self, reason: Reason, language: Language) -> str:
        """The reason's sentence, by this registry's names."""
        return self._reasons.render(reason, language)

    def translate(self, reason: Reason, languages: tuple[Language, ...]) -> tuple[str, ...]:
        """The reason's sentence in each of the languages."""
        return self._reasons.translate(reason, languages)

    def _assess(
        self,
        case: Case,
        decided: StandingDecisions,
        span: TimeSpan,
        located: Located,
        footprint: Footprint,
        truces: Sequence[int],
        assessed_at: str,
    ) -> Assessment:
        report = case.report
        perpetrators = self._actors(report.perpetrators, span.start, decided)
        targets = self._actors(report.targets, span.start, decided)
        incident = _read(case, span, located, footprint, perpetrators, targets)
        judged = [] if case.retracted is not None else [self._judge(self._terms(n), incident) for n in truces]
        verdict, level = _overall([one.finding for one in judged])
        assessment = Assessment(
            incident_id=case.incident_id,
            revision=case.revision,
            assessed_at=assessed_at,
            registry_version=self.registry.version,
            verdict=verdict,
            certainty=level,
            severity=severity_of(report),
            reasons=self._top_reasons(case, decided, incident, located, judged, verdict),
            perpetrators=tuple(map(_told, perpetrators)),
            targets=tuple(map(_told, targets)),
            place=located.place,
            links=case.links,
            findings=tuple(one.finding for one in judged),
            occurred=Interval(format_instant(span.start), format_instant(span.end)),
            act=report.act,
            casualties=report.casualties,
            source=SourceRef(report.source.name, report.source.grade),
            aggregate=incident.is_aggregate,
            cause=Cause(reason=case.retracted, registry_version=self.registry.version),
            decisions=tell_standing(case.decisions),
        )
        if decided.verdict is None or case.retracted is not None:
            return assessment
        return with_verdict(assessment, decided.verdict)

    def explain(self, case: Case, now: int) -> Explanation:
        """The assessment of a case with the way to it, for each truce with some of its place. Raises ValueError as
        :meth:`assess` does."""
        with self._turn:
            [assessment] = self._assess_batch([case], now)
            if case.retracted is not None:
                return Explanation(assessment, ())
            decided, span = standing(case.decisions), locate_in_time(case.report.occurred, self.zone)
            located = self._locate(case.report, decided)
            [footprint] = self._area_index.footprints([located.shape])
            sides = [
                self._actors(names, span.start, decided) for names in (case.report.perpetrators, case.report.targets)
            ]
            incident = _read(case, span, located, footprint, sides[0], sides[1])
            findings = {finding.truce: finding for finding in assessment.findings}
            return Explanation(
                assessment, tuple(self._explain(n, incident, findings) for n in self._touched(incident, findings))
            )

    def _touched(self, incident: Incident, findings: Mapping[str, Finding]) -> list[int]:
        """The truces with a finding, then others with some of the place, at other times: at most 100."""
        ids = list(self.registry.truces)
        near = [n for n, id in enumerate(ids) if id in findings]
        if isinstance(incident.shape, UnresolvedPlace):
            return near
        hits = {self._area_index.ids[area] for area in incident.footprint.hits}
        far = [
            n
            for n, truce in enumerate(self.registry.truces.values())
            if truce.id not in findings
            and any(self._holds(incident, a.area, hits) for window in truce.windows for a in window.accounts)
        ]
        return near + far[:_EXPLAINED]

    def _holds(self, incident: Incident, area: str, hits: Container[str]) -> bool:
        return area in hits and incident.footprint.share(self._area_index.number[area]) > OUTSIDE

    def _explain(self, number: int, incident: Incident, findings: Mapping[str, Finding]) -> ExplainedTruce:
        terms = self._terms(number)

        def follow(trail: Trail) -> Finding:
            coverage = self._timeline(terms, incident.footprint).read(incident.span)
            return self._checks.judge(terms, incident, coverage, trail).finding

        truce, areas = self.registry.truces[terms.id], self._area_index.number
        return explain_truce(terms, truce, incident, areas, findings.get(terms.id), follow)

    def _judge(self, terms: TruceTerms, incident: Incident) -> JudgedFinding:
        return self._checks.judge(terms, incident, self._timeline(terms, incident.footprint).read(incident.span))

    def _timeline(self, terms: TruceTerms, footprint: Footprint) -> Timeline:
        """Most places lie wholly in an area or not at all: then the areas that hold them say everything."""
        shares = [footprint.share(area) for area in terms.schedule.areas]
        if all(share in (0.0, 1.0) for share in shares):
            held = tuple(area for area, share in zip(terms.schedule.areas, shares, strict=True) if share)
            return self._whole_timeline(terms, held)
        return terms.schedule.timeline(footprint)

    def _timeline_of_whole(self, terms: TruceTerms, held: tuple[int, ...]) -> Timeline:
        return terms.schedule.timeline(WholeShares(held))

    def _top_reasons(
        self,
        case: Case,
        decided: StandingDecisions,
        incident: Incident,
        located: Located,
        judged: Sequence[JudgedFinding],
        verdict: Outcome,
    ) -> tuple[Reason, ...]:
        """Those that belong to no truce."""
        if case.retracted is not None:
            return (self._reasons.say("retracted", reason=case.retracted),)
        reasons = [*self._about_decisions(case.report, decided), *self._about_names(incident)]
        if located.disagreeing:
            by, given = located.disagreeing[0], located.disagreeing
            reasons.append(self._reasons.say("place_disagreement", by=by, given=given))
        if decided.place is None:
            reasons += self._about_point(case.report.location, located, incident)
        if not judged:
            reasons.append(self._why_no_finding(incident))
        if verdict == "violation":
            reasons += self._about_sources(case, incident, judged)
        return tuple(reasons)

    def _about_decisions(self, report: Report, decided: StandingDecisions) -> list[Reason]:
        reasons = []
        if (one := decided.verdict) is not None:
            reasons.append(self._reasons.say("verdict_decided", verdict=one.verdict, by=one.by.name, reason=one.reason))
        if (one := decided.place) is not None:
            reasons.append(self._reasons.say("place_decided", by=one.by.name, reason=one.reason))
        for name in dict.fromkeys((*report.perpetrators, *report.targets)):
            if (found := decided.find(name)) is not None and found[0] in self.registry.parties:
                party, one = found
                reasons.append(
                    self._reasons.say("party_decided", reported=name, party=party, by=one.by.name, reason=one.reason)
                )
        return reasons

    def _about_point(self, location: Location, located: Located, incident: Incident) -> list[Reason]:
        """Whether the reported point is to be taken at its word (judgement.md 16)."""
        if located.has_placeholder:
            return [self._reasons.say("point_placeholder", lat=location.lat, lon=location.lon)]
        point = located.point
        area = None if point is None else self._area_index.mirroring(point, incident.footprint)
        if area is None:
            return []
        mirrored_in = self._area_index.ids[area]
        return [self._reasons.say("point_mirrored", lat=location.lat, lon=location.lon, area=mirrored_in)]

    def _about_names(self, incident: Incident) -> list[Reason]:
        reasons = []
        for side, actors in (("perpetrator", incident.perpetrators), ("target", incident.targets)):
            for actor in actors:
                if actor.party is None:
                    reasons.append(self._reasons.say("unresolved_party", reported=actor.reported, side=side))
                    continue
                if actor.read_as is not None:
                    reasons.append(
                        self._reasons.say(
                            "name_qualified", reported=actor.reported, read_as=actor.read_as, party=actor.party
                        )
                    )
                if not actor.in_period:
                    reasons.append(self._reasons.say("name_out_of_period", reported=actor.reported, party=actor.party))
        return list(once(reasons))

    def _why_no_finding(self, incident: Incident) -> Reason:
        if self._window_index.touches_any(incident.footprint):
            return self._reasons.say("outside_every_window", hours=NEAR // HOUR)
        return self._reasons.say("outside_every_area")

    def _about_sources(self, case: Case, incident: Incident, judged: Sequence[JudgedFinding]) -> list[Reason]:
        reasons = []
        if any(one.rests_on_grade for one in judged):
            allowed = certainty.WORDS[incident.source]
            reasons.append(self._reasons.say("source_grade", grade=case.report.source.grade, certainty=allowed))
        if case.corroborating:
            reasons.append(self._reasons.say("corroborated", incidents=case.corroborating))
        return reasons


def _read(
    case: Case,
    span: TimeSpan,
    located: Located,
    footprint: Footprint,
    perpetrators: tuple[ResolvedActor, ...],
    targets: tuple[ResolvedActor, ...],
) -> Incident:
    report = case.report
    return Incident(
        span=span,
        act=report.act,
        perpetrators=_known(perpetrators),
        targets=_known(targets),
        shape=located.shape,
        reported_place=located.place.name,
        place_candidates=located.candidates,
        footprint=footprint,
        marked_aggregate=report.aggregate,
        claims=report.claims,
        source=certainty.level_of_grade(report.source.grade),
        corroborated=bool(case.corroborating),
    )


def _overall(findings: Sequence[Finding]) -> tuple[Outcome, Certainty | None]:
    """The strongest outcome, with the highest certainty among the findings that carry it."""
    if not findings:
        return "not_covered", None
    verdict = min((finding.outcome for finding in findings), key=OUTCOMES.index)
    levels = [finding.certainty for finding in findings if finding.outcome == verdict and finding.certainty]
    return verdict, min(levels, key=CERTAINTIES.index, default=None)


def _known(actors: tuple[ResolvedActor, ...]) -> tuple[ResolvedActor, ...]:
    """The actors of a side without names that say that nobody is known (judgement.md 20)."""
    return tuple(actor for actor in actors if not actor.is_nobody)


def _told(actor: ResolvedActor) -> ResolvedParty:
    return ResolvedParty(actor.reported, actor.party, actor.coalitions)
