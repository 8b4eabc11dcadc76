"""A registry document in files: YAML or JSON, with ``areas_file`` and ``places_file`` beside it.

Faults name the file and the line. The result is the document as HTTP wants it: one JSON text with
everything inside.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.registry import Document
from services.rules.judging.model import CompiledRegistry
from services.rules.registry.domain.document import compile_document
from services.rules.registry.domain.faults import DocumentFault, InvalidRegistryError
from services.rules.registry.wire import read_document
from services.rules.registry.yaml_json import (
    MAX_BYTES,
    Format,
    UnreadableTextError,
    find_lines,
    line_of,
    read_text,
)
from services.rules.registry.yaml_writer import OneLine, write_yaml

#: The field of a file, not of the document, that has the registry's version.
VERSION_FIELD: Final = "registry_version"
_JSON_SUFFIXES: Final = frozenset({".json", ".geojson"})
#: The parts of the document that may lie in a file of their own.
_PARTS: Final = {"areas_file": "areas", "places_file": "places"}


@dataclass(frozen=True, slots=True)
class FileFault:
    """One fault, where an editor can find it. ``line`` counts from 1."""

    file: Path
    line: int | None
    pointer: str
    detail: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else str(self.file)
        return f"{place}: {self.pointer + ': ' if self.pointer else ''}{self.detail}"


class RegistryFileError(ValueError):
    """The file cannot be used. ``faults`` is never empty."""

    def __init__(self, faults: Iterable[FileFault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


@dataclass(frozen=True, slots=True)
class RegistryFile:
    """``data`` is the whole document as JSON, fit for ``PUT /v1/registry``. ``version`` is the registry's when the
    file was got from a server; None in a file that names none."""

    data: bytes
    document: Document
    registry: CompiledRegistry
    version: int | None = None


@dataclass(frozen=True, slots=True)
class _Source:
    """One file; ``mount`` is its pointer in the document."""

    path: Path
    mount: str
    data: bytes
    form: Format
    lines: dict[str, int] = field(default_factory=dict)

    def locate(self, fault: DocumentFault) -> FileFault:
        if not self.lines:
            self.lines.update(find_lines(self.data, self.form))
        within = fault.pointer.removeprefix(self.mount)
        return FileFault(self.path, line_of(within, self.lines), fault.pointer, fault.detail)


def load_registry_file(path: Path) -> RegistryFile:
    """The document in ``path``, complete and valid. Raises RegistryFileError with every fault, file and line."""
    main = _open(path, "")
    value = _read(main)
    if not isinstance(value, dict):
        raise RegistryFileError([FileFault(path, 1, "", "must be a mapping: version, timezone, parties, truces")])
    version = _take_version(main, value)
    sources = [main]
    for name, part in _PARTS.items():
        if name in value:
            source = _open_part(main, value, name, part)
            sources.append(source)
            value[part] = _read(source)
            del value[name]
    data = msgspec.json.encode(value)
    try:
        document = read_document(data)
        return RegistryFile(data, document, compile_document(document), version)
    except InvalidRegistryError as error:
        located = [_owner(fault, sources).locate(fault) for fault in error.faults]
        raise RegistryFileError(sorted(located, key=lambda f: (str(f.file), f.line or 0, f.pointer))) from None


def _take_version(main: _Source, value: dict[str, Any]) -> int | None:
    version = value.pop(VERSION_FIELD, None)
    if version is not None and (type(version) is not int or version < 0):
        detail = "must be the version that the file was got at"
        raise RegistryFileError([main.locate(DocumentFault(f"/{VERSION_FIELD}", detail))])
    return version


def write_registry_file(document: dict[str, Any], version: int, form: Format) -> str:
    """The text of a file that :func:`load_registry_file` reads, with the version that the document was got at."""
    value = {VERSION_FIELD: version, **document}
    if form == "json":
        members = ",\n".join(f"{_json(name)}: {_write_items(part)}" for name, part in value.items())
        return f"{{\n{members}\n}}\n"
    features = [{**f, "geometry": f["geometry"] and OneLine(f["geometry"])} for f in document["areas"]["features"]]
    return write_yaml({**value, "areas": {**document["areas"], "features": features}})


def _write_items(part: Any) -> str:
    """JSON with each item of a list on a line of its own."""
    if isinstance(part, dict) and "features" in part:
        return f'{{"type": "FeatureCollection", "features": {_write_items(part["features"])}}}'
    return "[\n  " + ",\n  ".join(map(_json, part)) + "\n]" if isinstance(part, list) and part else _json(part)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def remember_version(path: Path, version: int) -> None:
    """Write another version into a file that names one, and leave all else in it as it is. Raises OSError."""
    text = path.read_bytes()
    pattern = rb'^(\s*"?%b"?\s*:\s*)\d+' % VERSION_FIELD.encode()
    path.write_bytes(re.sub(pattern, rb"\g<1>%d" % version, text, count=1, flags=re.MULTILINE))


def _open_part(main: _Source, value: dict[str, Any], name: str, part: str) -> _Source:
    named = value[name]
    if not isinstance(named, str) or not named or part in value:
        detail = f"must name a file, and there must be no {part!r} beside it"
        raise RegistryFileError([main.locate(DocumentFault(f"/{name}", detail))])
    try:
        return _open(main.path.parent / named, f"/{part}")
    except RegistryFileError as error:
        raise RegistryFileError(
            [main.locate(DocumentFault(f"/{name}", fault.detail)) for fault in error.faults]
        ) from None


def _open(path: Path, mount: str) -> _Source:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise RegistryFileError([FileFault(path, None, "", f"longer than {MAX_BYTES} bytes")])
        data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise RegistryFileError([FileFault(path, None, "", f"cannot be read: {error.strerror} ({path})")]) from error
    return _Source(path, mount, data, form_of(path))


def form_of(path: Path) -> Format:
    """By its name: YAML unless it is said to be JSON."""
    return "json" if path.suffix.lower() in _JSON_SUFFIXES else "yaml"


def _read(source: _Source) -> Any:
    try:
        return read_text(source.data, source.form)
    except UnreadableTextError as error:
        raise RegistryFileError([FileFault(source.path, error.line, "", str(error))]) from error


def _owner(fault: DocumentFault, sources: list[_Source]) -> _Source:
    """The file that a fault lies in: the one mounted nearest above it."""
    holders = [s for s in sources if fault.pointer == s.mount or fault.pointer.startswith(f"{s.mount}/")]
    return max(holders, key=lambda s: len(s.mount), default=sources[0])
