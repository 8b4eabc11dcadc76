"""The bill of materials names what the desk carries of others, beside what is installed."""

import json
import tomllib
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deploy.vendored_sbom import VENDOR, add_vendored


def test_every_vendored_part_is_a_component_that_the_whole_depends_on() -> None:
    document: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "trucewatch", "bom-ref": "root"}},
        "dependencies": [{"ref": "root", "dependsOn": ["other"]}, {"ref": "other"}],
    }
    document["components"] = [{"type": "library", "name": "other", "bom-ref": "other"}]
    add_vendored(document)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document)) is None
    packages = tomllib.loads((VENDOR / "vendor.toml").read_text())["package"]
    told = {(one["name"], one.get("version")) for one in document["components"]}
    assert told >= {(package["name"], package["version"]) for package in packages}
    assert {one["bom-ref"] for one in document["components"]} == set(document["dependencies"][0]["dependsOn"])
