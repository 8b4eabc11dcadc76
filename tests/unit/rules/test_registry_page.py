"""The example of docs/registry.md is a registry, and holds every field that one can have."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from schemas import registry
from services.rules.registry.file import load_registry_file

PAGE: Final = Path(__file__).parents[3] / "docs" / "registry.md"


def example() -> str:
    [found] = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return str(found)


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def test_the_example_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "registry.yaml"
    file.write_text(example())
    document = load_registry_file(file).document
    assert [truce.id for truce in document.truces] == ["town-calm"]


def test_the_example_holds_every_field() -> None:
    structs = (
        registry.Document, registry.Party, registry.Presence, registry.Feature, registry.Place, registry.Truce,
        registry.Duty, registry.Announcement,
    )  # fmt: skip
    fields = {field.encode_name for struct in structs for field in msgspec.structs.fields(struct)}
    assert fields <= set(keys(yaml.safe_load(example())))
