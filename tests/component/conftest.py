"""Fixtures of every test of a service on real storage."""

from collections.abc import Iterator

import pytest

from tests.statements import compiled_once


@pytest.fixture(scope="session", autouse=True)
def _statements() -> Iterator[None]:
    with compiled_once():
        yield
