"""How many files a process may have open, and how many of those may be connections."""

import resource
from contextlib import suppress
from dataclasses import replace
from typing import Final

from services.platform.http.connections import EdgeLimits
from services.platform.settings.config import Settings, SettingsError

#: More is never asked for: closing what a child process inherits takes time for each.
WANTED: Final = 65_536
#: macOS says that there is no limit and takes no more than this.
WANTED_WHERE_REFUSED: Final = 10_240
LEAST: Final = 1024
#: Database, log, endpoints that are sent to, mail, files of its own.
OWN: Final = 640
#: Connections that the kernel holds until the loop comes round; all of them are taken in at once then.
BACKLOG: Final = 1024


def raise_open_files() -> int:
    """Raise the soft limit of open files to the hard one. Returns what may be open now.

    Raises SettingsError where that is too little to work with.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (WANTED, WANTED_WHERE_REFUSED):
        target = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if soft != resource.RLIM_INFINITY and soft < target:
            with suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
                soft = target
    allowed = WANTED if soft == resource.RLIM_INFINITY else soft
    if allowed < LEAST:
        raise SettingsError(f"the limit of open files is {allowed}; at least {LEAST} are needed (ulimit -n)")
    return allowed


def backlog(open_files: int) -> int:
    """How many connections may wait to be taken in."""
    return min(BACKLOG, open_files // 8)


def most_connections(open_files: int) -> int:
    """How many connections may be open, beside the files that the process needs itself."""
    return open_files - OWN - backlog(open_files)


def edge_limits(settings: Settings, open_files: int) -> EdgeLimits:
    """The limits of a process that may have so many files open. Raises SettingsError for more than fit."""
    most = most_connections(open_files)
    if settings.connections is not None and settings.connections > most:
        raise SettingsError(
            f"TRUCEWATCH_CONNECTIONS: {settings.connections} need a limit of open files of"
            f" {settings.connections + OWN + BACKLOG}; it is {open_files} (ulimit -n)"
        )
    limits = EdgeLimits(trusted=settings.trusted_proxies)
    grace_s = settings.request_grace_s or limits.grace_s
    return replace(
        limits,
        connections=settings.connections or min(limits.connections, most),
        per_address=settings.connections_per_address or limits.per_address,
        grace_s=grace_s,
        reader_grace_s=limits.reader_grace_s / limits.grace_s * grace_s,
    )
