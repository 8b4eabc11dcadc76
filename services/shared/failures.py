"""The kinds of failure. Whoever catches one knows what to do from its type alone.

The third kind, slow down, is only ever said by a receiver of ours: notify reads it from the answer.
"""


class RetryLaterError(Exception):
    """The world is not ready (a database or broker is away): try the same thing again, with a pause."""


class NeverRetryError(Exception):
    """The thing itself is wrong: trying again gives the same answer. It goes to the dead letters, with the reason."""
