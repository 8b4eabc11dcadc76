"""Which coalitions a party belongs to in the end, whenever it joined them, in time linear in the memberships."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.rules.judging.model import Period
from services.rules.registry.domain.limits import MAX_COALITIONS, MAX_DATED

Edges = Mapping[str, Sequence[str]]


class Coalitions:
    """The coalitions of every party. ``coalitions`` names those that each joined itself."""

    def __init__(self, coalitions: Edges) -> None:
        self._circle: dict[str, int] = {}
        self._reached: dict[str, frozenset[str]] = {}
        for number, circle in enumerate(_circles(coalitions)):
            self._circle.update(dict.fromkeys(circle, number))
            reached = _some_of(
                {one for id in circle for c in coalitions.get(id, ()) for one in (c, *self._reached.get(c, ()))}
            )
            self._reached.update(dict.fromkeys(circle, reached))

    def in_circle(self, party: str, coalition: str) -> bool:
        """Whether a coalition that the party joined is, through others, a member of the party."""
        return self._circle[party] == self._circle.get(coalition)

    def of(self, party: str) -> frozenset[str]:
        """The coalitions of a party; of more than MAX_COALITIONS, one more than that."""
        return self._reached[party]


@dataclass(frozen=True, slots=True)
class Membership:
    """A party in a coalition, for a time."""

    party: str
    coalition: str
    period: Period


def find_circular(memberships: Sequence[Membership]) -> set[int]:
    """Which memberships, by number, are part of a circle at any one moment.

    Where too many with dates of their own lead back to each other to check every moment, all of these.
    """
    reach = Coalitions(_edges(memberships))
    suspects = [n for n, one in enumerate(memberships) if reach.in_circle(one.party, one.coalition)]
    moments = sorted({start for n in suspects if (start := memberships[n].period.start) is not None})
    if not moments or len(moments) * len(suspects) > MAX_DATED:
        return set(suspects)
    found: set[int] = set()
    # Between two beginnings no circle begins.
    ends = [end for n in suspects if (end := memberships[n].period.end) is not None]
    before_all = min(*moments, *ends, moments[0]) - 1
    for moment in (before_all, *moments):
        valid = [n for n in suspects if memberships[n].period.holds(moment)]
        then = Coalitions(_edges([memberships[n] for n in valid]))
        found.update(n for n in valid if then.in_circle(memberships[n].party, memberships[n].coalition))
    return found


def _edges(memberships: Iterable[Membership]) -> dict[str, list[str]]:
    edges: dict[str, list[str]] = {}
    for one in memberships:
        edges.setdefault(one.party, []).append(one.coalition)
    return edges


def _some_of(found: set[str]) -> frozenset[str]:
    return frozenset(found if len(found) <= MAX_COALITIONS else sorted(found)[: MAX_COALITIONS + 1])


def _circles(edges: Edges) -> list[list[str]]:
    """Strongly connected components, each after all that it leads to (Tarjan). A chain is as long as it likes, so
    nothing here calls itself."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_ones: list[str] = []
    closed: set[str] = set()
    found: list[list[str]] = []
    for root in edges:
        path = [] if root in number else [(root, iter(edges[root]))]
        while path:
            id, rest = path[-1]
            if id not in number:
                number[id] = lowest[id] = len(number)
                open_ones.append(id)
            following = next((one for one in rest if one not in closed), None)
            if following is None:
                path.pop()
                if path:
                    lowest[path[-1][0]] = min(lowest[path[-1][0]], lowest[id])
                if lowest[id] == number[id]:
                    found.append(_taken(open_ones, id))
                    closed.update(found[-1])
            elif following in number:
                lowest[id] = min(lowest[id], number[following])
            else:
                path.append((following, iter(edges.get(following, ()))))
    return found


def _taken(open_ones: list[str], id: str) -> list[str]:
    """``id`` and all that was opened after it, taken off."""
    taken = [open_ones.pop()]
    while taken[-1] != id:
        taken.append(open_ones.pop())
    return taken
