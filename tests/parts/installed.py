"""The wheel, built and installed in a virtual environment of its own, without the network.

What it depends on is linked file by file from the environment of the tests: what its metadata does not ask for is not
there.
"""

import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import Distribution, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

from tests.parts.process import MissingPartError

ROOT: Final = Path(__file__).resolve().parents[2]


def build_wheel(directory: Path, project: Path = ROOT) -> Path:
    """The wheel of a project of this repository as it is now. Raises MissingPartError."""
    if find_spec("hatchling") is None:
        raise MissingPartError("Hatchling", "it builds the wheel", "make setup-dev")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    (made,) = directory.glob("*.whl")
    return made


@dataclass(frozen=True, slots=True)
class Installed:
    """A virtual environment in ``directory`` that has the wheel, with ``extras``, and nothing else."""

    directory: Path
    wheel: Path
    extras: Sequence[str] = ()
    site: Path = field(init=False)

    def __post_init__(self) -> None:
        venv.create(self.directory, symlinks=True)
        (site,) = (self.directory / "lib").glob("python*/site-packages")
        object.__setattr__(self, "site", site)
        with zipfile.ZipFile(self.wheel) as archive:
            (name,) = {path.split("/")[0] for path in archive.namelist() if ".dist-info/" in path}
            text = archive.read(f"{name}/METADATA").decode()
        asked = [line.partition(": ")[2] for line in text.splitlines() if line.startswith("Requires-Dist: ")]
        for needed in _closure(asked, self.extras).values():
            _link(needed, site)
        pip = [sys.executable, "-m", "pip", "--python", str(self.directory), "--disable-pip-version-check"]
        subprocess.run(
            [*pip, "install", "-q", "--no-deps", "--no-index", str(self.wheel)], check=True, capture_output=True
        )

    def run(self, *command: str, env: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        """A command of the environment, outside of the clone, with no more than ``env`` in its own."""
        path = self.directory / "bin" / command[0]
        return subprocess.run(
            [str(path), *command[1:]],
            cwd=self.directory,
            env=dict(env or {}),
            capture_output=True,
            text=True,
            check=False,
        )


def _closure(requirements: Sequence[str], extras: Sequence[str]) -> dict[str, Distribution]:
    """The distributions that ``requirements`` lead to, by name."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [(Requirement(text), frozenset(extras)) for text in requirements]
    while waiting:
        requirement, wanted = waiting.pop()
        if not _applies(requirement, wanted) or (requirement.name, frozenset(requirement.extras)) in seen:
            continue
        seen.add((requirement.name, frozenset(requirement.extras)))
        found[requirement.name] = distribution(requirement.name)
        waiting += [
            (Requirement(text), frozenset(requirement.extras)) for text in found[requirement.name].requires or ()
        ]
    return found


def _applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def _link(needed: Distribution, site: Path) -> None:
    for file in needed.files or ():
        if ".." in file.parts or "__pycache__" in file.parts:
            continue
        source, target = Path(os.path.abspath(str(needed.locate_file(file)))), site / file
        target.parent.mkdir(parents=True, exist_ok=True)
        # Modules that were compiled already are not compiled again.
        for path, link in ((source, target), (source.parent / "__pycache__", target.parent / "__pycache__")):
            if path.exists() and not link.exists():
                link.symlink_to(path)
