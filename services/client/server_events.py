"""Server-sent events (HTML Living Standard, 9.2), from bytes as they arrive."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event. ``id`` is what ``Last-Event-ID`` resumes after."""

    id: str
    type: str
    data: str


class EventParser:
    """The events of one connection. ``last_id`` is also that of an event without data, ``retry_s`` the pause before
    the next connection, as the server has said, seconds."""

    def __init__(self, last_id: str, retry_s: float) -> None:
        self.last_id, self.retry_s = last_id, retry_s
        self._rest = b""
        self._type, self._data = "", list[str]()

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """The events that ``chunk`` ends. Split at \\r\\n, \\n and \\r alone: a sentence may hold other line breaks."""
        text = self._rest + chunk
        # A \r at the end may be half of \r\n: it waits for what follows.
        held = text[-1:] if text.endswith(b"\r") else b""
        *lines, last = text[: len(text) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = last + held
        return [event for line in lines if (event := self._line(line.decode("utf-8", "replace"))) is not None]

    def _line(self, line: str) -> ServerEvent | None:
        if not line:
            return self._end()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._type = value
        elif name == "id" and "\0" not in value:
            self.last_id = value
        elif name == "retry" and value.isascii() and value.isdigit() and len(value) < 10:
            self.retry_s = int(value) / 1000
        return None

    def _end(self) -> ServerEvent | None:
        type, data = self._type or "message", self._data
        self._type, self._data = "", []
        return ServerEvent(self.last_id, type, "\n".join(data)) if data else None
