"""Connections leave room for the files that a process needs itself, whatever it may have open."""

import resource
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.platform.http.connections import EdgeLimits
from services.platform.process.open_files import LEAST, OWN, WANTED, backlog, edge_limits, raise_open_files
from services.platform.settings.config import Settings, SettingsError

SETTINGS = Settings(database_url="sqlite://", public_url="http://localhost")


@given(st.integers(LEAST, 2_000_000))
def test_connections_backlog_and_own_files_fit_into_the_limit(open_files: int) -> None:
    limits = edge_limits(SETTINGS, open_files)
    assert limits.connections + backlog(open_files) + OWN <= open_files
    assert limits.connections - limits.reserved >= 100


def test_more_connections_than_fit_are_refused_with_what_they_need() -> None:
    with pytest.raises(SettingsError, match="10000 need a limit of open files of 11664; it is 4096"):
        edge_limits(replace(SETTINGS, connections=10_000), 4096)


def test_settings_change_the_limits_of_the_edge() -> None:
    given = replace(SETTINGS, connections=200, connections_per_address=7, request_grace_s=20)
    limits = edge_limits(given, LEAST)
    assert (limits.connections, limits.per_address) == (200, 7)
    assert (limits.grace_s, limits.reader_grace_s) == (20, 60)
    assert limits.bytes_per_s == EdgeLimits().bytes_per_s


def in_a_process(soft: int, hard: int) -> str:
    """The output of a process that starts with these limits."""
    code = "from services.platform.process.open_files import raise_open_files as r; import resource as o\n"
    code += "try: print(r(), o.getrlimit(o.RLIMIT_NOFILE)[0])\nexcept ValueError as error: print(error)"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)),
    ).stdout.strip()  # fmt: skip


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    assert in_a_process(256, 5000) == "5000 5000"


def test_a_limit_that_is_too_low_is_one_sentence() -> None:
    assert in_a_process(256, 512) == "the limit of open files is 512; at least 1024 are needed (ulimit -n)"


def test_the_limit_is_never_lowered() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert raise_open_files() >= min(before, WANTED)
