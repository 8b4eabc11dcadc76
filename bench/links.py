"""Precision and recall of links on real events: the UCDP file of the demo, judged by its registry.

Method. Every row of the file is an event of its own, so each link between two rows is wrong. For a recall there must be
two reports of one event: each row is told once more by another source, less exactly in one way, in turn:

- ``the same``: the same day, place and sides;
- ``point``: the point is off by 15 % of the radius, in a direction of its own;
- ``far point``: off by 40 %;
- ``radius``: the radius is a quarter larger;
- ``sides``: neither side is named;
- ``umbrella``: an umbrella name for the target, and the point off by 10 %;
- ``days``: one day more (of one day a score of 0.71, which is not strong);
- ``hours``: the six hours around noon instead of the day (0.5).

Links are decided among all of them, by the code that rules run. ``Look alike``: rows of the same time, sides and
place. Recall: the share of retold events whose two reports are linked. Precision: the share of the links, between any
two reports, that join two reports of one event. Aggregates are left out: they are never linked.

``python -m bench links``
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import msgspec

from schemas.instants import DAY, HOUR, to_datetime
from schemas.report import Location, Occurrence, Report, Source
from schemas.time_span import locate_in_time
from schemas.zones import find_zone
from services.connectors.file_facts import ReadingOptions
from services.connectors.files import read_file
from services.connectors.model import AdapterMap, ReportDraft, RowContext
from services.rules.judging.evaluate import Case, Judge
from services.rules.linking.domain.cells import kept_in, looked_into
from services.rules.linking.domain.linking import FoundPairs, KnownProfile, Pair, decide_links
from services.rules.linking.domain.profile import ReportProfile, profile_of
from services.rules.linking.domain.score import STRONG, SUGGESTED
from services.rules.registry.domain.document import compile_document
from services.rules.registry.wire import read_document
from tests.scenario import SCENARIO, registry_document

FILE: Final = SCENARIO / "ucdp_ged_20160220_20160601.csv"
ZONE: Final = find_zone("Asia/Damascus")
WAYS: Final = ("the same", "point", "far point", "radius", "sides", "umbrella", "days", "hours")
_KM_OF_DEGREE: Final = 111.195


@dataclass(frozen=True)
class LinkQuality:
    """``groups`` of rows that look alike hold ``alike`` events; ``in_all``: both, with aggregates. ``wrong`` and
    ``wrong_alike``: links between rows at 0.8 and more, of all and of those that look alike. The rest by way of
    retelling, or by least score."""

    events: int
    groups: int
    alike: int
    in_all: tuple[int, int]
    wrong: int
    wrong_alike: int
    suggested_wrong: int
    retold: Mapping[str, int]
    found: Mapping[str, int]
    precision: Mapping[float, float]
    recall: Mapping[float, float]


def measure() -> LinkQuality:
    judge = Judge(compile_document(read_document(msgspec.json.encode(registry_document())), 1))
    every = list(_rows())
    rows = [row for row in every if _profile(judge, row).is_event]
    ways = {f"r{n}": WAYS[n % len(WAYS)] for n in range(len(rows))}
    told = {f"r{n}": row for n, row in enumerate(rows)}
    retold = {f"{id}'": _retell(row, ways[id], n) for n, (id, row) in enumerate(told.items())}
    scores = _score(judge, told | retold)
    groups, in_all = _look_alike(judge, told), _look_alike(judge, {f"r{n}": row for n, row in enumerate(every)})
    alike = {frozenset(pair) for group in groups for pair in combinations(group, 2)}
    between_rows = {pair: score for pair, score in scores.items() if not any(id.endswith("'") for id in pair)}
    wrong = [pair for pair, score in between_rows.items() if score >= STRONG]
    true = {id: scores.get((id, f"{id}'"), 0.0) for id in told}
    levels = (STRONG, SUGGESTED)
    right = {level: sum(score >= level for score in true.values()) for level in levels}
    return LinkQuality(
        events=len(rows),
        groups=len(groups),
        alike=sum(map(len, groups)),
        in_all=(len(in_all), sum(map(len, in_all))),
        wrong=len(wrong),
        wrong_alike=sum(frozenset(pair) in alike for pair in wrong),
        suggested_wrong=len(between_rows),
        retold=Counter(ways.values()),
        found=Counter(ways[id] for id, score in true.items() if score >= STRONG),
        precision={level: right[level] / sum(score >= level for score in scores.values()) for level in levels},
        recall={level: right[level] / len(rows) for level in levels},
    )


def tell(found: LinkQuality) -> Iterator[str]:
    """The figures, each with how it came about."""
    yield f"{found.events:,} events of the UCDP file (no aggregates), each told once more by another source"
    yield f"look alike (time, sides, place): {found.groups} groups of {found.alike} distinct events"
    yield f"  with aggregates {found.in_all[0]} groups of {found.in_all[1]}"
    yield (
        f"links between distinct events at {STRONG} and more: {found.wrong}, {found.wrong_alike} of them within those "
        f"groups; suggested from {SUGGESTED}: {found.suggested_wrong}. None corroborates: they are of one source"
    )
    for level in (STRONG, SUGGESTED):
        yield f"at {level} and more: recall {found.recall[level]:.1%}, precision {found.precision[level]:.1%}"
    for way in WAYS:
        yield f"  recall at {STRONG}, retold less exactly, {way}: {found.found.get(way, 0) / found.retold[way]:.1%}"


def _rows() -> Iterator[Report]:
    context = RowContext(AdapterMap(), ZONE)
    for one in read_file(FILE.read_bytes(), ReadingOptions(kind="ucdp"), context):
        if isinstance(one.outcome, ReportDraft):
            yield msgspec.convert(one.outcome.report, Report)


def _retell(row: Report, way: str, number: int) -> Report:
    told, span = msgspec.structs.replace(row, source=Source("Another source", "C3")), locate_in_time(row.occurred, ZONE)
    match way:
        case "point":
            return msgspec.structs.replace(told, location=_moved(row.location, 0.15, number))
        case "far point":
            return msgspec.structs.replace(told, location=_moved(row.location, 0.4, number))
        case "radius":
            radius = 1.25 * (row.location.radius_km or 0.1)
            return msgspec.structs.replace(told, location=msgspec.structs.replace(row.location, radius_km=radius))
        case "sides":
            return msgspec.structs.replace(told, perpetrators=(), targets=())
        case "umbrella":
            return msgspec.structs.replace(
                told, targets=("opposition fighters",), location=_moved(row.location, 0.1, number)
            )
        case "days":
            return msgspec.structs.replace(told, occurred=_from_to(span.start, span.end + DAY))
        case "hours":
            noon = (span.start + span.end) // 2
            return msgspec.structs.replace(told, occurred=_from_to(noon - 3 * HOUR, noon + 3 * HOUR))
    return told


def _from_to(start: int, end: int) -> Occurrence:
    return Occurrence(to_datetime(start), to_datetime(end))


def _moved(location: Location, share: float, number: int) -> Location:
    """Moved by a share of the radius; the golden angle spreads the directions evenly."""
    assert location.lat is not None
    assert location.lon is not None
    degrees = share * (location.radius_km or 0.1) / _KM_OF_DEGREE
    angle = number * math.pi * (3 - math.sqrt(5))
    east = degrees * math.sin(angle) / math.cos(math.radians(location.lat))
    return msgspec.structs.replace(location, lat=location.lat + degrees * math.cos(angle), lon=location.lon + east)


def _profile(judge: Judge, report: Report) -> ReportProfile:
    return profile_of(report, judge.resolve(Case("", 1, report)), retracted=False)


def _score(judge: Judge, reports: Mapping[str, Report]) -> dict[Pair, float]:
    known = {id: KnownProfile(1, _profile(judge, report)) for id, report in reports.items()}
    similar = {id: judge.resolve(Case("", 1, report)).similar for id, report in reports.items()}
    cells: dict[str, list[str]] = defaultdict(list)
    for id, one in known.items():
        for cell in kept_in(one.profile, similar[id]):
            cells[cell].append(id)
    candidates = {
        id: {other for cell in looked_into(one.profile, similar[id]) for other in cells.get(cell, ())} - {id}
        for id, one in known.items()
    }
    changes = decide_links(FoundPairs(known, candidates, {}, {}), judge.overlap)
    return {pair: link.score for pair, link in changes.linked.items()}


def _look_alike(judge: Judge, told: Mapping[str, Report]) -> list[Sequence[str]]:
    groups: dict[object, list[str]] = defaultdict(list)
    for id, report in told.items():
        one = _profile(judge, report)
        groups[one.start, one.end, report.perpetrators, report.targets, one.place].append(id)
    return [group for group in groups.values() if len(group) > 1]
