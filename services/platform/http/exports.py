"""Lists as files, streamed a slice at a time: rows of CSV, and features of GeoJSON (RFC 7946)."""

import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

import msgspec

from services.platform.paging import PageQuery

T = TypeVar("T")

CSV_TYPE: Final = "text/csv"
GEOJSON_TYPE: Final = "application/geo+json"
#: The answer depends on what the client asks for.
BY_ACCEPT: Final = {"vary": "accept"}
#: Items read at once.
SLICE: Final = 1_000

_encode = msgspec.json.Encoder().encode


async def read_slices(
    query: PageQuery,
    read: Callable[[PageQuery], Awaitable[Sequence[T]]],
    key: Callable[[T], tuple[int | str, ...]],
) -> AsyncIterator[Sequence[T]]:
    """All items of a list from the query's position on. ``read`` gives one more than the limit where there are more."""
    query = replace(query, limit=SLICE)
    while True:
        found = await read(query)
        if page := found[:SLICE]:
            yield page
        if len(found) <= SLICE:
            return
        query = replace(query, after=key(page[-1]))


def write_lines(rows: Sequence[Sequence[str | int | float | None]]) -> str:
    """Rows of CSV (RFC 4180)."""
    made = io.StringIO()
    csv.writer(made, lineterminator="\r\n").writerows(rows)
    return made.getvalue()


async def write_features(
    slices: AsyncIterator[Sequence[T]], feature: Callable[[T], dict[str, Any]]
) -> AsyncIterator[bytes]:
    """One FeatureCollection, a feature a line."""
    before = b'{"type":"FeatureCollection","features":[\n'
    async for page in slices:
        yield before + b",\n".join(_encode(feature(one)) for one in page)
        before = b",\n"
    yield b"\n]}\n" if before == b",\n" else before + b"]}\n"


def make_feature(id: str, longitude: float | None, latitude: float | None, properties: Any) -> dict[str, Any]:
    """A feature at a point; nowhere without coordinates."""
    there = longitude is not None and latitude is not None
    geometry = {"type": "Point", "coordinates": [longitude, latitude]} if there else None
    return {"type": "Feature", "id": id, "geometry": geometry, "properties": properties}
