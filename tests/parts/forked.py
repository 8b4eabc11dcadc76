"""A run of ``python -m services``, forked from a process that has imported it: without the seconds of importing."""

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Final

#: Everything that a start imports, and what each would read for itself.
IMPORTED: Final = ["services.__main__", "services.start", "tests.parts.warm"]


class Forked:
    """A run of ``python -m module arguments``, in a session of its own, its output added to the file ``log``; with
    the methods of ``subprocess.Popen`` that parts use."""

    def __init__(self, module: str, arguments: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path) -> None:
        # Daemonic: one that a test left behind ends with the tests.
        self._process = _server().Process(
            target=_run, args=(module, list(arguments), dict(env), str(cwd), str(log)), daemon=True
        )
        self._process.start()

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code. Raises subprocess.TimeoutExpired after ``timeout`` seconds."""
        self._process.join(timeout)
        if (code := self._process.exitcode) is None:
            raise subprocess.TimeoutExpired(str(self._process.name), timeout or 0)
        return code

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)


@cache
def _server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    return context


def _run(module: str, arguments: list[str], env: dict[str, str], cwd: str, log: str) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    os.chdir(cwd)
    for path, flags, descriptors in ((os.devnull, os.O_RDONLY, (0,)), (log, os.O_WRONLY | os.O_APPEND, (1, 2))):
        opened = os.open(path, flags)
        for descriptor in descriptors:
            os.dup2(opened, descriptor)
        os.close(opened)
    sys.argv[1:] = arguments
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()
