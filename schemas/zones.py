"""Time zones by their IANA names, from the bundled ``tzdata`` package alone: two machines judge one day alike.

Every zone of the system comes from here; nothing else makes a ``ZoneInfo``.
"""

import zoneinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

# The machine's zone files may be older than the package, or changed by hand: they are never read.
zoneinfo.reset_tzpath(to=())
ZoneInfo.clear_cache()

#: Names in zone files that are no zones: the placeholder of an unset machine, and the machine's own zone.
_NO_ZONES: Final = frozenset({"Factory", "localtime", "posixrules"})


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Every name that :func:`find_zone` finds."""
    return frozenset(zoneinfo.available_timezones()) - _NO_ZONES


@lru_cache(maxsize=256)
def find_zone(name: str) -> ZoneInfo:
    """The IANA zone of that name. Raises ValueError where there is none."""
    if name not in zone_names():
        raise ValueError(f"no time zone is named {name!r}")
    return ZoneInfo(name)


UTC: Final = find_zone("UTC")
