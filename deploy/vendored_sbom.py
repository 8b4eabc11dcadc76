"""Adds what the desk carries of others (``services/console/vendor/vendor.toml``) to a CycloneDX document, in place."""

import base64
import json
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import quote

VENDOR = Path(__file__).resolve().parents[1] / "services" / "console" / "vendor"
BASE = {
    "type": "data",
    "bom-ref": "world.pmtiles",
    "name": "services/console/base/world.pmtiles",
    "description": "Land and borders of Natural Earth (public domain), made of the npm package world-atlas 2.0.2",
    "licenses": [{"license": {"id": "ISC"}}],
    "externalReferences": [{"type": "distribution", "url": "https://www.npmjs.com/package/world-atlas/v/2.0.2"}],
}


def describe(package: dict[str, Any]) -> dict[str, Any]:
    """The component of one package of npm."""
    name, version = package["name"], package["version"]
    purl = f"pkg:npm/{quote(name, safe='/')}@{version}"
    digest = base64.b64decode(package["integrity"].removeprefix("sha512-")).hex()
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "scope": "required",
        "licenses": [{"license": {"id": package["licence"]}}],
        # Of the package as npm publishes it; the files are hashed one by one in vendor.toml.
        "externalReferences": [
            {
                "type": "distribution",
                "url": f"https://www.npmjs.com/package/{name}/v/{version}",
                "hashes": [{"alg": "SHA-512", "content": digest}],
            }
        ],
        "properties": [{"name": "trucewatch:files", "value": ", ".join(package["files"])}],
    }


def add_vendored(document: dict[str, Any]) -> None:
    """Every vendored part becomes a component that the root depends on."""
    packages = tomllib.loads((VENDOR / "vendor.toml").read_text())["package"]
    parts = [*map(describe, packages), BASE]
    document.setdefault("components", []).extend(parts)
    root = document["metadata"]["component"]["bom-ref"]
    links = document.setdefault("dependencies", [])
    links += [{"ref": part["bom-ref"]} for part in parts]
    own = next((one for one in links if one["ref"] == root), None)
    if own is None:
        links.append(own := {"ref": root})
    own["dependsOn"] = sorted({*own.get("dependsOn", ()), *(part["bom-ref"] for part in parts)})


def main() -> None:
    path = Path(sys.argv[1])
    document = json.loads(path.read_text())
    add_vendored(document)
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
