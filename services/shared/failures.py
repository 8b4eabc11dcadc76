"""The three kinds of failure. Whoever catches one knows what to do from its type alone."""


class RetryLaterError(Exception):
    """The world is not ready (a database or broker is away): try the same thing again, with a pause."""


class NeverRetryError(Exception):
    """The thing itself is wrong: trying again gives the same answer. It goes to the dead letters, with the reason."""


class SlowDownError(Exception):
    """The other side asks for patience. ``seconds`` is how long it asks for."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"asked to wait {seconds} s")
        self.seconds = seconds
