"""Run the unit tests on the oldest Python that is supported and on the one that the images ship.

``python -m tests.parts.pythons``, or ``make test-pythons``. The Python that runs this is passed over: ``make test`` is
its. One that is not on this machine is fetched by uv; where that fails it is named, and in CI that is a failure.
"""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
UV: Final = str(Path(sys.executable).parent / "uv")
#: Debian trixie's, on which deploy/Dockerfile builds.
IMAGE: Final = "3.13"


def oldest() -> str:
    """The oldest Python that pyproject.toml allows, such as "3.11"."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return str(project["requires-python"]).removeprefix(">=")


def main() -> int:
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    missing = []
    for version in sorted({oldest(), IMAGE} - {running}):
        environment = _make_environment(version)
        if environment is None:
            missing.append(version)
        elif code := _run([str(environment / "bin" / "python"), "-m", "pytest", "-q", "-n", "2", "tests/unit"]):
            return code
    for version in missing:
        print(f"not tried: Python {version} is missing; uv python install {version} brings it", file=sys.stderr)
    return 1 if missing and os.environ.get("CI") else 0


def _make_environment(version: str) -> Path | None:
    """One of this version that has what the locks say; None where there is no such Python."""
    directory = ROOT / ".parts" / f"python-{version}"
    made = any(
        _run([UV, "venv", "-q", "--clear", "--python", one, str(directory)]) == 0 for one in _candidates(version)
    )
    if not made:
        return None
    into = [UV, "pip", "install", "-q", "--python", str(directory)]
    locks = ["-r", "requirements.lock", "-r", "requirements-dev.lock"]
    subprocess.run([*into, "--require-hashes", *locks], cwd=ROOT, check=True)
    subprocess.run([*into, "--no-deps", "-e", "."], cwd=ROOT, check=True)
    return directory


def _candidates(version: str) -> Iterator[str]:
    """Those of pyenv first: its commands on the PATH fail for a version that is not selected."""
    yield from (str(path) for path in Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    yield version


def _run(command: list[str]) -> int:
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
