"""Containers on podman, on a machine that has no Docker engine and cannot pull images.

The one base image that our Dockerfile names is made here by debootstrap: the same Debian, from the same packages.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from tests.parts.process import MissingPartError, PartFailedError

ROOT: Final = Path(__file__).resolve().parents[2]
BASE: Final = "docker.io/library/debian:trixie-slim"
SUITE: Final = "trixie"
MIRROR: Final = "http://deb.debian.org/debian"
#: Certificates that this machine trusts beyond Debian's own list, such as a proxy's; so does an image made here.
LOCAL_TRUST: Final = Path("/usr/local/share/ca-certificates")

NEEDED: Final = {
    "podman": "podman",
    "runc": "runc",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "iptables": "iptables",
}
INSTALL: Final = "apt-get install podman runc buildah netavark aardvark-dns iptables debootstrap"

CONTAINERS_CONF: Final = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=10000:10000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


def require() -> None:
    """Raises MissingPartError naming what is not installed."""
    lacking = [package for command, package in NEEDED.items() if shutil.which(command) is None]
    if lacking:
        raise MissingPartError(", ".join(lacking), "the compose file is really run", INSTALL)
    if os.geteuid() != 0:
        raise MissingPartError("root", "debootstrap and this podman set-up need it", "sudo make test")


@dataclass(slots=True)
class Podman:
    """Podman with settings of its own, which work without systemd and under tight limits."""

    directory: Path
    env: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        require()
        self.directory.mkdir(parents=True, exist_ok=True)
        conf = self.directory / "containers.conf"
        conf.write_text(CONTAINERS_CONF)
        ours = {"CONTAINERS_CONF": str(conf), "BUILDAH_ISOLATION": "chroot", "BUILDAH_FORMAT": "docker"}
        self.env = {**os.environ, **ours}

    def run(self, *arguments: str, timeout_s: float = 120) -> str:
        """The output of ``podman …``. Raises PartFailedError with its complaint."""
        return said(["podman", *arguments], self.env, timeout_s=timeout_s)

    def base_image(self) -> None:
        """See that the base image is there, under the name that the Dockerfile uses."""
        if subprocess.run(["podman", "image", "exists", BASE], env=self.env, check=False).returncode == 0:
            return
        with tempfile.TemporaryDirectory(prefix="base-image-") as scratch:
            root = Path(scratch, "root")
            said(["debootstrap", "--variant=minbase", SUITE, str(root), MIRROR], self.env, timeout_s=600)
            for what in ("var/cache/apt/archives", "var/lib/apt/lists"):
                shutil.rmtree(root / what)
                (root / what / "partial").mkdir(parents=True)
            if LOCAL_TRUST.is_dir():
                shutil.copytree(LOCAL_TRUST, root / LOCAL_TRUST.relative_to("/"), dirs_exist_ok=True)
            said(["sh", "-c", f"tar -C {root} -c . | podman import --quiet - {BASE}"], self.env, timeout_s=300)


@dataclass(slots=True)
class Composition:
    """Our compose file as a project of its own, with settings of its own; down and without a trace at the end."""

    podman: Podman
    project: str
    settings: Mapping[str, str]
    names: Sequence[str] = ("kafka", "postgres", "ingest", "rules", "notify", "mail", "gateway")

    def compose(self, *arguments: str, timeout_s: float = 900) -> str:
        """The output of ``podman-compose …``. Raises PartFailedError."""
        env_file = self.podman.directory / "compose.env"
        env_file.write_text("".join(f"{name}={value}\n" for name, value in self.settings.items()))
        tool = [str(Path(sys.executable).parent / "podman-compose"), "--in-pod", "false", "--env-file", str(env_file)]
        where = ["-f", str(ROOT / "docker-compose.yml"), "-p", self.project]
        return said([*tool, *where, *arguments], self.podman.env, timeout_s=timeout_s)

    def container(self, name: str) -> str:
        return f"{self.project}_{name}_1"

    def restart(self) -> None:
        """Stop every container, then start them all; volumes and networks stay."""
        containers = [self.container(name) for name in self.names]
        self.podman.run("stop", "--time", "10", *containers)
        self.podman.run("start", *containers)

    def wait_healthy(self, within_s: float) -> None:
        """Return once the health check of each container has passed. Raises PartFailedError with the logs of those
        that did not.

        The checks are run from here: podman's own timers are systemd's, which this machine may lack.
        """
        deadline = time.monotonic() + within_s
        waiting = list(self.names)
        while waiting:
            if time.monotonic() > deadline:
                logs = "\n".join(f"--- {name}\n{self.logs(name)}" for name in waiting)
                raise PartFailedError(f"not healthy within {within_s} s: {waiting}\n{logs}")
            waiting = [name for name in waiting if not self.healthy(name)]
            time.sleep(0.5)

    def healthy(self, name: str) -> bool:
        command = ["podman", "healthcheck", "run", self.container(name)]
        return subprocess.run(command, env=self.podman.env, capture_output=True, check=False).returncode == 0

    def logs(self, name: str, lines: int = 40) -> str:
        """The end of what a container printed, errors included."""
        command = ["podman", "logs", "--tail", str(lines), self.container(name)]
        done = subprocess.run(command, env=self.podman.env, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def user(self, name: str) -> str:
        """The user id that a container runs as."""
        return self.podman.run("exec", self.container(name), "id", "-u").strip()

    def __enter__(self) -> Self:
        self.podman.base_image()
        try:
            # Services that share an image name it each, so that Docker builds it; once is enough here.
            self.compose("build", "kafka", "postgres", "ingest", "gateway")
            self.compose("up", "--detach", "--no-build")
        except PartFailedError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.compose("down", "--volumes", "--timeout", "5")


def said(command: Sequence[str], env: Mapping[str, str], *, timeout_s: float) -> str:
    """The output of a command. Raises PartFailedError when it fails or takes too long."""
    try:
        done = subprocess.run(
            list(command),
            env=dict(env),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PartFailedError(f"{' '.join(command)} took more than {timeout_s} s") from error
    if done.returncode != 0:
        raise PartFailedError(f"{' '.join(command)} failed\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done.stdout
