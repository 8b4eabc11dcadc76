"""As much of a report as links to other reports depend on. Source: judgement.md 18."""

from collections.abc import Iterable, Sequence

import msgspec

from schemas.instants import MINUTE
from schemas.report import Report
from services.rules.judging.evaluate import ResolvedReport
from services.rules.judging.geometry import Disc
from services.rules.judging.names import normalise
from services.rules.judging.parties import ResolvedActor
from services.rules.judging.time import is_long

#: An instant counts as so much time on either side.
WIDENED = 30 * MINUTE


class ReportedSide(msgspec.Struct, frozen=True, array_like=True):
    """The perpetrators or the targets: ``parties`` with their coalitions, sorted. ``may_be_anyone``: nobody is
    named, or a name is unresolved or an umbrella."""

    may_be_anyone: bool
    parties: tuple[str, ...]

    def meets(self, other: "ReportedSide") -> bool:
        """Whether both may be the same people."""
        return self.may_be_anyone or other.may_be_anyone or not set(self.parties).isdisjoint(other.parties)


class ReportProfile(msgspec.Struct, frozen=True, array_like=True):
    """One report as it is compared with others.

    ``start`` to ``end``: microseconds, UTC, an instant widened. ``place``: latitude, longitude and radius in km of a
    disc, the id of an area, or null. ``ground`` (steradians) changes when the area does. ``source`` and ``quotes`` are
    normalised. ``is_event``: not retracted, and no aggregate; nothing else is ever linked.
    """

    is_event: bool
    start: int
    end: int
    act: str
    perpetrators: ReportedSide
    targets: ReportedSide
    place: tuple[float, float, float] | str | None
    ground: float
    source: str
    quotes: tuple[str, ...]

    @property
    def shape(self) -> Disc | str | None:
        return Disc(*self.place) if isinstance(self.place, tuple) else self.place

    def is_independent_of(self, other: "ReportProfile") -> bool:
        """Of another source, neither quoting the other."""
        return self.source != other.source and self.source not in other.quotes and other.source not in self.quotes


def profile_of(report: Report, resolved: ResolvedReport, *, retracted: bool) -> ReportProfile:
    span, place = resolved.span, resolved.place
    widened = WIDENED if span.start == span.end else 0
    return ReportProfile(
        is_event=not (retracted or report.aggregate or is_long(span)),
        start=span.start - widened,
        end=span.end + widened,
        act=report.act,
        perpetrators=_side(resolved.perpetrators),
        targets=_side(resolved.targets),
        place=(place.lat, place.lon, place.radius_km) if isinstance(place, Disc) else place,
        ground=resolved.ground,
        source=_source(report.source.name),
        quotes=tuple(sorted(set(map(_source, report.source.quotes)))),
    )


def _side(actors: Sequence[ResolvedActor]) -> ReportedSide:
    unclear = not actors or not all(actor.is_clear for actor in actors)
    return ReportedSide(unclear, tuple(sorted(_union(actor.lineage for actor in actors))))


def _union(sets: Iterable[frozenset[str]]) -> set[str]:
    return set().union(*sets)


def _source(name: str) -> str:
    """Sources are told apart as parties are; a name that normalises to nothing stands for itself."""
    return normalise(name) or name
