"""When a truce is in force, as subscribers are told of it: its windows without the seams between them.

Source: judgement.md 13. Windows that abut or overlap are one period, whatever their areas; a gap between two is never
bridged.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from schemas.assessments import FoundWindow
from schemas.events import AnnouncementWords, TrucePeriod, TruceScheduled
from schemas.instants import format_instant
from schemas.registry import Announcement, Truce
from services.rules.judging.model import Account, CompiledRegistry, Window
from services.rules.registry.domain.segments import WindowSegment, WindowSegments


@dataclass(frozen=True, slots=True)
class _Said:
    """An account and the announcement that began its window."""

    account: Account
    window: str


def schedule_of(truce: Truce, registry: CompiledRegistry, recorded_at: int) -> TruceScheduled:
    """The periods of a truce of the registry, in order of time, with the words that they rest on."""
    compiled = registry.truces[truce.id]
    periods = tuple(_periods(truce, registry))
    named = {id for one in periods for id in (*one.window.announcements, one.begun_by, one.ended_by)}
    return TruceScheduled(
        truce=truce.id,
        version=registry.version,
        recorded_at=format_instant(recorded_at),
        names=dict(compiled.names),
        areas=tuple(dict.fromkeys((compiled.area, *(a.area for w in compiled.windows for a in w.accounts)))),
        timezone=registry.timezone,
        periods=periods,
        announcements=tuple(_words(said, registry) for said in truce.announcements if said.id in named),
    )


def _words(said: Announcement, registry: CompiledRegistry) -> AnnouncementWords:
    names = dict(registry.parties[said.issuer].names)
    return AnnouncementWords(said.id, said.action, said.issuer, names, said.announced_at, said.text or "")


def _periods(truce: Truce, registry: CompiledRegistry) -> Iterator[TrucePeriod]:
    compiled = registry.truces[truce.id]
    segments, order = WindowSegments(compiled, registry), {one.id: n for n, one in enumerate(truce.announcements)}
    for said in _without_gaps(compiled.windows):
        windows = tuple(dict.fromkeys(one.window for one in said))
        disputed = [
            segment
            for window in compiled.windows
            if window.accounts[0].announcement in windows
            for segment in segments.of(window)
            if segment.disputed
        ]
        yield _period(said, windows, disputed, order)


def _without_gaps(windows: Sequence[Window]) -> Iterator[list[_Said]]:
    """The accounts of each period, by their start. An account left with no time is in none."""
    said = [
        _Said(a, window.accounts[0].announcement) for window in windows for a in window.accounts if a.end != a.start
    ]
    group: list[_Said] = []
    for one in sorted(said, key=lambda one: one.account.start):
        end = _last_end(group)
        if group and end is not None and one.account.start > end:
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _last_end(said: Iterable[_Said]) -> int | None:
    ends = [one.account.end for one in said]
    return None if None in ends else max((end for end in ends if end is not None), default=None)


def _period(
    said: Sequence[_Said], windows: tuple[str, ...], disputed: Sequence[WindowSegment], order: dict[str, int]
) -> TrucePeriod:
    accounts, end = [one.account for one in said], _last_end(said)
    first, announcements = accounts[0], tuple(sorted((a.announcement for a in accounts), key=order.__getitem__))
    dispute = None
    if disputed:
        ends = [segment.end for segment in disputed]
        until = None if None in ends else max(end for end in ends if end is not None)
        earliest = min(disputed, key=lambda segment: segment.start)
        dispute = _window(earliest.start, until, True, earliest.area, announcements)
    return TrucePeriod(
        window=_window(first.start, end, dispute is not None, first.area, announcements),
        windows=windows,
        begun_by=first.announcement,
        ended_by=min((a.announcement for a in accounts if a.end == end), key=order.__getitem__),
        disputed=dispute,
        disputed_by=announcements[-1] if disputed else None,
    )


def _window(start: int, end: int | None, disputed: bool, area: str, announcements: tuple[str, ...]) -> FoundWindow:
    return FoundWindow(
        format_instant(start), None if end is None else format_instant(end), disputed, area, announcements
    )
