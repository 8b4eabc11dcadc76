"""Windows follow from announcements. Source: rules.md 13.

Announcements take effect in the order in which they were announced, ties in the document's. Every account is worked
out as announced; an ``end`` then cuts, so that what a later ``extend`` starts from is the end so shortened.
"""

from dataclasses import dataclass, replace

from msgspec import UNSET

from schemas.local_time import add_duration
from schemas.registry import Announcement, Truce
from services.rules.domain.model import Account, Window
from services.rules.domain.reading import Reading

_OPENERS = ("declare", "extend")
_ACCOUNTS = (*_OPENERS, "restate")
#: Which fields an action takes, beyond those that every announcement has.
_FIELDS = {
    "declare": {"starts_at", "ends_at", "duration", "area"},
    "extend": {"starts_at", "ends_at", "duration", "area", "extends"},
    "restate": {"starts_at", "ends_at", "duration", "area", "restates"},
    "end": {"ends_at"},
    "withdraw": {"withdraws"},
}


@dataclass(frozen=True, slots=True)
class _Step:
    """An announcement with its place in the order of announcing."""

    order: int
    at: int
    said: Announcement
    pointer: str


@dataclass(frozen=True, slots=True)
class _Given:
    """An account as announced: ``order`` is when it was given, ``window`` the id of the announcement that began it."""

    order: int
    window: str
    account: Account


def derive_windows(truce: Truce, pointer: str, reading: Reading) -> tuple[Window, ...]:
    """The windows of a truce, by their start; faults go to ``reading``, and what they touch is left out."""
    return _Derivation(truce, pointer, reading).windows()


class _Derivation:
    def __init__(self, truce: Truce, pointer: str, reading: Reading) -> None:
        self._truce, self._reading, self._faults_before = truce, reading, len(reading.faults)
        steps = [step for step in self._steps(f"{pointer}/announcements") if self._well_formed(step)]
        everything = {step.said.id: step for step in steps}
        withdrawn = _withdrawn(everything, {one.id for one in truce.announcements}, reading)
        self._steps_by_id = {id: step for id, step in everything.items() if id not in withdrawn}
        self._ends = [step for step in self._steps_by_id.values() if step.said.action == "end"]
        self._cuts = {step.said.id: self._cut(step) for step in self._ends}
        self._accounts: dict[str, _Given | None] = {}
        self._open: set[str] = set()

    def windows(self) -> tuple[Window, ...]:
        given = [g for step in self._steps_by_id.values() if (g := self._account(step)) is not None]
        for end in self._ends:
            given += self._apply_end(end, given)
        return _assemble([replace(g, account=self._shortened(g, None)) for g in given])

    # --- in order, and in form

    def _steps(self, pointer: str) -> list[_Step]:
        reading, said = self._reading, self._truce.announcements
        reading.unique([one.id for one in said], pointer)
        timed = [
            (at, n)
            for n, one in enumerate(said)
            if (at := reading.instant(one.announced_at, f"{pointer}/{n}/announced_at")) is not None
        ]
        return [_Step(order, at, said[n], f"{pointer}/{n}") for order, (at, n) in enumerate(sorted(timed))]

    def _well_formed(self, step: _Step) -> bool:
        said, reading, before = step.said, self._reading, len(self._reading.faults)
        reading.party(said.issuer, f"{step.pointer}/issuer")
        if said.area is not None:
            reading.area(said.area, f"{step.pointer}/area")
        for field in _given_fields(said) - _FIELDS[said.action]:
            reading.fault(f"{step.pointer}/{field}", f"has no meaning in {said.action!r}")
        for field in _missing_fields(said):
            reading.fault(f"{step.pointer}/{field}", f"is required in {said.action!r}")
        if said.ends_at is not UNSET and said.duration is not None:
            reading.fault(f"{step.pointer}/duration", "is one too many beside ends_at")
        if said.action == "end" and said.ends_at is None:
            reading.fault(f"{step.pointer}/ends_at", "an end needs an instant")
        return len(reading.faults) == before

    def _conclude(self, pointer: str, detail: str) -> None:
        """A fault drawn from the other announcements: only said where all of them made sense."""
        if len(self._reading.faults) == self._faults_before:
            self._reading.fault(pointer, detail)

    # --- accounts as announced

    def _account(self, step: _Step) -> _Given | None:
        """The account that a step gives, as announced; None where it gives none or makes no sense."""
        id = step.said.id
        if step.said.action not in _ACCOUNTS:
            return None
        if id not in self._accounts:
            if id in self._open:
                self._reading.fault(step.pointer, "refers to itself, directly or in a circle")
                return None
            self._open.add(id)
            self._accounts[id] = self._read_account(step)
        return self._accounts[id]

    def _read_account(self, step: _Step) -> _Given | None:
        said = step.said
        if said.action == "restate":
            return self._read_restatement(step)
        start = self._reading.instant(said.starts_at, f"{step.pointer}/starts_at")
        if said.action == "extend":
            base, found = self._extended(step)
            if not found:
                return None
            if said.starts_at is None and base is not None:
                start = base
        if start is None:
            return None
        return self._given(step, said.id, start, None, said.area or self._truce.area)

    def _read_restatement(self, step: _Step) -> _Given | None:
        said = step.said
        base = self._referred(step, said.restates, "restates")
        if base is None:
            return None
        start = self._reading.instant(said.starts_at, f"{step.pointer}/starts_at")
        if start is None:
            if said.starts_at is not None:
                return None
            start = base.account.start
        return self._given(step, base.window, start, base.account.end, said.area or base.account.area)

    def _given(self, step: _Step, window: str, start: int, inherited: int | None, area: str) -> _Given | None:
        said, reading, field, before = step.said, self._reading, "ends_at", len(self._reading.faults)
        end = inherited
        if said.duration is not None:
            field, text = "duration", said.duration
            end = reading.tried(f"{step.pointer}/duration", lambda: add_duration(start, text, reading.zone))
        elif said.ends_at is not UNSET:
            end = reading.instant(said.ends_at, f"{step.pointer}/ends_at")
        elif said.starts_at is not None:
            field = "starts_at"
        if len(reading.faults) > before:
            return None
        if end is not None and end <= start:
            reading.fault(f"{step.pointer}/{field}", "the end must be after the start")
            return None
        return _Given(step.order, window, Account(said.id, said.issuer, area, start, end))

    def _extended(self, step: _Step) -> tuple[int | None, bool]:
        """The end that an extension starts from, as it stood when announced; False where it cannot extend."""
        said = step.said
        if said.extends is not None:
            base = self._referred(step, said.extends, "extends")
            if base is None:
                return None, False
        else:
            latest = self._latest_opener(step)
            if latest is None:
                if said.starts_at is None:
                    self._conclude(step.pointer, "there is nothing before it that it could extend")
                return None, said.starts_at is not None
            base = self._account(latest)
            if base is None:
                return None, False
        end = self._shortened(base, step.order).end
        if end is None:
            pointer = f"{step.pointer}/extends" if said.extends is not None else step.pointer
            self._reading.fault(pointer, f"{base.account.announcement!r} has an open end: there is nothing to extend")
        return end, end is not None

    def _latest_opener(self, step: _Step) -> _Step | None:
        before = [s for s in self._steps_by_id.values() if s.said.action in _OPENERS and s.order < step.order]
        return max(before, key=lambda s: s.order, default=None)

    def _referred(self, step: _Step, id: str | None, field: str) -> _Given | None:
        target = self._steps_by_id.get(id or "")
        if target is None:
            if all(id != one.id for one in self._truce.announcements):
                self._reading.fault(f"{step.pointer}/{field}", f"no announcement of this truce has the id {id!r}")
            return None
        if target.said.action not in _ACCOUNTS:
            self._reading.fault(f"{step.pointer}/{field}", f"{id!r} is a {target.said.action!r}, which gives no window")
            return None
        return self._account(target)

    # --- ends

    def _cut(self, end: _Step) -> int:
        text = end.said.ends_at
        if text is UNSET or text is None:
            return end.at
        cut = self._reading.instant(text, f"{end.pointer}/ends_at")
        return end.at if cut is None else cut

    def _shortened(self, given: _Given, before: int | None) -> Account:
        """The account after the ends that its issuer announced since, up to the order ``before``."""
        account = given.account
        for end in self._ends:
            if end.said.issuer == account.issuer and given.order < end.order and (before is None or end.order < before):
                account = _cut_account(account, self._cuts[end.said.id])
        return account

    def _apply_end(self, end: _Step, given: list[_Given]) -> list[_Given]:
        """The accounts that an end adds. An end that neither cuts nor adds is a fault."""
        cut, issuer = self._cuts[end.said.id], end.said.issuer
        before = [g for g in given if g.order < end.order]
        standing = [(g, self._shortened(g, end.order)) for g in before]
        own = {g.window for g in before if g.account.issuer == issuer}
        touched = any(a.issuer == issuer and _cut_account(a, cut) != a for _, a in standing)
        in_force = {g.window for g, a in standing if a.start <= cut and (a.end is None or cut < a.end)} - own
        added = [self._ending(end, window, cut) for window in sorted(in_force)]
        if not touched and not added:
            self._conclude(end.pointer, "it ends nothing: no window is in force then, and its issuer gave none")
        return added

    def _ending(self, end: _Step, window: str, cut: int) -> _Given:
        first = self._accounts[window]
        assert first is not None
        account = Account(end.said.id, end.said.issuer, first.account.area, first.account.start, None)
        return _Given(end.order, window, _cut_account(account, cut))


def _cut_account(account: Account, cut: int) -> Account:
    """An account not begun at the cut is left with no time: it starts and ends at once."""
    if account.end is not None and account.end <= cut:
        return account
    return replace(account, end=max(account.start, cut))


def _assemble(given: list[_Given]) -> tuple[Window, ...]:
    """Accounts gathered by window, the one that began it first; a window that nobody gives any time is none."""
    accounts: dict[str, list[Account]] = {}
    for one in sorted(given, key=lambda g: (g.account.announcement != g.window, g.order)):
        accounts.setdefault(one.window, []).append(one.account)
    windows = [Window(tuple(group)) for group in accounts.values() if any(a.end != a.start for a in group)]
    return tuple(sorted(windows, key=lambda w: w.accounts[0].start))


def _given_fields(said: Announcement) -> set[str]:
    optional = ("starts_at", "duration", "area", "restates", "extends", "withdraws")
    given = {name for name in optional if getattr(said, name) is not None}
    return given | ({"ends_at"} if said.ends_at is not UNSET else set())


def _missing_fields(said: Announcement) -> list[str]:
    needed = {"declare": "starts_at", "restate": "restates", "withdraw": "withdraws"}.get(said.action)
    return [needed] if needed is not None and getattr(said, needed) is None else []


def _withdrawn(steps: dict[str, _Step], ids: set[str], reading: Reading) -> set[str]:
    """What is as if never made: what a standing withdrawal names, and what restates or by name extends that."""
    gone: set[str] = set()
    for step in sorted(steps.values(), key=lambda s: -s.order):
        target = step.said.withdraws
        if target is None or step.said.id in gone:
            continue
        if target not in ids:
            reading.fault(f"{step.pointer}/withdraws", f"no announcement of this truce has the id {target!r}")
        elif target in steps and steps[target].said.action == "withdraw" and steps[target].order >= step.order:
            reading.fault(f"{step.pointer}/withdraws", "a withdrawal can only be taken back by a later one")
        else:
            gone |= _dependent(target, steps)
    return gone


def _dependent(target: str, steps: dict[str, _Step]) -> set[str]:
    found, fresh = {target}, [target]
    while fresh:
        one = fresh.pop()
        more = {id for id, s in steps.items() if one in (s.said.restates, s.said.extends)} - found
        found |= more
        fresh += more
    return found
