"""Logs: one JSON object a line on standard error, quiet by default, and never with a secret in it."""

import json
import logging
import re
from collections.abc import Mapping
from typing import Any, Final, TextIO

from schemas.instants import format_instant

#: Keys, feed and link tokens, webhook secrets, passwords in URLs: whatever a careless message might carry.
_SECRETS: Final = re.compile(
    r"\b(?:tw_|whsec_)[A-Za-z0-9_+/=-]{8,}|(?<=[?&]token=)[^&\s\"']+|(?<=/a/)[A-Za-z0-9_-]{40,}|"
    r"(?<=[Bb]earer )\S+|(?<=://)[^/@\s]+:[^/@\s]+(?=@)"
)
#: Libraries that log at INFO what our metrics count already.
_CHATTY: Final = ("httpx", "httpcore", "aiosmtplib", "apscheduler", "aiokafka", "kafka", "mail.log", "uvicorn")
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def redact(text: str) -> str:
    """``text`` with every secret that it shows replaced."""
    return _SECRETS.sub("[secret]", text)


class JsonLines(logging.Formatter):
    """``{"at", "level", "logger", "message", …}``; what ``extra`` gives stands beside them, ``error`` holds a trace."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": format_instant(int(record.created * 1_000_000)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(_redacted(line), ensure_ascii=False, default=str)


def _redacted(value: Any) -> Any:
    match value:
        case str():
            return redact(value)
        case Mapping():
            return {name: _redacted(item) for name, item in value.items()}
        case list() | tuple():
            return [_redacted(item) for item in value]
        case None | bool() | int() | float():
            return value
        case _:
            return redact(str(value))


def configure_logs(stream: TextIO, level: str = "INFO") -> None:
    """Have the whole process log to ``stream``. Raises ValueError for a level that is none.

    Our own loggers follow ``level``; libraries speak from WARNING on.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
