"""Answers in JSON."""

from typing import Any, Final

import msgspec
from starlette.responses import Response

JSON_TYPE: Final = "application/json"
_encode = msgspec.json.Encoder().encode


def reply(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer, encoded once and not validated again."""
    return Response(_encode(value), status, headers, JSON_TYPE)
