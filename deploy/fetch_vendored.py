"""Fetches what the desk carries of others: packages of npm, each checked by its integrity; single files are kept.

To update one, change its version in ``vendor.toml``, run this with ``--accept``, and read what changed; its licence
belongs into ``NOTICE``, word for word.
"""

import base64
import hashlib
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
VENDOR = ROOT / "services" / "console" / "vendor"
NOTICE = " ".join((ROOT / "NOTICE").read_text().split())


def fetch(package: dict[str, Any], accept: bool) -> list[str]:
    """Write the files of one package. Returns what differs from what is pinned, for ``vendor.toml``."""
    with tempfile.TemporaryDirectory() as folder:
        named = f"{package['name']}@{package['version']}"
        subprocess.run(["npm", "pack", "--silent", "--pack-destination", folder, named], check=True, stdout=sys.stderr)  # noqa: S603, S607
        (packed,) = Path(folder).glob("*.tgz")
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
        found = [f'{named}: integrity = "{integrity}"'] if integrity != package["integrity"] else []
        with tarfile.open(packed) as archive:
            found += [f"{named}: NOTICE has not its licence"] * (_licence(archive) not in NOTICE)
            for name, pinned in package["files"].items():
                member = archive.extractfile(f"package/{name}")
                assert member is not None, name
                content = member.read()
                digest = hashlib.sha256(content).hexdigest()
                if digest != pinned:
                    found.append(f'{named}: "{name}" = "{digest}"')
                if accept or (digest == pinned and integrity == package["integrity"]):
                    (VENDOR / Path(name).name).write_bytes(content)
    return found


def _licence(archive: tarfile.TarFile) -> str:
    """The text, with single spaces."""
    (name,) = (name for name in archive.getnames() if name.removesuffix(".txt") == "package/LICENSE")
    file = archive.extractfile(name)
    assert file is not None
    return " ".join(file.read().decode().split())


def main() -> int:
    accept = "--accept" in sys.argv[1:]
    packages = tomllib.loads((VENDOR / "vendor.toml").read_text())["package"]
    found = [line for package in packages for line in fetch(package, accept)]
    sys.stdout.write("".join(f"{line}\n" for line in found))
    return 1 if found and not accept else 0


if __name__ == "__main__":
    sys.exit(main())
