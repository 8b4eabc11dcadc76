"""One process of ours, as an operator starts it: ``trucewatch ingest``, ``rules``, ``notify`` or ``serve``."""

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.parts.forked import Forked
from tests.parts.process import Child, Process, free_port

ROOT: Final = Path(__file__).resolve().parents[2]
MODULE: Final = "services"


def answers(url: str) -> bool:
    """Whether a GET of ``url`` is a 2xx now."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(200 <= response.status < 300)
    except (urllib.error.URLError, OSError):
        return False


class Service(Process):
    """A service on a port of its own; ``name`` may differ from ``command[0]`` when there are several of one kind."""

    def __init__(
        self, name: str, command: Sequence[str], directory: Path, env: Mapping[str, str], port: int | None = None
    ) -> None:
        self.port = port if port is not None else free_port()
        super().__init__(
            name=name,
            command=[sys.executable, "-m", MODULE, *command, "--port", str(self.port)],
            log=directory / f"{name}.log",
            ready=lambda: answers(f"{self.url}/readyz"),
            env=env,
            cwd=ROOT,
        )

    def _launch(self) -> Child:
        """Forked from a process that has imported everything: importing takes longer than all else of a start."""
        return Forked(MODULE, self.command[3:], {**os.environ, **self.env}, ROOT, self.log)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"
