"""An extension that leaves its area out, and so holds in less ground than what it extends. Source: judgement.md 13."""

from schemas.local_time import read_moment
from schemas.registry import Announcement, Truce
from schemas.zones import find_zone
from services.rules.judging.model import Account, CompiledRegistry
from services.rules.registry.domain.segments import coverage_in


def wider_before(said: Announcement, truce: Truce, registry: CompiledRegistry) -> list[Account]:
    """The accounts of the window that ``said`` extends whose area goes beyond the truce's, in which ``said`` holds
    since it names none. ``registry`` is the one with ``said`` in ``truce``."""
    if said.action != "extend" or said.area is not None:
        return []
    covers = coverage_in(registry)
    return [account for account in _extended(said, truce, registry) if not covers(truce.area, account.area)]


def _extended(said: Announcement, truce: Truce, registry: CompiledRegistry) -> tuple[Account, ...]:
    """The accounts of the window that ``said`` names, or of the one that was begun last before it."""
    zone = find_zone(registry.timezone)
    order = {one.id: (read_moment(one.announced_at, zone), n) for n, one in enumerate(truce.announcements)}
    windows = [window.accounts for window in registry.truces[truce.id].windows]
    if said.extends is not None:
        return next((w for w in windows if said.extends in {account.announcement for account in w}), ())
    before = [w for w in windows if order[w[0].announcement] < order[said.id]]
    return max(before, key=lambda w: order[w[0].announcement], default=())
