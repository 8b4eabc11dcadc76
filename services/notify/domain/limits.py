"""How much one owner may have, so that one subscriber cannot hurt another. Source: the contract, "Limits per owner"."""

from dataclasses import dataclass


class LimitReachedError(Exception):
    """The owner has as much of something as one may have; the text says of what, and what to do."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one owner: subscriptions, those that are not proved yet, silences that have not ended, streams in one process.
    Operators are bound by the last only."""

    subscriptions: int = 200
    unproved: int = 20
    silences: int = 50
    streams: int = 10
