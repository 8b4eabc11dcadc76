"""The rules again, told the slow way: every truce, every moment, plain geometry, no index and nothing kept.

Written from judgement.md, not from the engine, so that the two can be compared. Areas must be well away from the poles.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import shapely

from schemas.instants import HOUR, format_instant
from schemas.report import Location, Report
from schemas.time_span import locate_in_time
from services.rules.judging.geometry import Disc, outline
from services.rules.judging.model import Account, CompiledRegistry, CompiledTruce, PartyRef, Window
from services.rules.judging.names import find_party, index_parties
from services.rules.judging.time import FOREVER
from tests.unit.rules.build import UTC_ZONE

LADDER = ["Unlikely", "Possible", "Likely", "Observed"]
GRADED = {"A1": 3, "C3": 2, "D4": 1, "E5": 0, None: 2}
NO_TARGET = {"territorial_gain", "overflight", "weapons_in_withdrawal_zone", "troop_movement", "occupation"}

Found = tuple[str, str | None, str, str | None, bool, str, tuple[str, ...], frozenset[str]]


@dataclass
class Who:
    party: str | None
    line: set[str]
    umbrella: bool
    civilian: bool
    cannot: set[str]

    @property
    def clear(self) -> bool:
        return self.party is not None and not self.umbrella


def end_of(account: Account) -> int:
    return FOREVER if account.end is None else account.end


def lineage(registry: CompiledRegistry, id: str, at: int) -> set[str]:
    line = {id}
    while True:
        more = {r.party for p in line for r in registry.parties[p].member_of if r.period.holds(at)} - line
        if not more:
            return line
        line |= more


def who(registry: CompiledRegistry, name: str, at: int) -> Who:
    match = find_party(name, at, registry.parties, index_parties(registry.parties.values()))
    if match.party is None:
        return Who(None, set(), False, False, set())
    line = lineage(registry, match.party, at)
    return Who(
        match.party,
        line,
        registry.parties[match.party].umbrella,
        any(registry.parties[p].kind == "civilians" for p in line),
        {act for p in line for act in registry.parties[p].cannot},
    )


class Slow:
    """One report before one registry."""

    def __init__(self, registry: CompiledRegistry, report: Report) -> None:
        self.registry, self.report = registry, report
        span = locate_in_time(report.occurred, UTC_ZONE)
        self.start, self.end = span.start, span.end
        self.place = self.shape(report.location)
        self.doers = [who(registry, name, self.start) for name in report.perpetrators]
        self.targets = [who(registry, name, self.start) for name in report.targets]

    def shape(self, location: Location) -> Any:
        if location.lat is not None and location.lon is not None:
            return outline(Disc(location.lat, location.lon, location.radius_km or 0.1))
        return None if location.area is None else self.registry.areas[location.area].geometry

    def share(self, ground: Any) -> float:
        if self.place is None:
            return 0.0 if ground.is_empty else 0.5
        return float(shapely.area(shapely.intersection(self.place, ground)) / shapely.area(self.place))

    def area(self, id: str) -> Any:
        return self.registry.areas[id].geometry

    def during(self, start: int, end: int) -> bool:
        if self.start == self.end:
            return start <= self.start < end
        return max(start, self.start) < min(end, self.end)

    # --- time and place

    def moments(self, truce: CompiledTruce) -> list[int]:
        edges = {e for w in truce.windows for a in w.accounts for e in (a.start, end_of(a))}
        return [self.start, *sorted(e for e in edges if self.start < e < self.end)]

    def ground(self, truce: CompiledTruce, at: int) -> Any:
        return shapely.union_all([self.area(a.area) for w in truce.windows for a in w.accounts if holds(a, at)])

    def agreed(self, truce: CompiledTruce, at: int) -> Any:
        return shapely.union_all([self.common(w) for w in truce.windows if all(holds(a, at) for a in w.accounts)])

    def common(self, window: Window) -> Any:
        return shapely.intersection_all([self.area(a.area) for a in window.accounts])

    def state(self, truce: CompiledTruce, at: int) -> str:
        share = self.share(self.ground(truce, at))
        if share <= 0.001:
            return ""
        return "disputed" if share - self.share(self.agreed(truce, at)) > 0.001 else "undisputed"

    def could_apply(self, truce: CompiledTruce) -> bool:
        return any(
            self.share(self.area(a.area)) > 0.001
            and a.start < end_of(a)
            and a.start <= self.end + 72 * HOUR
            and end_of(a) > self.start - 72 * HOUR
            for w in truce.windows
            for a in w.accounts
        )

    def stretches(self, truce: CompiledTruce) -> list[tuple[int, int, str]]:
        edges = sorted({e for w in truce.windows for a in w.accounts for e in (a.start, end_of(a))})
        found: list[tuple[int, int, str]] = []
        for start, end in pairwise(edges):
            state = self.state(truce, start)
            if found and found[-1][1:] == (start, state):
                found[-1] = (found[-1][0], end, state)
            elif state:
                found.append((start, end, state))
        return found

    def window(self, truce: CompiledTruce) -> Any:
        stretches = self.stretches(truce)
        for at in self.moments(truce):
            for start, end, state in stretches:
                if start <= at < end:
                    return self.told(truce, start, end, state)
        distance = {s: max(s[0] - self.end, self.start - s[1], 0) for s in stretches}
        return self.told(truce, *min(stretches, key=lambda s: (distance[s], s[0])))

    def told(self, truce: CompiledTruce, start: int, end: int, state: str) -> Any:
        edges = {start, *(e for w in truce.windows for a in w.accounts for e in (a.start, end_of(a)))}
        makers = []
        for window in truce.windows:
            for account in window.accounts:
                if any(self.makes(truce, window, account, at, state) for at in edges if start <= at < end):
                    makers.append(account)
        names = tuple(dict.fromkeys(a.announcement for a in makers))
        until = None if end == FOREVER else format_instant(end)
        return format_instant(start), until, state == "disputed", makers[0].area, names

    def makes(self, truce: CompiledTruce, window: Window, account: Account, at: int, state: str) -> bool:
        if state == "undisputed":
            return all(holds(a, at) for a in window.accounts) and self.share(self.common(window)) > 0.001
        return holds(account, at) and (
            self.share(shapely.difference(self.area(account.area), self.agreed(truce, at))) > 0.001
        )

    # --- act, parties, certainty

    def excluded_by(self, truce: CompiledTruce) -> set[str]:
        return {e.party for e in truce.exclusions if e.period.holds(self.start)}

    def listed(self, refs: tuple[PartyRef, ...], one: Who) -> bool:
        return any(r.party in one.line and r.period.holds(self.start) for r in refs)

    def present(self, truce: CompiledTruce) -> list[Any]:
        out = self.excluded_by(truce)
        return [
            entry
            for entry in self.registry.presence
            if lineage(self.registry, entry.party, self.start) & out
            and self.during(entry.period.start or -FOREVER, entry.period.end or FOREVER)
            and self.share(self.area(entry.area)) > 0.001
        ]

    def finding(self, truce: CompiledTruce) -> Found | None:
        if not self.could_apply(truce):
            return None
        outcome, certainty, codes = self.judge(truce)
        return outcome, certainty, *self.window(truce), frozenset(codes)

    def judge(self, truce: CompiledTruce) -> tuple[str, str | None, set[str]]:
        states = [self.state(truce, at) for at in self.moments(truce)]
        shares = [self.share(self.ground(truce, at)) for at in self.moments(truce)]
        if not any(states):
            in_force = any(holds(a, at) for at in self.moments(truce) for w in truce.windows for a in w.accounts)
            return "not_covered", None, {"outside_area" if in_force else "outside_window"}
        doubts = {"time_straddles_window"} if not all(states) else set()
        if self.place is None:
            doubts.add("place_unresolved")
        elif any(0.001 < share < 0.999 for share in shares):
            doubts.add("place_too_coarse")
        failed, more, doers, targets = self.parties(truce)
        if self.report.aggregate or self.end - self.start > 72 * HOUR:
            return "undetermined", "Unknown", {"aggregate"} | doubts | more
        if failed:
            return "excluded" if failed.startswith("excluded") else "not_covered", None, {failed}
        if doubts | more:
            return "undetermined", "Unknown", doubts | more
        return self.violation(truce, doers, targets, "disputed" in states)

    def parties(self, truce: CompiledTruce) -> tuple[str, set[str], list[Who], list[Who]]:
        duties = [d for d in truce.duties if self.report.act in d.acts]
        doubts: set[str] = set()
        if not duties:
            return "act_not_prohibited", doubts, [], []
        out = self.excluded_by(truce)
        targets = [t for t in self.targets if t.civilian] or self.targets
        for side, code in ((self.doers, "excluded_perpetrator"), (targets, "excluded_target")):
            gone = [one for one in side if one.line & out]
            if gone and len(gone) == len(side):
                return code, doubts, [], []
            if gone:
                doubts.add("contested_attribution")
        doers = [one for one in self.doers if not one.line & out]
        targets = [one for one in targets if not one.line & out]
        nobody: list[Who | None] = [None]
        pairs = [
            (p, t)
            for duty in duties
            for p in [*doers] or nobody
            for t in [*targets] or nobody
            if (duty.bound is None or p is None or p.party is None or self.listed(duty.bound, p))
            and (duty.toward is None or t is None or t.party is None or t.civilian or self.listed(duty.toward, t))
        ]
        if not pairs:
            return "no_duty_between_parties", doubts, [], []
        able = [p for p, _ in pairs if p is not None]
        hit = [t for _, t in pairs if t is not None]
        if self.unclear(hit):
            held = [self.area(e.area) for e in self.present(truce) if e.control == "held"]
            if self.share(shapely.union_all(held)) >= 0.999:
                doubts.add("held_by_excluded_party")
        return "", doubts, able, hit

    def unclear(self, targets: list[Who]) -> bool:
        missing = not targets and self.report.act in NO_TARGET and not self.report.targets
        return not missing and not any(t.clear for t in targets)

    def violation(
        self, truce: CompiledTruce, doers: list[Who], targets: list[Who], disputed: bool
    ) -> tuple[str, str, set[str]]:
        codes, caps = {"within_window"}, [3]
        here = [e.party for e in self.present(truce)]
        if any(p.clear for p in doers):
            codes.add("bound_perpetrator")
        elif doers:
            codes |= {"umbrella_perpetrator"} | ({"excluded_group_present"} if here else set())
            caps.append(1 if here else 2)
        else:
            may = [p for p in here if self.report.act not in self.inherited(p)]
            codes |= {"unattributed"} | ({"excluded_group_present"} if may else set())
            caps.append(1 if may else 2)
        if self.unclear(targets):
            codes |= {"umbrella_target" if targets else "unknown_target"} | (
                {"excluded_group_present"} if here else set()
            )
            caps.append(1 if here else 2)
        if disputed:
            codes.add("window_disputed")
            caps.append(1)
        lost = {f"{claim}_claimed" for claim in self.report.claims}
        if not self.excluded_by(truce):
            lost.discard("aimed_at_excluded_claimed")
        if self.doers and all(self.report.act in p.cannot for p in self.doers):
            lost.add("implausible_perpetrator")
        level = max(0, min(GRADED[self.report.source.grade], *caps) - len(lost))
        return "violation", LADDER[level], codes | lost

    def inherited(self, party: str) -> set[str]:
        line = lineage(self.registry, party, self.start)
        return {act for p in line for act in self.registry.parties[p].cannot}


def holds(account: Account, at: int) -> bool:
    return account.start <= at < end_of(account)
