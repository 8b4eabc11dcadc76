"""Statements compiled once for all databases of the tests of a process: SQLAlchemy keeps them by engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from sqlalchemy.engine import Engine
from sqlalchemy.util import LRUCache

from services.platform.db import connecting, engine
from services.platform.db.timeouts import AnswerTimeouts

_STATEMENTS: Final[Any] = LRUCache(2_000)
_first: Final[dict[str, Engine]] = {}


@contextmanager
def compiled_once() -> Iterator[None]:
    """Engines of one kind share what they compiled, and the dialect that it is kept under."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "make_engine", _make_engine)
        yield


def _make_engine(url: str, timeouts: AnswerTimeouts, *, writer: bool) -> Engine:
    made = connecting.make_engine(url, timeouts, writer=writer)
    made.dialect = _first.setdefault(made.dialect.name, made).dialect
    made.update_execution_options(compiled_cache=_STATEMENTS)
    return made
