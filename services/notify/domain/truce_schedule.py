"""When a truce is in force, as notify knows it. Instants in microseconds UTC; intervals are half-open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from schemas.assessments import FoundWindow
from schemas.causes import Cause
from schemas.events import AnnouncementWords, TruceScheduled
from schemas.instants import format_instant, parse_instant
from schemas.vocabulary import Language
from services.notify.domain.subscription import Filter


class Span(msgspec.Struct, frozen=True):
    """A window as it is told: ``end`` None is open; ``disputed`` in all of it or in a part."""

    start: int
    end: int | None
    disputed: bool
    area: str
    announcements: tuple[str, ...]

    def is_over(self, now: int) -> bool:
        return self.end is not None and self.end <= now

    def holds(self, now: int) -> bool:
        return self.start <= now and not self.is_over(now)


class KnownPeriod(msgspec.Struct, frozen=True):
    """A stretch without gaps: see :class:`schemas.events.TrucePeriod`. ``windows`` know it again after a change."""

    span: Span
    windows: tuple[str, ...]
    begun_by: str
    ended_by: str
    dispute: Span | None = None
    disputed_by: str | None = None


@dataclass(frozen=True, slots=True)
class PublishedSchedule:
    """The periods of a truce in order of time. ``known_since``: when notify first heard of the truce."""

    truce: str
    version: int
    known_since: int
    names: Mapping[Language, str]
    areas: tuple[str, ...]
    timezone: str
    periods: tuple[KnownPeriod, ...]
    announcements: Mapping[str, AnnouncementWords]
    cause: Cause


def read_schedule(event: TruceScheduled, known_since: int) -> PublishedSchedule:
    periods = tuple(
        KnownPeriod(
            _read_span(one.window),
            one.windows,
            one.begun_by,
            one.ended_by,
            None if one.disputed is None else _read_span(one.disputed),
            one.disputed_by,
        )
        for one in event.periods
    )
    words = {one.id: one for one in event.announcements}
    return PublishedSchedule(
        event.truce, event.version, known_since, event.names, event.areas, event.timezone, periods, words, event.cause
    )


def _read_span(window: FoundWindow) -> Span:
    end = None if window.end is None else parse_instant(window.end)
    return Span(parse_instant(window.start), end, window.disputed, window.area, window.announcements)


def write_span(span: Span | None) -> FoundWindow | None:
    """The window as it is published."""
    if span is None:
        return None
    end = None if span.end is None else format_instant(span.end)
    return FoundWindow(format_instant(span.start), end, span.disputed, span.area, span.announcements)


def is_wanted(schedule: PublishedSchedule, wanted: Filter) -> bool:
    """Whether a filter lets notices of a truce pass: by its truces and its areas."""
    if wanted.truces and schedule.truce not in wanted.truces:
        return False
    return not wanted.areas or not set(wanted.areas).isdisjoint(schedule.areas)


def find_period(windows: Sequence[str], periods: Sequence[KnownPeriod], *, first: bool = False) -> KnownPeriod | None:
    """The last of the periods that has one of these windows, or the first."""
    wanted = set(windows)
    return next((one for one in (periods if first else reversed(periods)) if not wanted.isdisjoint(one.windows)), None)
