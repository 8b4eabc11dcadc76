"""Tests whose part is not on this machine: a failure in CI, else skipped, and told at the end.

A pytest plugin; ``tests/conftest.py`` names it.
"""

import os
from collections import defaultdict
from collections.abc import Generator
from typing import Final

import pytest

from tests.parts.process import MissingPartError

APT: Final = "apt-get install "
_COUNTS: Final = pytest.StashKey[dict[tuple[str, str], int]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_COUNTS] = defaultdict(int)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Skip what lacks a part, unless ``CI`` is set: there every part has to be."""
    report = yield
    error = None if call.excinfo is None else call.excinfo.value
    if isinstance(error, MissingPartError) and not os.environ.get("CI"):
        item.config.stash[_COUNTS][error.part, error.install] += 1
        path, line, _ = item.location
        report.outcome, report.longrepr = "skipped", (path, line or 0, str(error))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The parts that were missing, how many tests each would have let run, and the one command that brings them."""
    counts = config.stash[_COUNTS]
    if not counts:
        return
    terminalreporter.section("not tried on this machine")
    for (part, install), count in sorted(counts.items()):
        by_hand = "" if install.startswith(APT) else f" ({install})"
        terminalreporter.line(f"{count:4} {'test' if count == 1 else 'tests'}: {part} is missing{by_hand}")
    packages = sorted(
        {name for _, install in counts if install.startswith(APT) for name in install[len(APT) :].split()}
    )
    if packages:
        terminalreporter.line(f"To try them: sudo {APT}-y {' '.join(packages)} && make test")
