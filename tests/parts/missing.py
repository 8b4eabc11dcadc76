"""Tests whose part is not on this machine: a failure in CI, else skipped, and told at the end.

A pytest plugin; ``tests/conftest.py`` names it.
"""

import os
from collections import Counter
from collections.abc import Generator
from typing import Final

import pytest

from tests.parts.process import MissingPartError

APT: Final = "apt-get install "
_MISSING: Final = "missing part"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Skip what lacks a part, unless ``CI`` is set: there every part has to be."""
    report = yield
    error = None if call.excinfo is None else call.excinfo.value
    if isinstance(error, MissingPartError) and not os.environ.get("CI"):
        # Part of the report, which comes from the worker where tests run side by side.
        report.user_properties.append((_MISSING, (error.part, error.install)))
        path, line, _ = item.location
        report.outcome, report.longrepr = "skipped", (path, line or 0, str(error))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The parts that were missing, how many tests each would have let run, and the one command that brings them."""
    reports = terminalreporter.stats.get("skipped", ())
    counts = Counter(tuple(part) for report in reports for name, part in report.user_properties if name == _MISSING)
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
