"""The state of a place by the windows of a truce, moment by moment. Source: judgement.md 13 and "Time and place".

A truce's accounts cut time into spells in which nothing changes. For one place each spell is covered or not, disputed
or not; neighbouring covered spells alike in dispute are one stretch, so that abutting windows count as one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from schemas.assessments import FoundWindow
from schemas.instants import format_instant
from schemas.time_span import TimeSpan
from services.rules.judging.footprint import INSIDE, OUTSIDE, Region
from services.rules.judging.model import Account, CompiledTruce
from services.rules.judging.time import FOREVER


class AreaShares(Protocol):
    """How much of a place lies where; areas go by their numbers."""

    def share(self, area: int) -> float: ...

    def share_of(self, region: Region) -> float: ...


class WholeShares:
    """A place that lies in each of some areas wholly, and in no other at all."""

    def __init__(self, areas: Iterable[int]) -> None:
        self._areas = frozenset(areas)

    def share(self, area: int) -> float:
        return float(area in self._areas)

    def share_of(self, region: Region) -> float:
        return float(any(group <= self._areas for group in region))


@dataclass(frozen=True, slots=True)
class CoveredInterval:
    """A time in which a place stays covered and undisputed, or covered and disputed; as published in ``found``."""

    start: int
    end: int
    found: FoundWindow


@dataclass(frozen=True, slots=True)
class Coverage:
    """The windows' answer on one incident. ``gap``: some moment is not covered; ``partial``: the first share found
    between outside and inside; ``elsewhere``: areas with a window in force then, where no moment is covered."""

    stretch: CoveredInterval
    covered: bool
    gap: bool = False
    partial: float | None = None
    dispute: CoveredInterval | None = None
    elsewhere: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """One spell as a place sees it: the share of it covered, and the stretch, None where that share is nothing.

    ``areas`` are those in which anything is in force. ``settles``: what is said of an incident wholly within this
    moment, the usual case.
    """

    start: int
    end: int
    share: float
    disputed: bool
    stretch: CoveredInterval | None
    areas: tuple[str, ...]
    settles: Coverage | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """One place's view of one truce, ascending. There is always a stretch: see :meth:`TruceSchedule.timeline`."""

    moments: tuple[Moment, ...]
    stretches: tuple[CoveredInterval, ...]

    def read(self, span: TimeSpan) -> Coverage:
        """Takes each moment of the incident. Where none is covered, the stretch is the nearest, the earlier of two."""
        for moment in self.moments:
            if moment.settles is not None and moment.start <= span.start < moment.end and span.end <= moment.end:
                return moment.settles
        then = [moment for moment in self.moments if span.meets(moment.start, moment.end)]
        covered = [moment for moment in then if moment.stretch is not None]
        if not covered or (first := covered[0].stretch) is None:
            nearest = min(self.stretches, key=lambda s: (span.distance(s.start, s.end), s.start))
            return Coverage(nearest, False, elsewhere=tuple(dict.fromkeys(a for m in then for a in m.areas)))
        return Coverage(
            first,
            True,
            gap=_leaves_gap(span, covered),
            partial=next((m.share for m in covered if m.share < INSIDE), None),
            dispute=next((m.stretch for m in covered if m.disputed), None),
        )


def _leaves_gap(span: TimeSpan, covered: Sequence[Moment]) -> bool:
    reached = span.start
    for moment in covered:
        if moment.start > reached:
            return True
        reached = moment.end
    return reached < span.end


@dataclass(frozen=True, slots=True)
class _AccountsInterval:
    """``accounts`` in force from ``start`` to ``end``, by number; ``agreed``: the windows with all theirs in force."""

    start: int
    end: int
    accounts: tuple[int, ...]
    agreed: tuple[tuple[int, ...], ...]


class TruceSchedule:
    """The accounts of one truce, numbered in its order, and the spells that they make."""

    def __init__(self, truce: CompiledTruce, number: Mapping[str, int]) -> None:
        """``number`` numbers the areas."""
        self._accounts = [account for window in truce.windows for account in window.accounts]
        self._area = [number[account.area] for account in self._accounts]
        self._windows: list[tuple[int, ...]] = []
        first = 0
        for window in truce.windows:
            self._windows.append(tuple(range(first, first + len(window.accounts))))
            first += len(window.accounts)
        self._spells = self._cut()
        self.areas = tuple(dict.fromkeys(self._area))

    def timeline(self, shares: AreaShares) -> Timeline:
        """The spells as a place sees them. Some account's area must hold some of the place."""
        moments: list[Moment] = []
        stretches: list[CoveredInterval] = []
        for run, covered, disputed in self._runs(shares):
            stretch = self._stretch([spell for spell, _ in run], disputed, shares) if covered else None
            if stretch is not None:
                stretches.append(stretch)
            moments += [self._moment(spell, share, disputed, stretch) for spell, share in run]
        return Timeline(tuple(moments), tuple(stretches) or self._touching(shares))

    def _moment(
        self, spell: _AccountsInterval, share: float, disputed: bool, stretch: CoveredInterval | None
    ) -> Moment:
        partial = share if share < INSIDE else None
        dispute = stretch if disputed else None
        settles = None if stretch is None else Coverage(stretch, True, partial=partial, dispute=dispute)
        areas = tuple(dict.fromkeys(self._accounts[n].area for n in spell.accounts))
        return Moment(spell.start, spell.end, share, disputed, stretch, areas, settles)

    def _cut(self) -> list[_AccountsInterval]:
        edges = sorted({edge for account in self._accounts for edge in (account.start, _end(account))})
        spells = []
        for start, end in pairwise(edges):
            held = tuple(n for n, a in enumerate(self._accounts) if a.start <= start < _end(a))
            in_effect = set(held)
            agreed = tuple(window for window in self._windows if in_effect.issuperset(window))
            if held:
                spells.append(_AccountsInterval(start, end, held, agreed))
        return spells

    def _runs(self, shares: AreaShares) -> list[tuple[list[tuple[_AccountsInterval, float]], bool, bool]]:
        """Spells that follow on one another, alike in being covered and in being disputed."""
        runs: list[tuple[list[tuple[_AccountsInterval, float]], bool, bool]] = []
        for spell in self._spells:
            share = shares.share_of(self._held(spell))
            covered = share > OUTSIDE
            disputed = covered and share - shares.share_of(self._undisputed(spell)) > OUTSIDE
            follows = runs and runs[-1][0][-1][0].end == spell.start and runs[-1][1:] == (covered, disputed)
            if follows:
                runs[-1][0].append((spell, share))
            else:
                runs.append(([(spell, share)], covered, disputed))
        return runs

    def _stretch(self, spells: Sequence[_AccountsInterval], disputed: bool, shares: AreaShares) -> CoveredInterval:
        maker = self._disputing if disputed else self._agreeing
        makers = {n for spell in spells for n in maker(spell, shares)}
        return self._told(spells[0].start, spells[-1].end, disputed, makers or self._near(spells, shares))

    def _agreeing(self, spell: _AccountsInterval, shares: AreaShares) -> Iterable[int]:
        """The accounts of windows that have them all cover the place, or some of it."""
        return (n for w in spell.agreed if shares.share_of(frozenset((self._common(w),))) > OUTSIDE for n in w)

    def _disputing(self, spell: _AccountsInterval, shares: AreaShares) -> Iterable[int]:
        """The accounts that cover what is disputed."""
        agreed = self._undisputed(spell)
        least = shares.share_of(agreed) + OUTSIDE
        return (n for n in spell.accounts if shares.share_of(agreed | {frozenset((self._area[n],))}) > least)

    def _touching(self, shares: AreaShares) -> tuple[CoveredInterval, ...]:
        """Where no spell covers more than 0.1 % of the place: each spell that covers anything of it."""
        return tuple(
            self._told(spell.start, spell.end, False, near)
            for spell in self._spells
            if (near := self._near((spell,), shares))
        )

    def _near(self, spells: Sequence[_AccountsInterval], shares: AreaShares) -> set[int]:
        return {n for spell in spells for n in spell.accounts if shares.share(self._area[n]) > 0.0}

    def _told(self, start: int, end: int, disputed: bool, accounts: Iterable[int]) -> CoveredInterval:
        makers = [self._accounts[n] for n in sorted(accounts)]
        found = FoundWindow(
            start=format_instant(start),
            end=None if end == FOREVER else format_instant(end),
            disputed=disputed,
            area=makers[0].area,
            announcements=tuple(dict.fromkeys(account.announcement for account in makers)),
        )
        return CoveredInterval(start, end, found)

    def _held(self, spell: _AccountsInterval) -> Region:
        return frozenset(frozenset((self._area[n],)) for n in spell.accounts)

    def _undisputed(self, spell: _AccountsInterval) -> Region:
        return frozenset(self._common(window) for window in spell.agreed)

    def _common(self, window: Sequence[int]) -> frozenset[int]:
        return frozenset(self._area[n] for n in window)


def _end(account: Account) -> int:
    return FOREVER if account.end is None else account.end
