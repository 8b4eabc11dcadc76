"""YAML and JSON text as plain values, safely, and the line of each value.

YAML is read by the core schema of version 1.2: a time, ``no`` and ``22:00`` stay text. Values are built from the
parser's events, never from tags, so that nothing in a document can name a class; an aliased value counts
again each time it is used, so that a small text cannot expand without limit.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec
import yaml

from services.platform.http.raw_body import MAX_DEPTH, is_too_deep

Format = Literal["json", "yaml"]
#: One call of a JSON decoder over all of it holds up every other thread, for about 5 ms a MiB.
MAX_BYTES: Final = 16 * 1024 * 1024
#: Values in a YAML document, aliased ones counted each time: so many, and one for so many bytes of text.
#: A value takes up to 72 bytes of memory.
MAX_NODES: Final = 200_000
BYTES_A_NODE: Final = 10
#: Beyond this, a fault is given without its line: finding it would take longer than anybody waits.
MAX_LOCATED: Final = 16 * 1024 * 1024

_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT: Final = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,3})?", re.ASCII)
_STRING_TAG: Final = "tag:yaml.org,2002:str"
_COLLECTION_TAGS: Final = frozenset({"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})
_JSON_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)


class UnreadableTextError(ValueError):
    """The text is not YAML or JSON that can be read. ``line`` counts from 1; None where it is not known."""

    def __init__(self, detail: str, line: int | None = None) -> None:
        super().__init__(detail)
        self.line = line


def read_text(data: bytes, form: Format) -> Any:
    """Plain values: None, bool, int, float, str, list, dict. Raises UnreadableTextError."""
    text = _decode(data)
    return read_json(data) if form == "json" else _read_yaml(text, None)


def to_json(data: bytes, form: Format) -> bytes:
    """The same document as JSON. Raises UnreadableTextError, for JSON that nests too deeply before it is decoded."""
    if form != "json":
        return msgspec.json.encode(read_text(data, form))
    if is_too_deep(data):
        raise UnreadableTextError(f"nested deeper than {MAX_DEPTH}")
    return data


def read_json(data: bytes) -> Any:
    """Raises UnreadableTextError."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableTextError(f"not valid UTF-8 JSON: {error}", _line_of_byte(data, str(error))) from error


def find_lines(data: bytes, form: Format, pointers: Iterable[str] | None = None) -> dict[str, int]:
    """The line, from 1, of each value by its JSON pointer, or of those that :func:`line_of` needs for ``pointers``;
    empty where the text is too long to search."""
    if len(data) > MAX_LOCATED:
        return {}
    text = _decode(data)
    wanted = None if pointers is None else {part for pointer in pointers for part in _holders(pointer)}
    lines: dict[str, int] = {}
    if form == "yaml":
        _read_yaml(text, lines, wanted)
    else:
        lines.update((pointer, line) for pointer, line in _json_lines(text) if wanted is None or pointer in wanted)
    return lines


def _holders(pointer: str) -> Iterator[str]:
    """A pointer, and that of everything that holds what it points to."""
    yield pointer
    while pointer:
        pointer = pointer.rpartition("/")[0]
        yield pointer


def line_of(pointer: str, lines: dict[str, int]) -> int | None:
    """The line of a value, or of the nearest thing that holds it (a missing field has no line of its own)."""
    while pointer not in lines and pointer:
        pointer = pointer.rpartition("/")[0]
    return lines.get(pointer)


def member(parent: str, key: str | int) -> str:
    """The JSON pointer (RFC 6901) of a member."""
    return f"{parent}/{str(key).replace('~', '~0').replace('/', '~1')}"


def _decode(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise UnreadableTextError(f"longer than {MAX_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableTextError("not in UTF-8", data.count(b"\n", 0, error.start) + 1) from error


def _line_of_byte(data: bytes, message: str) -> int | None:
    """msgspec names the byte of malformed JSON in its message."""
    found = re.search(r"byte (\d+)", message)
    return data.count(b"\n", 0, int(found.group(1))) + 1 if found else None


# --- YAML


@dataclass(slots=True)
class _Open:
    """A collection that is being filled. ``size`` counts its nodes, aliased ones each time."""

    value: dict[str, Any] | list[Any]
    pointer: str
    anchor: str | None
    size: int = 1
    key: str | None = None


@dataclass(slots=True)
class _Builder:
    """Puts values where they belong. ``lines`` is filled where it is given, of a ``wanted`` pointer or of all."""

    most: int
    lines: dict[str, int] | None
    wanted: Collection[str] | None
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[Any, int]] = field(default_factory=dict)
    root: Any = None

    def place(self, value: Any, size: int, line: int) -> str:
        """Add a finished or an opening value to what is open; its pointer."""
        if not self.stack:
            self.root, pointer = value, ""
        else:
            pointer = self._place_in(self.stack[-1], value, size, line)
        if self.lines is not None and (self.wanted is None or pointer in self.wanted):
            self.lines[pointer] = line
        return pointer

    def _place_in(self, top: _Open, value: Any, size: int, line: int) -> str:
        top.size += size
        if top.size > self.most:
            raise UnreadableTextError(f"more than {self.most} values", line)
        if isinstance(top.value, list):
            top.value.append(value)
            return f"{top.pointer}/{len(top.value) - 1}" if self.lines is not None else ""
        assert top.key is not None
        key, top.key = top.key, None
        if key in top.value:
            raise UnreadableTextError(f"the key {key!r} is used twice in one mapping", line)
        top.value[key] = value
        return member(top.pointer, key) if self.lines is not None else ""

    def awaits_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].value, dict) and self.stack[-1].key is None

    def open(self, value: dict[str, Any] | list[Any], event: yaml.CollectionStartEvent, line: int) -> None:
        if event.tag not in (None, "!", *_COLLECTION_TAGS):
            raise UnreadableTextError(f"the tag {event.tag} is not read here", line)
        if self.awaits_key():
            raise UnreadableTextError("a key must be text", line)
        if len(self.stack) >= MAX_DEPTH:
            raise UnreadableTextError(f"nested deeper than {MAX_DEPTH}", line)
        pointer = self.place(value, 1, line)
        self.stack.append(_Open(value, pointer, event.anchor))

    def close(self, line: int) -> None:
        done = self.stack.pop()
        if self.stack:
            self.stack[-1].size += done.size - 1
            if self.stack[-1].size > self.most:
                raise UnreadableTextError(f"more than {self.most} values", line)
        if done.anchor is not None:
            self.anchors[done.anchor] = (done.value, done.size)

    def scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        if self.awaits_key():
            self.stack[-1].key = event.value
            return
        value = _scalar(event, line)
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, 1)
        self.place(value, 1, line)

    def alias(self, event: yaml.AliasEvent, line: int) -> None:
        if self.awaits_key() or event.anchor not in self.anchors:
            raise UnreadableTextError(f"the alias *{event.anchor} refers to no finished value", line)
        value, size = self.anchors[event.anchor]
        self.place(value, size, line)


def _read_yaml(text: str, lines: dict[str, int] | None, wanted: Collection[str] | None = None) -> Any:
    most = MAX_NODES + len(text) // BYTES_A_NODE
    # Brackets inside texts count too: no registry has so many of them.
    if text.count("[") + text.count("{") > most:
        raise UnreadableTextError(f"more than {most} values")
    builder = _Builder(most, lines, wanted)
    documents = 0
    for event in _events(text):
        line = event.start_mark.line + 1
        match event:
            case yaml.DocumentStartEvent():
                documents += 1
                if documents > 1:
                    raise UnreadableTextError("more than one document", line)
            case yaml.ScalarEvent():
                builder.scalar(event, line)
            case yaml.MappingStartEvent():
                builder.open({}, event, line)
            case yaml.SequenceStartEvent():
                builder.open([], event, line)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                builder.close(line)
            case yaml.AliasEvent():
                builder.alias(event, line)
    return builder.root


def _events(text: str) -> Iterator[Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        yield from yaml.parse(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise UnreadableTextError(f"not valid YAML: {error.problem}", mark.line + 1 if mark else None) from error
    except yaml.YAMLError as error:
        raise UnreadableTextError(f"not valid YAML: {error}") from error


def _scalar(event: yaml.ScalarEvent, line: int) -> Any:
    if event.tag not in (None, "!", _STRING_TAG):
        raise UnreadableTextError(f"the tag {event.tag} is not read here", line)
    return event.value if event.tag is not None or not event.implicit[0] else _plain(event.value)


def reads_as_text(text: str) -> bool:
    """Whether unquoted text stays text, as far as this module decides it."""
    return isinstance(_plain(text), str)


def _plain(text: str) -> Any:
    """The value of unquoted text."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


# --- lines of JSON


def _json_lines(text: str) -> Iterator[tuple[str, int]]:
    """Pointer and line of each value of well-formed JSON."""
    path: list[tuple[str, int | None]] = []
    key: str | None = None
    line, seen = 1, 0
    for token in _JSON_TOKEN.finditer(text):
        line += text.count("\n", seen, token.start())
        seen, word = token.start(), token.group()
        if word in "}]":
            path.pop()
        elif word == ",":
            parent, n = path[-1]
            path[-1], key = (parent, None if n is None else n + 1), None
        elif word == ":":
            continue
        elif path and path[-1][1] is None and key is None:
            key = msgspec.json.decode(word)
        else:
            pointer = _pointer_within(path, key)
            yield pointer, line
            if word in "{[":
                path.append((pointer, 0 if word == "[" else None))
                key = None


def _pointer_within(path: list[tuple[str, int | None]], key: str | None) -> str:
    if not path:
        return ""
    parent, n = path[-1]
    return member(parent, key if n is None and key is not None else n or 0)
