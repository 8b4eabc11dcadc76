"""Judging reports by one version of the registry. Source: judgement.md, "Verdicts".

Pure: ``now`` is the caller's, and stands in the assessment without deciding anything (judgement.md 11).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from threading import Lock

from schemas.assessments import Assessment, Finding, Interval, Link, Reason, ResolvedParty, ResolvedPlace, SourceRef
from schemas.instants import HOUR, format_instant
from schemas.report import Location, Report
from schemas.vocabulary import CERTAINTIES, OUTCOMES, Certainty, Language, Outcome
from schemas.zones import find_zone
from services.rules.domain import certainty
from services.rules.domain.finding import Checks
from services.rules.domain.footprint import OUTSIDE, Footprint, Nowhere, Shape
from services.rules.domain.incident import Incident, Terms
from services.rules.domain.index import Calendar, Ground
from services.rules.domain.model import Registry
from services.rules.domain.parties import Actor, Roll
from services.rules.domain.place import Gazetteer, Located, shape_of
from services.rules.domain.presence import Presences
from services.rules.domain.reasons import Reasons, once
from services.rules.domain.severity import severity_of
from services.rules.domain.time import NEAR, Span, span_of
from services.rules.domain.truce import Timeline, WholeShares
from services.rules.domain.violation import Judged, Scales

_KEPT_TIMELINES = 16_384
_KEPT_PLACES = 4_096
#: A link this strong may corroborate (judgement.md 18).
_STRONG = 0.8


@dataclass(frozen=True, slots=True)
class Case:
    """One revision of one incident, to be judged.

    ``report`` is what is judged: where an operator decided on place or parties, the caller puts that decision into it;
    a decision on the verdict is the caller's to apply to the assessment. ``retracted`` is the reason given when the
    report was taken back, None while it stands. ``corroborated`` and ``links`` come from correlation (judgement.md 18).
    """

    incident_id: str
    revision: int
    report: Report
    retracted: str | None = None
    corroborated: bool = False
    links: tuple[Link, ...] = ()


class Judge:
    """Built once for a registry version; the same case gives the same assessment whenever and however batched."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.zone = find_zone(registry.timezone)
        truces = tuple(registry.truces.values())
        self._ground = Ground(registry.areas)
        self._calendar = Calendar(self._ground, truces)
        self._gazetteer = Gazetteer(registry, self._ground)
        self._roll = Roll(registry, self._gazetteer.knows)
        self._reasons = Reasons(registry)
        presences = Presences(registry, self._ground.number, self._roll)
        self._checks = Checks(presences, Scales(self._roll, presences, self._reasons), self._reasons)
        # Of many truces, few are ever asked.
        self._terms = cache(lambda number: Terms(truces[number], self._ground.number))
        self._whole_timeline = lru_cache(maxsize=_KEPT_TIMELINES)(self._timeline_of_whole)
        self._latest: dict[Shape, Footprint] = {}
        self.areas_of = lru_cache(maxsize=_KEPT_PLACES)(self._areas_of)
        # Prepared geometries index themselves when first asked, with the interpreter's lock released.
        self._turn = Lock()

    def assess(self, reports: Sequence[Case], now: int) -> list[Assessment]:
        """One assessment for each case, in order. Raises ValueError for a report without a possible time."""
        with self._turn:
            return self._assess_batch(reports, now)

    def _assess_batch(self, reports: Sequence[Case], now: int) -> list[Assessment]:
        spans = [span_of(case.report.occurred, self.zone) for case in reports]
        located = [self._gazetteer.locate(case.report.location) for case in reports]
        shapes = [place.shape for place in located]
        footprints = self._ground.footprints(shapes)
        self._latest = dict(zip(shapes, footprints, strict=True))
        near = self._calendar.near(footprints, spans)
        assessed_at = format_instant(now)
        return [
            self._assess(case, span, place, footprint, truces, assessed_at)
            for case, span, place, footprint, truces in zip(reports, spans, located, footprints, near, strict=True)
        ]

    def _areas_of(self, place: ResolvedPlace) -> tuple[str, ...]:
        """The areas that hold more than 0.1 % of an assessed place; none for a place that could not be resolved.

        Cheapest right after the place was assessed: what was measured then is still at hand. Asked once, it is kept:
        whoever asks again never waits for another judgement.
        """
        shape = shape_of(place, self._ground)
        if isinstance(shape, Nowhere):
            return ()
        with self._turn:
            footprint = self._latest.get(shape) or self._ground.footprints([shape])[0]
            return tuple(self._ground.ids[area] for area in sorted(footprint.hits) if footprint.share(area) > OUTSIDE)

    def render(self, reason: Reason, language: Language) -> str:
        """The reason's sentence, by this registry's names."""
        return self._reasons.render(reason, language)

    def translate(self, reason: Reason, languages: tuple[Language, ...]) -> tuple[str, ...]:
        """The reason's sentence in each of the languages."""
        return self._reasons.translate(reason, languages)

    def _assess(
        self, case: Case, span: Span, located: Located, footprint: Footprint, truces: Sequence[int], assessed_at: str
    ) -> Assessment:
        report = case.report
        perpetrators = tuple(self._roll.actor(name, span.start) for name in report.perpetrators)
        targets = tuple(self._roll.actor(name, span.start) for name in report.targets)
        incident = Incident(
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
            corroborated=case.corroborated,
        )
        judged = [] if case.retracted is not None else [self._judge(self._terms(n), incident) for n in truces]
        verdict, level = _overall([one.finding for one in judged])
        return Assessment(
            incident_id=case.incident_id,
            revision=case.revision,
            assessed_at=assessed_at,
            registry_version=self.registry.version,
            verdict=verdict,
            certainty=level,
            severity=severity_of(report),
            reasons=self._top_reasons(case, incident, located, judged, verdict),
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
        )

    def _judge(self, terms: Terms, incident: Incident) -> Judged:
        return self._checks.judge(terms, incident, self._timeline(terms, incident.footprint).read(incident.span))

    def _timeline(self, terms: Terms, footprint: Footprint) -> Timeline:
        """Most places lie wholly in an area or not at all: then the areas that hold them say everything."""
        shares = [footprint.share(area) for area in terms.schedule.areas]
        if all(share in (0.0, 1.0) for share in shares):
            held = tuple(area for area, share in zip(terms.schedule.areas, shares, strict=True) if share)
            return self._whole_timeline(terms, held)
        return terms.schedule.timeline(footprint)

    def _timeline_of_whole(self, terms: Terms, held: tuple[int, ...]) -> Timeline:
        return terms.schedule.timeline(WholeShares(held))

    def _top_reasons(
        self, case: Case, incident: Incident, located: Located, judged: Sequence[Judged], verdict: Outcome
    ) -> tuple[Reason, ...]:
        """Those that belong to no truce."""
        if case.retracted is not None:
            return (self._reasons.say("retracted", reason=case.retracted),)
        reasons = self._about_names(incident)
        if located.disagreeing:
            by, given = located.disagreeing[0], located.disagreeing
            reasons.append(self._reasons.say("place_disagreement", by=by, given=given))
        reasons += self._about_point(case.report.location, located, incident)
        if not judged:
            reasons.append(self._why_no_finding(incident))
        if verdict == "violation":
            reasons += self._about_sources(case, incident, judged)
        return tuple(reasons)

    def _about_point(self, location: Location, located: Located, incident: Incident) -> list[Reason]:
        """Whether the reported point is to be taken at its word (judgement.md 16)."""
        if located.has_placeholder:
            return [self._reasons.say("point_placeholder", lat=location.lat, lon=location.lon)]
        point = located.point
        area = None if point is None else self._ground.mirroring(point, incident.footprint)
        if area is None:
            return []
        mirrored_in = self._ground.ids[area]
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
        if self._calendar.touches_any(incident.footprint):
            return self._reasons.say("outside_every_window", hours=NEAR // HOUR)
        return self._reasons.say("outside_every_area")

    def _about_sources(self, case: Case, incident: Incident, judged: Sequence[Judged]) -> list[Reason]:
        reasons = []
        if any(one.rests_on_grade for one in judged):
            allowed = certainty.WORDS[incident.source]
            reasons.append(self._reasons.say("source_grade", grade=case.report.source.grade, certainty=allowed))
        if case.corroborated:
            incidents = tuple(link.incident_id for link in case.links if link.score >= _STRONG)
            reasons.append(self._reasons.say("corroborated", incidents=incidents))
        return reasons


def _overall(findings: Sequence[Finding]) -> tuple[Outcome, Certainty | None]:
    """The strongest outcome, with the highest certainty among the findings that carry it."""
    if not findings:
        return "not_covered", None
    verdict = min((finding.outcome for finding in findings), key=OUTCOMES.index)
    levels = [finding.certainty for finding in findings if finding.outcome == verdict and finding.certainty]
    return verdict, min(levels, key=CERTAINTIES.index, default=None)


def _known(actors: tuple[Actor, ...]) -> tuple[Actor, ...]:
    """The actors of a side without names that say that nobody is known (judgement.md 20)."""
    return tuple(actor for actor in actors if not actor.is_nobody)


def _told(actor: Actor) -> ResolvedParty:
    return ResolvedParty(actor.reported, actor.party, actor.coalitions)
