"""Limits of real time on a machine that is busy with other work too."""

import time
from typing import Final

SAMPLE_S: Final = 0.05


def slowness() -> float:
    """How much longer computing takes now than it would alone on a processor: 1 on an idle machine."""
    began, used = time.monotonic(), time.thread_time()
    while time.thread_time() - used < SAMPLE_S:
        pass
    return max(1.0, (time.monotonic() - began) / SAMPLE_S)


def exceeds(seconds: float, limit_s: float) -> bool:
    """Whether something took longer than the limit, which a machine as busy as this one now raises in proportion."""
    return seconds > limit_s and seconds > limit_s * slowness()
