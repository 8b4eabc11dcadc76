"""A machine without a part: its tests are skipped and told of, and in CI they fail."""

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import pytest
from tests.parts.process import MissingPartError

@pytest.fixture(scope="session")
def browser():
    raise MissingPartError("Chromium", "pages are looked at", "apt-get install chromium")

def test_one(browser): ...
def test_two(browser): ...
def test_broker(): raise MissingPartError("Maven (mvn)", "it fetches Kafka", "apt-get install maven")
def test_root(): raise MissingPartError("root", "containers need it", "sudo make test")
def test_other(): ...
"""


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makepyfile(TESTS)
    return pytester.runpytest_inprocess("-p", "tests.parts.missing", "-p", "no:cacheprovider", *options)


@pytest.mark.parametrize("options", [[], ["-n", "2"]])
def test_what_is_missing_is_skipped_and_told_with_the_one_command(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.delenv("CI", raising=False)
    done = run(pytester, *options)
    done.assert_outcomes(passed=1, skipped=4)
    assert done.ret == 0
    done.stdout.fnmatch_lines(
        [
            "*not tried on this machine*",
            "   2 tests: Chromium is missing",
            "   1 test: Maven (mvn) is missing",
            "   1 test: root is missing (sudo make test)",
            "To try them: sudo apt-get install -y chromium maven && make test",
        ]
    )


def test_in_ci_it_is_a_failure(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    run(pytester).assert_outcomes(passed=1, failed=2, errors=2)
