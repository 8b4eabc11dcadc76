"""A registry document in files: YAML or JSON, with ``areas_file`` and ``places_file`` beside it.

What is wrong is told with the file and the line. The result is the document as HTTP wants it: one JSON text with
everything inside.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.registry import Document
from services.rules.domain.document import compile_document
from services.rules.domain.faults import Fault, InvalidRegistryError
from services.rules.domain.model import Registry
from services.rules.registry_text import (
    MAX_BYTES,
    Format,
    UnreadableTextError,
    find_lines,
    line_of,
    read_text,
)
from services.rules.registry_wire import read_document

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
    """``data`` is the whole document as JSON, fit for ``PUT /v1/registry``."""

    data: bytes
    document: Document
    registry: Registry


@dataclass(frozen=True, slots=True)
class _Source:
    """One file; ``mount`` is the pointer at which it stands in the document."""

    path: Path
    mount: str
    data: bytes
    form: Format
    lines: dict[str, int] = field(default_factory=dict)

    def locate(self, fault: Fault) -> FileFault:
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
        return RegistryFile(data, document, compile_document(document))
    except InvalidRegistryError as error:
        located = [_owner(fault, sources).locate(fault) for fault in error.faults]
        raise RegistryFileError(sorted(located, key=lambda f: (str(f.file), f.line or 0, f.pointer))) from None


def _open_part(main: _Source, value: dict[str, Any], name: str, part: str) -> _Source:
    named = value[name]
    if not isinstance(named, str) or not named or part in value:
        detail = f"must name a file, and there must be no {part!r} beside it"
        raise RegistryFileError([main.locate(Fault(f"/{name}", detail))])
    try:
        return _open(main.path.parent / named, f"/{part}")
    except RegistryFileError as error:
        raise RegistryFileError([main.locate(Fault(f"/{name}", fault.detail)) for fault in error.faults]) from None


def _open(path: Path, mount: str) -> _Source:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise RegistryFileError([FileFault(path, None, "", f"longer than {MAX_BYTES} bytes")])
        data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise RegistryFileError([FileFault(path, None, "", f"cannot be read: {error.strerror} ({path})")]) from error
    return _Source(path, mount, data, "json" if path.suffix.lower() in _JSON_SUFFIXES else "yaml")


def _read(source: _Source) -> Any:
    try:
        return read_text(source.data, source.form)
    except UnreadableTextError as error:
        raise RegistryFileError([FileFault(source.path, error.line, "", str(error))]) from error


def _owner(fault: Fault, sources: list[_Source]) -> _Source:
    """The file that a fault lies in: the one mounted nearest above it."""
    holders = [s for s in sources if fault.pointer == s.mount or fault.pointer.startswith(f"{s.mount}/")]
    return max(holders, key=lambda s: len(s.mount), default=sources[0])
