"""The windows of each truce that a change of the registry touches, before and after it."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.rules.judging.model import CompiledRegistry, CompiledTruce, Window
from services.rules.registry.domain.segments import WindowSegment, WindowSegments

SegmentedWindow = tuple[Window, tuple[WindowSegment, ...]]


@dataclass(frozen=True, slots=True)
class WindowsOfChange:
    """The windows of one truce, each with its segments, by their start; none where the truce is not there."""

    truce: str
    before: tuple[SegmentedWindow, ...]
    after: tuple[SegmentedWindow, ...]


def windows_of_change(before: CompiledRegistry, after: CompiledRegistry) -> list[WindowsOfChange]:
    """One entry for each truce that differs, or that names an area whose shape differs; by id."""
    areas = {id for id in before.areas.keys() | after.areas.keys() if before.areas.get(id) != after.areas.get(id)}
    return [
        WindowsOfChange(id, segment_windows(before, id), segment_windows(after, id))
        for id in sorted(before.truces.keys() | after.truces.keys())
        if before.truces.get(id) != after.truces.get(id)
        or not areas.isdisjoint(_areas_of((before.truces[id], after.truces[id])))
    ]


def segment_windows(registry: CompiledRegistry, truce_id: str) -> tuple[SegmentedWindow, ...]:
    """Every window of a truce with its segments; none where there is no such truce."""
    truce = registry.truces.get(truce_id)
    if truce is None:
        return ()
    segments = WindowSegments(truce, registry)
    return tuple((window, segments.of(window)) for window in truce.windows)


def _areas_of(truces: Iterable[CompiledTruce]) -> set[str]:
    return {account.area for truce in truces for window in truce.windows for account in window.accounts}
