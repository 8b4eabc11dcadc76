"""One child process of ours: started, watched until it is ready, stopped, killed, paused, started again."""

import fcntl
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO, Final, Protocol, Self

import psutil

POLL_S: Final = 0.02
PORTS: Final = (20_000, 32_000)
_given_ports: Final[set[int]] = set()


class MissingPartError(RuntimeError):
    """A part is not on this machine; the message says why it is needed and how to install it."""

    def __init__(self, part: str, reason: str, install: str) -> None:
        super().__init__(f"{part} is missing: {reason}. Install it with: {install}")
        self.part, self.install = part, install


class PartFailedError(RuntimeError):
    """A part did not come up, or died; the message ends with the tail of its log."""


@contextmanager
def alone(what: str) -> Iterator[None]:
    """Of all processes of this account, one at a time does this."""
    with Path(tempfile.gettempdir(), f"trucewatch-{what}-{os.geteuid()}").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def free_port() -> int:
    """A TCP port that is free, and that no other call returns while this process runs, in any process of the tests.

    Below the ports that systems give to outgoing connections, so that none takes it while a part is restarted.
    """
    for port in range(*PORTS):
        if port not in _given_ports and _locked(port) and _bindable(port):
            _given_ports.add(port)
            return port
    raise PartFailedError(f"no port from {PORTS[0]} to {PORTS[1]} is free")


def _locked(port: int) -> bool:
    """Whether this process has the lock of a port now; it ends with the process, and no child inherits it."""
    try:
        fcntl.lockf(_port_locks(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


@cache
def _port_locks() -> IO[bytes]:
    """One file for all processes of this account: its byte number n is the lock of port n."""
    return Path(tempfile.gettempdir(), f"trucewatch-ports-{os.geteuid()}").open("ab")


def _bindable(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def listening(port: int) -> bool:
    """Whether something accepts connections on this port of loopback."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return True
    except OSError:
        return False


class Child(Protocol):
    """A process that was started, as ``subprocess.Popen`` shows it."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int) -> None: ...


@dataclass(slots=True)
class Process:
    """A command and, while it runs, its process. The same command, port and directories serve every restart.

    ``ready`` is asked until it says yes, for ``timeout_s`` seconds. ``stop_signal`` asks politely; who does not listen
    within ``grace_s`` is killed with all its children.
    """

    name: str
    command: Sequence[str]
    log: Path
    ready: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    user: str | int | None = None
    timeout_s: float = 180.0
    grace_s: float = 10.0
    stop_signal: signal.Signals = signal.SIGTERM
    child: Child | None = None
    standing_still: bool = False

    def start(self, *, wait: bool = True) -> Self:
        """Start it, and with ``wait`` return only once it is ready. Raises PartFailedError with its last words."""
        if self.running:
            raise RuntimeError(f"{self.name} is already running")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.touch()
        self.child = self._launch()
        if wait:
            self.wait_ready()
        return self

    def _launch(self) -> Child:
        """Run the command in a session of its own, its output added to the log."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                list(self.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.env},
                cwd=self.cwd,
                user=self.user,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        """Return once ``ready`` says yes. Raises PartFailedError when it died or the patience is over."""
        deadline = time.monotonic() + self.timeout_s
        while not self.ready():
            if not self.running:
                raise PartFailedError(f"{self.name} died while starting\n{self.tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise PartFailedError(f"{self.name} was not ready within {self.timeout_s} s\n{self.tail()}")
            time.sleep(POLL_S)

    @property
    def running(self) -> bool:
        return self.child is not None and self.child.poll() is None

    @property
    def pid(self) -> int:
        if self.child is None:
            raise RuntimeError(f"{self.name} was never started")
        return self.child.pid

    def stop(self) -> None:
        """Ask it to end, wait, and kill what is left. Nothing happens when it is not running."""
        if self.child is None or not self.running:
            return
        family = self._family()
        self.child.send_signal(signal.SIGCONT)
        self.child.send_signal(self.stop_signal)
        try:
            self.child.wait(self.grace_s)
        except subprocess.TimeoutExpired:
            self.kill()
        else:
            _kill(family)

    def kill(self) -> None:
        """kill -9, children included, without a chance to say goodbye."""
        if self.child is None or not self.running:
            return
        _kill(self._family())
        self.child.wait()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """SIGSTOP, and SIGCONT in the end: alive, connections open, no answers."""
        family, self.standing_still = self._family(), True
        for member in family:
            member.suspend()
        try:
            yield
        finally:
            self.standing_still = False
            for member in family:
                with suppress(psutil.NoSuchProcess):
                    member.resume()

    def memory(self) -> int:
        """Resident bytes, children included."""
        return sum(member.memory_info().rss for member in self._family())

    def cpu_s(self) -> float:
        """Processor seconds used so far, children included."""
        return sum(sum(member.cpu_times()[:2]) for member in self._family())

    def tail(self, size: int = 3000) -> str:
        """The end of its log."""
        return self.log.read_bytes()[-size:].decode("utf-8", "replace") if self.log.exists() else "(no log)"

    def __enter__(self) -> Self:
        return self if self.running else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _family(self) -> list[psutil.Process]:
        try:
            head = psutil.Process(self.pid)
            return [head, *head.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def _kill(family: Sequence[psutil.Process]) -> None:
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family, timeout=10)
