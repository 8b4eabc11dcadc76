"""Parties at a moment: names resolved, coalitions followed, duties and exclusions read. Source: judgement.md 1-8."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from schemas.text import visible
from services.rules.judging.model import CompiledDuty, CompiledParty, CompiledRegistry, PartyRef, Period
from services.rules.judging.names import Match, find_party, index_parties, names_nobody
from services.rules.judging.qualified import resolve

_CIVILIANS = "civilians"


@dataclass(frozen=True, slots=True)
class ResolvedActor:
    """A reported name and whom it means at the incident's start; ``party`` is None where that is nobody known.
    ``is_nobody``: the name itself says so, and counts as no name on its side. ``read_as`` is the name without what the
    source added to it, where only that was found.

    ``lineage`` is the party with every coalition that it is in, through coalitions too; ``cannot`` their acts together.
    """

    reported: str
    party: str | None = None
    coalitions: tuple[str, ...] = ()
    lineage: frozenset[str] = frozenset()
    umbrella: bool = False
    civilian: bool = False
    cannot: frozenset[str] = frozenset()
    in_period: bool = True
    is_nobody: bool = False
    read_as: str | None = None

    @property
    def is_clear(self) -> bool:
        """Named, known, and no umbrella. One that resolves to nobody is judged like an umbrella (judgement.md 20)."""
        return self.party is not None and not self.umbrella

    def is_in(self, parties: frozenset[str]) -> bool:
        """Whether it, or a coalition that it is in, is one of them."""
        return not self.lineage.isdisjoint(parties)


class PartyDirectory:
    """The parties of one registry at any moment."""

    def __init__(self, registry: CompiledRegistry, is_place: Callable[[str], bool]) -> None:
        """``is_place``: whether an area or a place of the registry bears a name."""
        self._parties, self.is_place = registry.parties, is_place
        self._names = index_parties(registry.parties.values())
        self._turns = sorted(_turns(registry.parties.values()))
        self._actor = lru_cache(maxsize=8_192)(self._find)
        self._lineage = lru_cache(maxsize=8_192)(self._follow)
        self._direct = lru_cache(maxsize=8_192)(self._joined)

    def actor(self, reported: str, at: int) -> ResolvedActor:
        return self._actor(reported, self._epoch(at))

    def match(self, name: str, at: int) -> Match:
        """The party of a whole name."""
        return find_party(name, at, self._parties, self._names)

    def may_mean(self, name: str, party: str) -> bool:
        """Whether the name is one of that party's, at any time."""
        return visible(name) == party or any(one.party == party for one in self._names.find(name))

    def lineage(self, party: str, at: int) -> tuple[str, ...]:
        """The party and its coalitions, nearest first."""
        return self._lineage(party, self._epoch(at))

    def cannot(self, party: str, at: int) -> frozenset[str]:
        """Acts beyond its means, its coalitions' among them."""
        return frozenset().union(*(self._parties[id].cannot for id in self.lineage(party, at)))

    def _epoch(self, at: int) -> int:
        """Some moment between the same two changes of membership or name; nothing else changes a party."""
        turn = bisect_right(self._turns, at)
        return self._turns[turn - 1] if turn else (self._turns[0] - 1 if self._turns else 0)

    def decided(self, reported: str, party: str, at: int) -> ResolvedActor:
        """The actor under a name that was decided to mean ``party``; as :meth:`actor` where there is no such party."""
        if party not in self._parties:
            return self.actor(reported, at)
        return self._known(reported, Match(party), None, self._epoch(at))

    def _find(self, reported: str, at: int) -> ResolvedActor:
        found = resolve(reported, at, self)
        if found.match.party is None:
            return ResolvedActor(reported, is_nobody=names_nobody(found.left))
        return self._known(reported, found.match, found.left if found.is_qualified(reported) else None, at)

    def _known(self, reported: str, match: Match, read_as: str | None, at: int) -> ResolvedActor:
        assert match.party is not None
        lineage = self.lineage(match.party, at)
        return ResolvedActor(
            reported,
            match.party,
            coalitions=lineage[1:],
            lineage=frozenset(lineage),
            umbrella=self._parties[match.party].umbrella,
            civilian=any(self._parties[id].kind == _CIVILIANS for id in lineage),
            cannot=self.cannot(match.party, at),
            in_period=match.in_period,
            read_as=read_as,
        )

    def _follow(self, party: str, at: int) -> tuple[str, ...]:
        found = {party: None}
        queue = [party]
        for one in queue:
            for coalition in self._direct(one, at):
                if coalition not in found:
                    found[coalition] = None
                    queue.append(coalition)
        return tuple(found)

    def _joined(self, party: str, at: int) -> tuple[str, ...]:
        """The coalitions that a party itself is then a member of, once each."""
        return tuple(dict.fromkeys(ref.party for ref in self._parties[party].member_of if ref.period.holds(at)))


def _turns(parties: Iterable[CompiledParty]) -> set[int]:
    periods = [ref.period for party in parties for ref in party.member_of]
    periods += [alias.period for party in parties for alias in party.aliases]
    return {moment for period in periods for moment in (period.start, period.end) if moment is not None}


class PartyRefs:
    """The parties that a list names at a moment; the usual list has no dates and is read once."""

    __slots__ = ("_always", "_refs")

    def __init__(self, refs: Sequence[PartyRef]) -> None:
        self._refs = tuple(refs)
        timeless = all(ref.period == Period() for ref in refs)
        self._always = frozenset(ref.party for ref in refs) if timeless else None

    def at(self, moment: int) -> frozenset[str]:
        if self._always is not None:
            return self._always
        return frozenset(ref.party for ref in self._refs if ref.period.holds(moment))


class Obligation:
    """One duty, ready to be asked. ``any`` is everyone, the unknown and the unbound included."""

    __slots__ = ("_bound", "_toward")

    def __init__(self, duty: CompiledDuty) -> None:
        self._bound = None if duty.bound is None else PartyRefs(duty.bound)
        self._toward = None if duty.toward is None else PartyRefs(duty.toward)

    def binds(self, actor: ResolvedActor, at: int) -> bool:
        return self._bound is None or actor.party is None or actor.is_in(self._bound.at(at))

    def protects(self, actor: ResolvedActor, at: int) -> bool:
        """Civilians are protected in every duty, named or not."""
        return self._toward is None or actor.party is None or actor.civilian or actor.is_in(self._toward.at(at))


@dataclass(frozen=True, slots=True)
class Pairing:
    """The actors on either side who suffice for a violation; a side that nobody names is empty and suffices."""

    perpetrators: tuple[ResolvedActor, ...]
    targets: tuple[ResolvedActor, ...]


def pair(
    duties: Iterable[Obligation], perpetrators: Sequence[ResolvedActor], targets: Sequence[ResolvedActor], at: int
) -> Pairing | None:
    """Everyone whom some duty binds toward one whom it protects; None where no duty does.

    Neither side may hold an excluded party: it pairs with nobody. An empty side is bound, or protected, by each duty.
    """
    doers: set[int] = set()
    sufferers: set[int] = set()
    met = False
    for duty in duties:
        bound = [n for n, actor in enumerate(perpetrators) if duty.binds(actor, at)]
        protected = [n for n, actor in enumerate(targets) if duty.protects(actor, at)]
        if (bound or not perpetrators) and (protected or not targets):
            met = True
            doers.update(bound)
            sufferers.update(protected)
    if not met:
        return None
    return Pairing(tuple(perpetrators[n] for n in sorted(doers)), tuple(targets[n] for n in sorted(sufferers)))
