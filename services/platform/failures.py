"""The kinds of failure: the type alone says what to do.

The third kind, slow down, only comes from receivers of webhooks and mail: notify reads it from the answer.
"""


class RetryLaterError(Exception):
    """The world is not ready (a database or broker is away): try the same thing again, with a pause."""


class NeverRetryError(Exception):
    """The thing itself is wrong: trying again gives the same answer. It goes to the dead letters, with the reason."""
