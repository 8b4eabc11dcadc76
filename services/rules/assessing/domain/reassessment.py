"""A reassessment as it is kept and shown, and what may be done to it. Source: the contract, "Registry (rules)"."""

from typing import Final, Literal

import msgspec

from schemas.causes import Cause

State = Literal["running", "done", "stopped"]
Command = Literal["stop", "resume"]
STATES: Final[tuple[State, ...]] = ("running", "done", "stopped")

_NEXT: Final[dict[tuple[State, Command], State]] = {
    ("running", "stop"): "stopped",
    ("stopped", "stop"): "stopped",
    ("stopped", "resume"): "running",
    ("running", "resume"): "running",
}


class CommandRefusedError(Exception):
    """The reassessment is done: there is nothing to stop or to resume."""


class Reassessment(msgspec.Struct, frozen=True):
    """The judging again of what one change of the registry can touch. Times in microseconds, UTC.

    ``candidates`` are the incidents found so far; ``done`` those judged again; ``changed`` those of them that got a new
    assessment; ``flips`` those whose verdict changed.
    """

    id: str
    registry_version: int
    cause: Cause
    state: State
    candidates: int
    done: int
    changed: int
    flips: int
    started_at: int
    ended_at: int | None


def next_state(state: State, command: Command) -> State:
    """Raises CommandRefusedError."""
    new = _NEXT.get((state, command))
    if new is None:
        raise CommandRefusedError
    return new
