"""The facets of a judged incident: the words by which lists filter it, each found by one index.

A facet is ``kind/value``: ``truce/aleppo-calm``, ``party/isis``, ``act/shelling``, ``verdict/violation``. Beside them
stands what statistics add up (:class:`Claims`), as ``claims/killed,injured,counting``.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import msgspec

from schemas.assessments import Link, ResolvedParty, ResolvedPlace
from schemas.boxes import Box, box_of
from schemas.report import Casualties
from schemas.vocabulary import SEVERITIES, Act, Certainty, Outcome, Severity

#: The kinds of facets that an index finds; by the others an incident is only checked.
INDEXED: Final = frozenset({"verdict", "severity", "act", "truce", "party", "area", "cell"})
#: Those that statistics are grouped by.
GROUPS: Final = ("verdict", "truce", "party", "area", "act", "severity")
CLAIMS: Final = "claims/"
#: A box over more cells of one degree than this is found by other facets, or by time.
MOST_CELLS: Final = 16
#: The facet of incidents whose disc reaches over more cells.
WIDE: Final = "cell/wide"


#: How the claims of an incident are added up (:mod:`services.ingest.statistics`).
PLAIN, AGGREGATE, LINKED, RETRACTED = range(4)
#: A link of this score tells of the same event (judgement.md 18).
STRONG: Final = 0.8


class Claims(NamedTuple):
    """Casualties as claimed, None where the source does not say, and how they are added up."""

    killed: int | None = None
    injured: int | None = None
    counting: int = PLAIN


class JudgedTruce(msgspec.Struct):
    truce: str
    outcome: Outcome


class JudgedReason(msgspec.Struct, frozen=True):
    code: str


class JudgedFacts(msgspec.Struct):
    """The part of an assessment that lists filter by."""

    verdict: Outcome
    certainty: Certainty | None
    severity: Severity
    act: Act
    place: ResolvedPlace
    perpetrators: tuple[ResolvedParty, ...]
    targets: tuple[ResolvedParty, ...]
    findings: tuple[JudgedTruce, ...]
    casualties: Casualties = Casualties()
    aggregate: bool = False
    links: tuple[Link, ...] = ()
    reasons: tuple[JudgedReason, ...] = ()


def facets_of(facts: JudgedFacts, areas: Iterable[str]) -> tuple[str, ...]:
    """The facets of an incident; ``areas`` are those that its place touches. Truces count where their finding carries
    the verdict, parties on either side, with their coalitions, as in the filters of subscriptions."""
    parties = {id for one in (*facts.perpetrators, *facts.targets) for id in (one.party, *one.coalitions)} - {None}
    return (
        f"verdict/{facts.verdict}",
        f"severity/{facts.severity}",
        f"act/{facts.act}",
        *([] if facts.certainty is None else [f"certainty/{facts.certainty}"]),
        *sorted({f"truce/{one.truce}" for one in facts.findings if one.outcome == facts.verdict}),
        *(f"party/{id}" for id in sorted(filter(None, parties))),
        *(f"area/{id}" for id in sorted(set(areas))),
        *_cells_of(facts.place),
        *_tell_claims(_claims_of(facts)),
    )


def is_one_event(link: Link) -> bool:
    """Whether a link is strong, or an operator confirmed it."""
    return link.state == "confirmed" or link.score >= STRONG


def _claims_of(facts: JudgedFacts) -> Claims:
    counting = PLAIN
    if any(reason.code == "retracted" for reason in facts.reasons):
        counting = RETRACTED
    elif facts.aggregate:
        counting = AGGREGATE
    elif any(map(is_one_event, facts.links)):
        counting = LINKED
    return Claims(facts.casualties.killed, facts.casualties.injured, counting)


def _tell_claims(claims: Claims) -> Iterator[str]:
    if claims != Claims():
        yield CLAIMS + ",".join("" if one is None else str(one) for one in claims)


def read_claims(told: Iterable[str]) -> Claims:
    """The claims among the facets of an incident."""
    for facet in told:
        if facet.startswith(CLAIMS):
            killed, injured, counting = facet.removeprefix(CLAIMS).split(",")
            return Claims(int(killed) if killed else None, int(injured) if injured else None, int(counting))
    return Claims()


def read_facets(told: str | None) -> dict[str, list[Any]]:
    """The values of each kind of facet, of an incident's facets on lines; none of an incident that is not judged."""
    found: dict[str, list[Any]] = {}
    for facet in filter(None, (told or "").split("\n")):
        kind, _, value = facet.partition("/")
        found.setdefault(kind, []).append(value)
    return found


def severities_from(least: str) -> tuple[str, ...]:
    """The severities of at least this gravity."""
    return SEVERITIES[: SEVERITIES.index(least) + 1]


def cells_over(box: Box) -> tuple[str, ...] | None:
    """The facets of all places in a box; None where these are too many to look each of them up."""
    cells = _cells(box)
    return None if cells is None else (*cells, WIDE)


def _cells_of(place: ResolvedPlace) -> tuple[str, ...]:
    box = box_of(place)
    if box is None:
        return ()
    cells = _cells(box)
    return (WIDE,) if cells is None else cells


def _cells(box: Box) -> tuple[str, ...] | None:
    west, south, east, north = box
    rows = range(math.floor(south), math.floor(north) + 1)
    columns = [*_columns(west, east)]
    if len(rows) * len(columns) > MOST_CELLS:
        return None
    return tuple(f"cell/{row}/{column}" for row in rows for column in columns)


def _columns(west: float, east: float) -> Iterator[int]:
    first, last = math.floor(west), math.floor(east)
    if west <= east:
        yield from (column if column < 180 else -180 for column in range(first, last + 1))
    else:
        yield from range(first, 180)
        yield from range(-180, last + 1)
