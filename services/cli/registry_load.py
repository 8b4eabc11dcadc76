"""Loads a registry file into a server without undoing what others changed since the file was made."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from schemas.zones import find_zone
from services.client import AsyncClient, RefusedError
from services.rules.registry.domain.merging import merge
from services.rules.registry.domain.resources import join, split
from services.rules.registry.file import RegistryFile
from services.rules.registry.wire import read_document, write_document

#: The action of a version that a whole document made.
_REPLACED: Final = "registry.replaced"


@dataclass(frozen=True, slots=True)
class Loading:
    """How to load. ``force``: overwrite what was changed since; ``merge``: keep it. ``reason``: for the history."""

    dry_run: bool = False
    force: bool = False
    merge: bool = False
    reason: str | None = None

    @property
    def query(self) -> dict[str, object]:
        return {"dry_run": True} if self.dry_run else {"reason": self.reason or None}


class StaleFileError(Exception):
    """The registry changed since the file was made. ``since``: its versions from then on, the newest first;
    ``undone``: what loading the file would do to what they changed."""

    def __init__(self, message: str, since: Sequence[Any] = (), undone: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.since, self.undone = since, undone


@dataclass(frozen=True, slots=True)
class _Base:
    """The version that a file was made from, and the versions since, the newest first. ``recorded_at`` None: it is not
    known."""

    version: int
    recorded_at: str | None
    since: list[Any]


async def get_document(api: AsyncClient, as_of: str | None = None) -> tuple[Any, int]:
    """The document, and the version that it is of."""
    answer = await api.request("GET", "/v1/registry", query={"as_of": as_of})
    tag = re.match(r'"(\d+)', answer.etag)
    return answer.body, int(tag[1]) if tag else 0


async def registry_zone(api: AsyncClient) -> ZoneInfo:
    return find_zone((await api.get("/v1/registry"))["timezone"])


async def load_document(api: AsyncClient, file: RegistryFile, how: Loading) -> Any:
    """The server's answer. A file that names no version counts as made from the document that was loaded last.

    Raises StaleFileError, RefusedError, UnreachableError.
    """
    if how.force:
        return await _put(api, file.data, how.query)
    base = await _find_base(api, file.version)
    newest = base.since[0]["registry_version"] if base.since else base.version
    data = file.data
    if base.since and how.merge:
        data = await _merged(api, file, base)
    elif base.since:
        await _refuse_what_undoes(api, file, base)
    try:
        return await _put(api, data, how.query, {"if-match": f'"{newest}"'})
    except RefusedError as error:
        if error.status != 412:
            raise
        raise StaleFileError("the registry was changed at this moment; run it again") from None


async def _put(api: AsyncClient, data: bytes, query: dict[str, object], headers: dict[str, str] | None = None) -> Any:
    return (await api.request("PUT", "/v1/registry", data, query=query, headers=headers)).body


async def _find_base(api: AsyncClient, version: int | None) -> _Base:
    since: list[Any] = []
    async for item in api.pages("/v1/registry/history"):
        number = item["registry_version"]
        if number == version or (version is None and item["action"] == _REPLACED):
            return _Base(number, item["recorded_at"], since)
        since.append(item)
    if version:
        raise StaleFileError(f"the file was got at version {version}, which this server never had")
    return _Base(0, None, since)


async def _refuse_what_undoes(api: AsyncClient, file: RegistryFile, base: _Base) -> None:
    """Raises StaleFileError for a file that names an older version, or that would undo what was changed since."""
    preview = await _put(api, file.data, {"dry_run": True})
    changed = {change["resource"] for version in base.since for change in version["changes"]}
    all_named = all(version["change_count"] == len(version["changes"]) for version in base.since)
    undone = [c for c in preview["changes"] if c["op"] != "add" and (c["resource"] in changed or not all_named)]
    if file.version is not None:
        raise StaleFileError(f"the file was got at version {base.version}", base.since, undone)
    if undone:
        raise StaleFileError("the file has not what was changed since the last load", base.since, undone)


async def _merged(api: AsyncClient, file: RegistryFile, base: _Base) -> bytes:
    was = {} if base.recorded_at is None else split(await _document(api, base.recorded_at))
    merged = merge(was, split(file.document), split(await _document(api, None)))
    if merged.conflicts:
        named = ", ".join("/".join(key) for key in merged.conflicts)
        raise StaleFileError(f"both the file and somebody else changed {named}", base.since)
    return write_document(join(merged.resources))


async def _document(api: AsyncClient, as_of: str | None) -> Any:
    return read_document(msgspec.json.encode((await get_document(api, as_of))[0]))
