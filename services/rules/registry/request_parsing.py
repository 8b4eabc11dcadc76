"""Requests about the registry, read: bodies in JSON or YAML, times, preconditions; and their refusals."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec
from fastapi import Request

from schemas.instants import parse_instant
from schemas.registry import Announcement, Document, Kind, Resource
from services.platform.http.bodies import MAX_BODY, read_body
from services.platform.http.problems import MAX_ERRORS, FieldError, Problem
from services.rules.registry.domain.document import CompiledDocument, compile_document
from services.rules.registry.domain.faults import DocumentFault, InvalidRegistryError
from services.rules.registry.domain.resources import name_of, named, split
from services.rules.registry.use_cases import Snapshot
from services.rules.registry.wire import read_announcement, read_document, read_resource
from services.rules.registry.yaml_json import MAX_BYTES, Format, UnreadableTextError, find_lines, line_of, to_json

T = TypeVar("T")

BODY_TYPES: Final = ("application/json", "application/yaml")
MAX_REASON: Final = 1_000
_YAML_TYPES: Final = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"})


@dataclass(frozen=True, slots=True)
class PostedDocument:
    """A whole document as it was sent, so that its faults can be reported where its author will look.

    ``text`` is what has lines: YAML. JSON is written by programs, for which a line means nothing.
    """

    document: Document
    text: bytes | None

    def refusal(self, before: CompiledDocument) -> Problem:
        """Why this document is refused, with pointers into it was sent."""
        try:
            compile_document(self.document, before=before)
        except InvalidRegistryError as error:
            return refusal(error.faults, _lines(self.text, error.faults))
        return Problem(422, "Not valid", "A resource of the document is too long.")


async def document(request: Request) -> PostedDocument:
    """Raises Problem 400, 413 or 422."""
    data, form = await read_body(request, MAX_BYTES), _form(request)

    def read() -> Document:
        found = read_document(to_json(data, form))
        _refuse_repeated_ids(found)
        return found

    return PostedDocument(await _read(read, data, form), _text(data, form))


async def resource(request: Request, kind: Kind, id: str) -> Resource:
    """One resource; its id may be left to the address. Raises Problem 400, 413 or 422."""
    data, form = await read_body(request, MAX_BODY), _form(request)
    return await _read(lambda: named(read_resource(kind, _with_id(to_json(data, form), id)), id), data, form)


async def announcement(request: Request) -> Announcement:
    """Raises Problem 400, 413 or 422."""
    data, form = await read_body(request, MAX_BODY), _form(request)
    return await _read(lambda: read_announcement(to_json(data, form)), data, form)


def instant(request: Request, name: str) -> int | None:
    """A time in the query. Raises Problem 400."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        # A "+" that was not escaped arrives as a space.
        return parse_instant(text.replace(" ", "+"))
    except (ValueError, OverflowError):
        raise Problem(400, "Not valid", errors=[FieldError(f"/{name}", "an RFC 3339 time with an offset")]) from None


def reason(request: Request) -> str | None:
    """The reason of a change; None where none is given. Raises Problem 400."""
    text = request.query_params.get("reason", "").strip()
    if len(text) > MAX_REASON or "\0" in text:
        raise Problem(400, "Not valid", errors=[FieldError("/reason", f"at most {MAX_REASON} characters")])
    return text or None


def tags(request: Request, header: str) -> list[str]:
    return [tag.strip() for tag in request.headers.get(header, "").split(",") if tag.strip()]


def precondition(request: Request, version: Callable[[Snapshot], int | None]) -> Callable[[Snapshot], bool]:
    """Whether a snapshot is the one that the request was made from; ``version`` gives the one that its ETag names."""
    wanted, unwanted = tags(request, "if-match"), tags(request, "if-none-match")

    def holds(snapshot: Snapshot) -> bool:
        found = version(snapshot)
        tag = f'"{found}"'
        if wanted and (found is None or not {"*", tag} & set(wanted)):
            return False
        return not (unwanted and found is not None and {"*", tag} & set(unwanted))

    return holds


def refusal(faults: Iterable[DocumentFault], lines: dict[str, int] | None = None) -> Problem:
    """422 with every fault, and its line where the author wrote lines."""
    errors = [
        FieldError(f.pointer, f.detail)
        if (line := line_of(f.pointer, lines or {})) is None
        else FieldError(f.pointer, f.detail, line)
        for f in faults
    ]
    return Problem(422, "Not valid", "Nothing was changed.", errors)


def conflict(faults: Iterable[DocumentFault], document: Document) -> Problem:
    """409: what is to go is referred to; ``document`` is what would be left."""
    errors = [FieldError("", f"{name_of(document, fault.pointer)} refers to it") for fault in faults]
    return Problem(409, "Still referred to", "Remove what refers to it first.", errors)


async def _read(read: Callable[[], T], data: bytes, form: Format) -> T:
    """Read off the event loop: a large document takes its time."""
    try:
        return await asyncio.to_thread(read)
    except UnreadableTextError as error:
        where = "" if error.line is None else f" (line {error.line})"
        raise Problem(400, f"Not {form.upper()}", f"{error}{where}") from None
    except InvalidRegistryError as error:
        raise refusal(error.faults, await asyncio.to_thread(_lines, _text(data, form), error.faults)) from None


def _text(data: bytes, form: Format) -> bytes | None:
    return data if form == "yaml" else None


def _lines(text: bytes | None, faults: Sequence[DocumentFault]) -> dict[str, int]:
    return {} if text is None else find_lines(text, "yaml", [fault.pointer for fault in faults[: MAX_ERRORS + 1]])


def _form(request: Request) -> Format:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return "yaml" if media in _YAML_TYPES else "json"


def _with_id(data: bytes, id: str) -> bytes:
    try:
        fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return data
    if bytes(fields.get("id", b"null")) != b"null":
        return data
    return msgspec.json.encode({**fields, "id": id})


def _refuse_repeated_ids(document: Document) -> None:
    """Taken apart into resources, a document would silently lose one of two that share an id."""
    listed = (document.parties, document.presence, document.areas.features, document.places, document.truces)
    if len(split(document)) != 1 + sum(len(items) for items in listed):
        compile_document(document)
