"""``python -m tests.parts.jumping_clock FILE COMMAND…``: trucewatch under a clock that a test may set.

FILE holds by how many seconds the process's clock is off; it may be written at any time. Nothing of the product knows
of it: the one clock that all of it reads is replaced before it starts.
"""

import sys
from pathlib import Path

from schemas.instants import SECOND
from services.__main__ import main
from services.platform.clock import SystemClock


def install(file: Path) -> None:
    """From now on, the system's clock is off by what ``file`` says."""

    right = SystemClock.now

    def now(clock: SystemClock) -> int:
        return right(clock) + int(file.read_text()) * SECOND

    setattr(SystemClock, "now", now)  # noqa: B010 - a method may not be assigned to


def jump(file: Path, seconds: int) -> None:
    """Set the clock off by so much, at once and as a whole."""
    fresh = file.with_suffix(".new")
    fresh.write_text(str(seconds))
    fresh.replace(file)


if __name__ == "__main__":
    install(Path(sys.argv[1]))
    sys.argv = ["trucewatch", *sys.argv[2:]]
    main()
