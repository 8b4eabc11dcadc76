"""One endpoint's queue: its window of attempts at once, its breaker, and revisions that go one after the other."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from schemas.instants import SECOND
from services.notify.domain.delivery import Judgement
from services.notify.kinds.kind import Job

#: Attempts at once: of a lane that nothing is known of, and of the most prompt.
FIRST_WINDOW: Final = 4
WIDEST: Final = 64
#: An attempt that takes longer is slow, seconds.
SLOW_S: Final = 1.0
#: Failures in a row that open the breaker, and how long it rests the lane, seconds: doubling, up to the longest.
BREAKS_AFTER: Final = 5
FIRST_REST_S: Final = 30
LONGEST_REST_S: Final = 600


@dataclass(slots=True)
class Lane:
    """One endpoint's queue and how it fares. ``busy``: alerts with a message under way, and what waits behind it."""

    name: str
    owner: str = ""
    queue: deque[Job] = field(default_factory=deque)
    busy: dict[str, list[Job]] = field(default_factory=dict)
    in_flight: int = 0
    slow: int = 0
    window: int = FIRST_WINDOW
    failures: int = 0
    rest_s: int = 0
    rests_until: int = 0
    is_ready: bool = False
    has_more: bool = False

    def may_start(self, now: int) -> bool:
        window = 1 if self.rest_s else self.window
        return bool(self.queue) and self.in_flight < window and not self.slow and self.rests_until <= now

    def next_job(self) -> Job | None:
        """The oldest job whose alert has nothing under way; what has is set aside behind it."""
        while self.queue:
            job = self.queue.popleft()
            if job.alert is None:
                return job
            behind = self.busy.get(job.alert)
            if behind is None:
                self.busy[job.alert] = []
                return job
            behind.append(job)
        return None

    def learn(self, judgement: Judgement, latency: int, now: int) -> None:
        """Widen or narrow the window; open or close the breaker."""
        if judgement.meaning in ("delivered", "rejected"):
            self.forgive()
            if latency < SLOW_S * SECOND:
                self.window = min(self.window + 1, WIDEST)
            return
        self.failures += 1
        self.window = max(self.window // 2, 1)
        if self.failures >= BREAKS_AFTER and self.rests_until <= now:
            self.rest_s = min(self.rest_s * 2 or FIRST_REST_S, LONGEST_REST_S)
            self.rests_until = now + self.rest_s * SECOND

    def forgive(self) -> None:
        """Close the breaker."""
        self.failures = self.rest_s = self.rests_until = 0

    @property
    def size(self) -> int:
        return len(self.queue) + self.in_flight

    @property
    def is_idle(self) -> bool:
        return not (self.queue or self.in_flight or self.busy or self.failures or self.has_more)
