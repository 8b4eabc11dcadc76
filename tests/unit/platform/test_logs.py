"""Logs are JSON lines, and no secret gets into them."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from services.platform.process.logs import configure_logs, redact


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    lines = io.StringIO()
    configure_logs(lines)
    yield lines
    root.handlers[:] = handlers
    root.setLevel(level)


def last(stream: io.StringIO) -> Any:
    return json.loads(stream.getvalue().splitlines()[-1])


def test_one_object_a_line_with_what_extra_gives(stream: io.StringIO) -> None:
    logging.getLogger("services.x").info("took %d", 3, extra={"incident": "abc"})
    line = last(stream)
    assert (line["level"], line["logger"], line["message"], line["incident"]) == ("info", "services.x", "took 3", "abc")
    assert line["at"].endswith("Z")


def test_an_exception_is_in_the_line(stream: io.StringIO) -> None:
    try:
        raise ValueError("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    except ValueError:
        logging.getLogger("services.x").exception("failed")
    assert "ValueError" in last(stream)["error"]
    assert "MfKQ9r8" not in stream.getvalue()


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("key tw_abcDEF123456789-_x is new", "abcDEF"),
        ("secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ"),
        ("GET /v1/confirm?token=abcdef&x=1", "abcdef"),
        (f"GET /a/{'lTok-en_' * 16}/json", "lTok"),
        ("Authorization: Bearer s3cr3t-thing", "s3cr3t"),
        ("postgresql+psycopg://me:hunter2@db/x", "hunter2"),
    ],
)
def test_secrets_are_struck_out(text: str, secret: str, stream: io.StringIO) -> None:
    assert secret not in redact(text)
    logging.getLogger("services.x").warning("%s", text, extra={"detail": {"inner": [text]}})
    assert secret not in stream.getvalue()


def test_libraries_are_quiet(stream: io.StringIO) -> None:
    logging.getLogger("httpx").info("HTTP Request")
    assert stream.getvalue() == ""
