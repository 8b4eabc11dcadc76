"""Prometheus Alertmanager, the peer that the alert path is measured beside."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.parts.process import MissingPartError, Process, free_port, listening


def executable() -> str:
    """Where Alertmanager is. Raises MissingPartError."""
    for name in ("prometheus-alertmanager", "alertmanager"):
        found = shutil.which(name)
        if found is not None:
            return found
    raise MissingPartError("Alertmanager", "benchmarks measure beside it", "apt-get install prometheus-alertmanager")


@dataclass(slots=True)
class Alertmanager:
    """One Alertmanager without a cluster. ``config`` is the YAML of its configuration file."""

    directory: Path
    config: str
    port: int = field(default_factory=free_port)
    process: Process = field(init=False)

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        file = self.directory / "alertmanager.yml"
        file.write_text(self.config)
        storage = f"--storage.path={self.directory / 'data'}"
        listen = [f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address="]
        self.process = Process(
            "alertmanager",
            [executable(), f"--config.file={file}", storage, *listen],
            self.directory / "alertmanager.log",
            ready=lambda: listening(self.port),
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()
