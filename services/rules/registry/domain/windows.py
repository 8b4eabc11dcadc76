"""Windows follow from announcements. Source: judgement.md 13.

Every account is worked out as announced, whatever the order of the references; an ``end`` then cuts those given before
it, so that what a later ``extend`` starts from is the end so shortened.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from msgspec import UNSET

from schemas.local_time import add_duration
from schemas.registry import Truce
from services.rules.judging.model import Account, Window
from services.rules.registry.domain.announcements import AnnouncementStep, read_steps
from services.rules.registry.domain.document_reader import DocumentReader

_OPENERS = ("declare", "extend")
_ACCOUNTS = (*_OPENERS, "restate")
#: How many announcements may refer to each other in a chain, in any order.
_LONGEST_CHAIN = 100


@dataclass(frozen=True, slots=True)
class _Given:
    """An account: ``order`` is when it was given, ``window`` the id of the announcement that began it."""

    order: int
    window: str
    account: Account


def derive_windows(truce: Truce, pointer: str, reading: DocumentReader) -> tuple[Window, ...]:
    """The windows of a truce, by their start; faults go to ``reading``, and what they touch is left out."""
    before = reading.found
    announced = read_steps(truce, f"{pointer}/announcements", reading)
    return _Derivation(truce, reading, before, announced.in_effect, announced.withdrawn).windows()


class _Derivation:
    """``faults_before``: how many were found before the truce was read. ``withdrawn`` only decides which ends touch
    nothing since something was withdrawn."""

    def __init__(
        self,
        truce: Truce,
        reading: DocumentReader,
        faults_before: int,
        in_effect: Sequence[AnnouncementStep],
        withdrawn: Sequence[tuple[AnnouncementStep, int]] = (),
    ) -> None:
        self._truce, self._reading, self._faults_before = truce, reading, faults_before
        self._steps = {step.said.id: step for step in in_effect}
        self._withdrawn = withdrawn
        self._idle: set[str] = set()
        self._ends = [step for step in self._steps.values() if step.said.action == "end"]
        self._cuts = {step.said.id: self._cut(step) for step in self._ends}
        self._accounts: dict[str, _Given | None] = {}
        self._open: list[str] = []

    def windows(self) -> tuple[Window, ...]:
        in_effect = [given for step in self._steps.values() if (given := self._account(step)) is not None]
        for end in self._ends:
            in_effect = self._apply_end(end, in_effect)
        return _assemble(in_effect)

    def _conclude(self, pointer: str, detail: str) -> None:
        """A fault drawn from the other announcements: only said where all of them made sense."""
        if self._reading.found == self._faults_before:
            self._reading.fault(pointer, detail)

    # --- accounts as announced

    def _account(self, step: AnnouncementStep) -> _Given | None:
        """The account that a step gives, as announced; None where it gives none or makes no sense."""
        id = step.said.id
        if id not in self._accounts:
            if id in self._open or len(self._open) >= _LONGEST_CHAIN:
                self._reading.fault(step.pointer, "refers to itself in a circle, or through too many others")
                return None
            self._open.append(id)
            self._accounts[id] = self._read_account(step)
            self._open.pop()
        return self._accounts[id]

    def _read_account(self, step: AnnouncementStep) -> _Given | None:
        match step.said.action:
            case "declare":
                return self._read_opening(step, self._start(step))
            case "extend":
                return self._read_extension(step)
            case "restate":
                return self._read_restatement(step)
            case _:
                return None

    def _start(self, step: AnnouncementStep) -> int | None:
        return self._reading.instant(step.said.starts_at, f"{step.pointer}/starts_at")

    def _read_opening(self, step: AnnouncementStep, start: int | None) -> _Given | None:
        said = step.said
        return None if start is None else self._given(step, said.id, start, None, said.area or self._truce.area)

    def _read_extension(self, step: AnnouncementStep) -> _Given | None:
        said, start, latest = step.said, self._start(step), self._latest_opener(step)
        if said.extends is None and latest is None:
            if start is None:
                self._conclude(step.pointer, "there is nothing before it that it could extend")
            return self._read_opening(step, start)
        base = (
            self._referred(step, said.extends, "extends") if latest is None or said.extends else self._account(latest)
        )
        if base is None:
            return None
        shortened = self._shortened(base, step.order)
        end = shortened.end
        if end is None or end == shortened.start:
            why = "has an open end" if end is None else "was ended before it began"
            pointer = f"{step.pointer}/extends" if said.extends is not None else step.pointer
            self._reading.fault(pointer, f"{base.account.announcement!r} {why}: there is nothing to extend")
            return None
        return self._read_opening(step, end if start is None else start)

    def _read_restatement(self, step: AnnouncementStep) -> _Given | None:
        said = step.said
        base = self._referred(step, said.restates, "restates")
        if base is None:
            return None
        start = self._start(step)
        if start is None:
            start = base.account.start
        return self._given(step, base.window, start, base.account.end, said.area or base.account.area)

    def _given(
        self, step: AnnouncementStep, window: str, start: int, inherited: int | None, area: str
    ) -> _Given | None:
        said, reading, field, before = step.said, self._reading, "ends_at", self._reading.found
        end = inherited
        if said.duration is not None:
            field, text = "duration", said.duration
            end = reading.tried(f"{step.pointer}/duration", lambda: add_duration(start, text, reading.zone))
        elif said.ends_at is not UNSET:
            end = reading.instant(said.ends_at, f"{step.pointer}/ends_at")
        elif said.starts_at is not None:
            field = "starts_at"
        if reading.found > before:
            return None
        if end is not None and end <= start:
            reading.fault(f"{step.pointer}/{field}", "the end must be after the start")
            return None
        return _Given(step.order, window, Account(said.id, said.issuer, area, start, end))

    def _latest_opener(self, step: AnnouncementStep) -> AnnouncementStep | None:
        before = [s for s in self._steps.values() if s.said.action in _OPENERS and s.order < step.order]
        return max(before, key=lambda s: s.order, default=None)

    def _referred(self, step: AnnouncementStep, id: str | None, field: str) -> _Given | None:
        target = self._steps.get(id or "")
        if target is None:
            if all(id != one.id for one in self._truce.announcements):
                self._reading.fault(f"{step.pointer}/{field}", f"no announcement of this truce has the id {id!r}")
            return None
        if target.said.action not in _ACCOUNTS:
            self._reading.fault(f"{step.pointer}/{field}", f"{id!r} is a {target.said.action!r}, which gives no window")
            return None
        return self._account(target)

    # --- ends

    def _cut(self, end: AnnouncementStep) -> int:
        text = end.said.ends_at
        if text is UNSET or text is None:
            return end.at
        cut = self._reading.instant(text, f"{end.pointer}/ends_at")
        return end.at if cut is None else cut

    def _shortened(self, given: _Given, before: int) -> Account:
        """The account after the ends that its issuer announced since, up to the order ``before``."""
        account = given.account
        for end in self._ends:
            if end.said.issuer == account.issuer and given.order < end.order < before:
                account = _cut_account(account, self._cuts[end.said.id])
        return account

    def _apply_end(self, end: AnnouncementStep, in_effect: list[_Given]) -> list[_Given]:
        """The accounts after an end. One that neither cuts nor adds is a fault."""
        cut, issuer = self._cuts[end.said.id], end.said.issuer
        before = [g for g in in_effect if g.order < end.order]
        own = {g.window for g in before if g.account.issuer == issuer}
        in_force = {g.window for g in before if _holds(g.account, cut)} - own
        after = [
            replace(g, account=_cut_account(g.account, cut))
            if g.account.issuer == issuer and g.order < end.order
            else g
            for g in in_effect
        ]
        after += [self._ending(end, window, cut) for window in sorted(in_force)]
        if after == in_effect:
            self._idle.add(end.said.id)
            if not self._is_withdrawn_with_others(end):
                self._conclude(end.pointer, "it ends nothing: no window is in force then, and its issuer gave none")
        return after

    def _is_withdrawn_with_others(self, end: AnnouncementStep) -> bool:
        """Whether an end that touches nothing touched something before a later withdrawal."""
        return any(by > end.order for _, by in self._withdrawn) and end.said.id not in self._idle_before_withdrawals

    @cached_property
    def _idle_before_withdrawals(self) -> set[str]:
        """The ends that touched nothing even when no account was withdrawn. Derived once, whatever the ends."""
        back = [step for step, _ in self._withdrawn if step.said.action in _ACCOUNTS]
        steps = sorted([*self._steps.values(), *back], key=lambda step: step.order)
        before = _Derivation(self._truce, self._reading.fresh(), 0, steps)
        before.windows()
        return before._idle

    def _ending(self, end: AnnouncementStep, window: str, cut: int) -> _Given:
        first = self._accounts[window]
        assert first is not None
        account = Account(end.said.id, end.said.issuer, first.account.area, first.account.start, None)
        return _Given(end.order, window, _cut_account(account, cut))


def _holds(account: Account, instant: int) -> bool:
    return account.start <= instant and (account.end is None or instant < account.end)


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
