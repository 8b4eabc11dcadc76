"""The notices of truces that are due for one subscription, and the corrections of those that no longer hold.

A ledger says what was told, and of which window. Every type is entered, told or not, so that a notice which is asked
for later is not told of the past. A correction is told where what was said of now or of the future no longer holds.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec import structs

from services.notify.domain.lifecycle import SENT_TO, DeliveryState
from services.notify.domain.quiet import quiet_until
from services.notify.domain.subscription import Filter, NoticeType, Subscription, notices_of, told_before_end
from services.notify.domain.truce_schedule import KnownPeriod, PublishedSchedule, Span, find_period, is_wanted
from services.notify.kinds.kind import Job
from services.notify.kinds.truce_notice import make_notice


class ToldNotice(msgspec.Struct, frozen=True):
    """A notice of a type about the windows of a period. ``silent``: it was due and not sent, since it was not asked
    for, or lay in the past when it became known."""

    type: NoticeType
    span: Span
    windows: tuple[str, ...]
    silent: bool = False


class TruceLedger(msgspec.Struct, frozen=True):
    """Notices given of one truce, up to the instant ``at``, by the periods ``seen``. ``sequence`` numbers messages."""

    at: int
    seen: tuple[KnownPeriod, ...] = ()
    told: tuple[ToldNotice, ...] = ()
    sequence: int = 0


class NoticeLedger(msgspec.Struct, frozen=True):
    """The notices given to one subscription, by truce. ``since``: from when on it has asked with this filter."""

    since: int
    truces_wanted: tuple[str, ...] = ()
    areas_wanted: tuple[str, ...] = ()
    truces: dict[str, TruceLedger] = {}


@dataclass(frozen=True, slots=True)
class TruceNotice:
    """One notice. ``before``: the window as it was told, in a correction, or as it was before an extension;
    ``window`` None: there is no such window any longer."""

    type: NoticeType
    window: Span | None
    before: Span | None
    announcement: str | None


@dataclass(frozen=True, slots=True)
class DecidedNotices:
    """The ledger after the decision, the messages, and when to decide again, None for not before a change."""

    subscription: str
    ledger: NoticeLedger | None
    jobs: Sequence[Job] = ()
    next_due: int | None = None
    state: DeliveryState = "pending"


def decide_notices(
    subscription: Subscription, ledger: NoticeLedger | None, schedules: Iterable[PublishedSchedule], now: int
) -> DecidedNotices:
    """All notices that are due for a subscription. Quiet hours put the decision off: what still holds then is told."""
    draft = subscription.draft
    asked, ahead = notices_of(draft), told_before_end(draft)
    until = quiet_until(draft.quiet_hours, now) if draft.quiet_hours and ledger is not None else None
    if until is not None:
        return DecidedNotices(subscription.id, ledger, next_due=until)
    ledger = _follow_filter(ledger, draft.filter, now)
    truces, jobs, dues = dict[str, TruceLedger](), list[Job](), list[int]()
    for schedule in schedules:
        if not is_wanted(schedule, draft.filter):
            continue
        known = ledger.truces.get(schedule.truce)
        if known is None and schedule.known_since <= ledger.since:
            # The subscription is younger than the truce: what has happened is not told, only an end that is near.
            known, told = TruceLedger(now, schedule.periods), asked & {"truce.ends_in"}
        else:
            known, told = known or TruceLedger(schedule.known_since), asked
        begun, notices = decide_truce(known, schedule, told, ahead, now)
        jobs += [
            make_notice(subscription, schedule, notice.type, notice.window, notice.before, notice.announcement, n, now)
            for n, notice in enumerate(notices, begun.sequence)
        ]
        truces[schedule.truce] = structs.replace(begun, sequence=begun.sequence + len(notices))
        dues += _moments(schedule.periods, ahead, now)
    state: DeliveryState = "pending" if subscription.state in SENT_TO else "held"
    after = structs.replace(ledger, truces=truces)
    return DecidedNotices(subscription.id, after, jobs, min(dues, default=None), state)


def _follow_filter(ledger: NoticeLedger | None, wanted: Filter, now: int) -> NoticeLedger:
    """A filter that was changed asks from now on."""
    if ledger is None or (ledger.truces_wanted, ledger.areas_wanted) != (wanted.truces, wanted.areas):
        return NoticeLedger(now, wanted.truces, wanted.areas, {} if ledger is None else ledger.truces)
    return ledger


def _moments(periods: Iterable[KnownPeriod], ahead: int | None, now: int) -> Iterator[int]:
    """When a notice of these periods will be due."""
    for period in periods:
        span = period.span
        moments = [span.start] if span.end is None else [span.start, span.end]
        if span.end is not None and ahead is not None:
            moments.append(_told_ahead(span.start, span.end, ahead))
        yield from (moment for moment in moments if moment > now)


def _told_ahead(start: int, end: int, ahead: int) -> int:
    return max(start, end - ahead)


def decide_truce(
    ledger: TruceLedger, schedule: PublishedSchedule, asked: frozenset[NoticeType], ahead: int | None, now: int
) -> tuple[TruceLedger, list[TruceNotice]]:
    """The record of one truce after this decision, and its notices, corrections first. ``ahead``: how long
    before an end it is told."""
    one = _TruceDecision(ledger, schedule, asked, ahead, now)
    one.extend()
    one.correct()
    one.tell()
    return TruceLedger(now, schedule.periods, tuple(one.told), ledger.sequence), one.notices


@dataclass(slots=True)
class _TruceDecision:
    ledger: TruceLedger
    schedule: PublishedSchedule
    asked: frozenset[NoticeType]
    ahead: int | None
    now: int
    notices: list[TruceNotice] = field(default_factory=list)
    told: list[ToldNotice] = field(default_factory=list)
    #: Windows of periods that were found to be extended.
    extended: set[str] = field(default_factory=set)

    # --- extensions

    def extend(self) -> None:
        for period in self.schedule.periods:
            before = find_period(period.windows, self.ledger.seen)
            before = before or self._extended_after_a_gap(period)
            if before is None or not _is_later(period.span.end, before.span.end):
                continue
            self.extended.update(period.windows)
            self._enter("truce.extended", period, period.span, before.span, period.ended_by)

    def _extended_after_a_gap(self, period: KnownPeriod) -> KnownPeriod | None:
        """The last period known before a new one that an extension began; None for any other."""
        said = self.schedule.announcements.get(period.windows[0])
        if said is None or said.action != "extend":
            return None
        return next((one for one in reversed(self.ledger.seen) if one.span.is_over(period.span.start)), None)

    # --- corrections

    def correct(self) -> None:
        for told in self.ledger.told:
            is_start = told.type == "truce.begins"
            self._correct(told, find_period(told.windows, self.schedule.periods, first=is_start))

    def _correct(self, told: ToldNotice, period: KnownPeriod | None) -> None:
        match told.type:
            case "truce.begins":
                self._correct_start(told, period)
            case "truce.disputed":
                self._correct_dispute(told, period)
            case "truce.extended":
                if period is None or not self.extended.intersection(period.windows):
                    self._correct_end(told, period)
            case _:
                self._correct_end(told, period)

    def _correct_start(self, told: ToldNotice, period: KnownPeriod | None) -> None:
        if period is None:
            if not told.span.is_over(self.now):
                self._say_again(told, None, None)
            return
        if self._is_entered("truce.begins", period):
            return
        if period.span.start != told.span.start:
            if not (told.span.is_over(self.now) and period.span.is_over(self.now)):
                self._say_again(told, period.span, period.begun_by)
            if period.span.start > self.now:
                return
        self._keep(told, period, period.span)

    def _correct_end(self, told: ToldNotice, period: KnownPeriod | None) -> None:
        if period is None:
            if not told.span.is_over(self.now):
                self._say_again(told, None, None)
            return
        if period.span.end == told.span.end:
            self._keep(told, period, told.span)
            return
        is_over = period.span.is_over(self.now)
        if not (told.span.is_over(self.now) and is_over) and not self._is_told_otherwise(period, is_over=is_over):
            self._say_again(told, period.span, period.ended_by)
        is_known = told.type == "truce.extended" or (told.type == "truce.lapsed" and is_over)
        if is_known or self._is_told_again(told, period):
            self._keep(told, period, period.span)

    def _is_told_otherwise(self, period: KnownPeriod, *, is_over: bool) -> bool:
        """Whether an extension, or the lapse that follows, says where the window ends now."""
        if self.extended.intersection(period.windows):
            return "truce.extended" in self.asked
        return is_over and "truce.lapsed" in self.asked

    def _is_told_again(self, told: ToldNotice, period: KnownPeriod) -> bool:
        """Whether a correction said what the notice of the new end would say now."""
        end = period.span.end
        if told.type != "truce.ends_in" or told.silent or end is None or self.ahead is None:
            return False
        return _told_ahead(period.span.start, end, self.ahead) <= self.now < end

    def _correct_dispute(self, told: ToldNotice, period: KnownPeriod | None) -> None:
        dispute = None if period is None else period.dispute
        if period is not None and dispute is not None and _times(dispute) == _times(told.span):
            self._keep(told, period, told.span)
            return
        now_told = dispute or (None if period is None else period.span)
        if not told.span.is_over(self.now) or (now_told is not None and not now_told.is_over(self.now)):
            self._say_again(told, now_told, None if period is None else period.disputed_by)
        if period is not None and dispute is not None:
            self._keep(told, period, dispute)

    def _say_again(self, told: ToldNotice, window: Span | None, announcement: str | None) -> None:
        if not told.silent and told.type in self.asked:
            self.notices.append(TruceNotice(told.type, window, told.span, announcement))

    def _keep(self, told: ToldNotice, period: KnownPeriod, span: Span) -> None:
        self.told.append(ToldNotice(told.type, span, period.windows, told.silent))

    # --- what is due

    def tell(self) -> None:
        for period in self.schedule.periods:
            span = period.span
            if span.start <= self.now:
                self._enter("truce.begins", period, span, None, period.begun_by)
            if period.dispute is not None:
                self._enter("truce.disputed", period, period.dispute, None, period.disputed_by)
            if span.end is None:
                continue
            if self.ahead is not None and _told_ahead(span.start, span.end, self.ahead) <= self.now < span.end:
                self._enter("truce.ends_in", period, span, None, period.ended_by)
            if span.end <= self.now:
                self._enter("truce.lapsed", period, span, None, period.ended_by)

    def _enter(
        self, type: NoticeType, period: KnownPeriod, span: Span, before: Span | None, announcement: str | None
    ) -> None:
        """Tell it, or only note it, unless it was."""
        if type != "truce.extended" and self._is_entered(type, period):
            return
        is_told = type in self.asked and self._is_news(type, period, span)
        if is_told:
            self.notices.append(TruceNotice(type, span, before, announcement))
        self.told.append(ToldNotice(type, span, period.windows, silent=not is_told))

    def _is_entered(self, type: NoticeType, period: KnownPeriod) -> bool:
        return any(one.type == type and not set(one.windows).isdisjoint(period.windows) for one in self.told)

    def _is_news(self, type: NoticeType, period: KnownPeriod, span: Span) -> bool:
        """Whether it changes what its reader takes to hold now or later."""
        if type != "truce.lapsed":
            return not period.span.is_over(self.now)
        known = find_period(period.windows, self.ledger.seen)
        return known is not None and not known.span.is_over(self.ledger.at)


def _is_later(one: int | None, other: int | None) -> bool:
    return other is not None and (one is None or one > other)


def _times(span: Span) -> tuple[int, int | None]:
    return span.start, span.end
