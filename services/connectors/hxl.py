"""Files with a row of HXL hashtags, read as incident reports by their tags, whatever the words above them say.

Attributes may come in any order, and those that are not asked for are passed over. The operator's ``fields`` name a tag
where the order below does not hold.

==================  ==========================================================================================
report              the first of these tags that the file has
==================  ==========================================================================================
``external_id``     ``hxl-`` and ``#event+id``, ``#meta+id``, ``#event+code``; else a digest of the row's cells
``occurred``        ``#date+start`` to ``#date+end``, both days included; ``#date+occurred``; ``#date``
``act``             ``#event+type`` by the operator's table, or as the published vocabulary has it
``location``        ``#geo+lat``, ``#geo+lon``, ``#geo+precision+km``; ``#loc+name``, ``#adm3+name`` … ``#adm1+name``
``perpetrators``    ``#group+name+first``, ``#actor+first``, ``#actor+name``, split at semicolons
``targets``         ``#group+name+second``, ``#actor+second``
``casualties``      ``#affected+killed``, ``#fatality``; ``#affected+injured``
``description``     ``#description``
``source``          ``#org+name``, else the words "HXL file"; quoting ``#meta+source``
==================  ==========================================================================================

A file of sums (``#event+num``), or without a date finer than a year, is refused.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from services.connectors.answers import COUNTS
from services.connectors.cells import CellReader, split_names
from services.connectors.days import whole_days
from services.connectors.model import RefusedRow, RefusedRowError, ReportDraft, RowContext, RowFault, RowOutcome

PREFIX: Final = "hxl-"
SOURCE: Final = "HXL file"
#: Attributes of a date that is no day.
_COARSE: Final = frozenset({"year", "month", "quarter"})
#: Attributes of counts.
_COUNTED: Final = frozenset({"killed", "injured"})
#: Our paths, each with the tags that stand for it, the first that a file has.
TAGS: Final[Mapping[str, Sequence[str]]] = {
    "external_id": ("#event+id", "#meta+id", "#event+code"),
    "occurred.from": ("#date+start",),
    "occurred.to": ("#date+end",),
    "occurred.date": ("#date+occurred", "#date"),
    "act": ("#event+type",),
    "location.lat": ("#geo+lat",),
    "location.lon": ("#geo+lon",),
    "location.radius_km": ("#geo+precision+km",),
    "location.place": ("#loc+name", "#adm3+name", "#adm2+name", "#adm1+name"),
    "perpetrators": ("#group+name+first", "#actor+first", "#actor+name"),
    "targets": ("#group+name+second", "#actor+second"),
    "casualties.killed": ("#affected+killed", "#fatality"),
    "casualties.injured": ("#affected+injured",),
    "description": ("#description",),
    "source.name": ("#org+name",),
    "source.quotes": ("#meta+source",),
}
#: Attributes that say that a tag is about something else.
_OTHER: Final[Mapping[str, frozenset[str]]] = {
    "occurred.date": _COARSE | {"start", "end"},
    "perpetrators": frozenset({"second", "target", "code"}),
    "casualties.killed": frozenset({"injured"}),
}


def find_tags(columns: Sequence[str], fields: Mapping[str, str]) -> dict[str, str]:
    """The file's tag for each of our paths. Raises RefusedRowError for a file of sums, one without days, and one in
    which a tag that is needed stands twice."""
    parsed = {column: _parse(column) for column in columns if column}
    for column, (tag, attributes) in parsed.items():
        if tag == "#event" and "num" in attributes:
            raise RefusedRowError(RowFault("sums_up", column))
    found = {}
    for path, tags in TAGS.items():
        wanted = (fields[path],) if path in fields else tags
        first = _first(wanted, parsed, _OTHER.get(path, frozenset()))
        if first is None:
            continue
        if columns.count(first) > 1:
            raise RefusedRowError(RowFault("repeated_column", first))
        if path in COUNTS and path not in fields:
            _refuse_parts(first, parsed)
        found[path] = first
    if not {"occurred.from", "occurred.date"} & found.keys():
        raise RefusedRowError(RowFault("only_years"))
    return found


def _refuse_parts(column: str, parsed: Mapping[str, tuple[str, frozenset[str]]]) -> None:
    """Raises RefusedRowError where several columns count, as those of women and of men, and none of them all."""
    tag, its = parsed[column]
    counted = [name for name, (theirs, more) in parsed.items() if theirs == tag and its & more & _COUNTED]
    if len(counted) > 1 and its - _COUNTED:
        raise RefusedRowError(*(RowFault("repeated_column", name) for name in counted))


def _parse(tag: str) -> tuple[str, frozenset[str]]:
    first, *attributes = tag.lower().replace(" ", "").split("+")
    return first, frozenset(attributes)


def _first(
    wanted: Iterable[str], parsed: Mapping[str, tuple[str, frozenset[str]]], other: frozenset[str]
) -> str | None:
    for tag, attributes in map(_parse, wanted):
        for column, (their_tag, theirs) in parsed.items():
            if their_tag == tag and attributes <= theirs and not theirs & (other - attributes):
                exact = next((name for name, its in parsed.items() if its == (tag, attributes)), None)
                return exact or column
    return None


def read_hxl_row(row: Mapping[str, str], context: RowContext, tags: Mapping[str, str]) -> RowOutcome:
    """The report of one row; ``tags`` are those of :func:`find_tags`."""
    cells = CellReader(row, context)
    id = _identify(cells, tags)
    report: dict[str, Any] = {
        "external_id": id,
        "act": cells.choice(tags.get("act", "#event+type"), "/act", "act"),
        "occurred": _occurred(cells, tags),
        "location": _location(cells, tags),
        "perpetrators": cells.names(_names(cells, tags, "perpetrators")),
        "targets": cells.names(_names(cells, tags, "targets")),
        "casualties": {
            name: count
            for name in ("killed", "injured")
            if (count := cells.count(tags.get(f"casualties.{name}", ""), f"/casualties/{name}")) is not None
        },
        "description": row.get(tags.get("description", ""), ""),
        "source": _source(cells, tags),
    }
    if cells.faults:
        return RefusedRow(tuple(cells.faults), id)
    columns = {"/" + path.replace(".", "/"): tag for path, tag in tags.items()}
    return ReportDraft(id, report, "", columns, row)


def _identify(cells: CellReader, tags: Mapping[str, str]) -> str:
    column = tags.get("external_id", "")
    if column in cells.row:
        return f"{PREFIX}{cells.id(column)}"
    whole = "\x1f".join(f"{name}\x1e{cell}" for name, cell in sorted(cells.row.items()))
    return f"{PREFIX}{hashlib.sha256(whole.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def _occurred(cells: CellReader, tags: Mapping[str, str]) -> dict[str, str]:
    first, last = _day(cells, tags, "occurred.from"), _day(cells, tags, "occurred.to")
    if first is None:
        if not cells.faults:
            first = cells.required_day(tags.get("occurred.date") or tags["occurred.from"])
        return {} if first is None else {"date": first.isoformat()}
    if last is not None and last < first:
        cells.refuse("ends_before_it_begins", tags["occurred.to"], "/occurred/to")
        return {}
    return whole_days(first, last or first, cells.context.zone)


def _day(cells: CellReader, tags: Mapping[str, str], path: str) -> date | None:
    return cells.day(tags[path]) if path in tags else None


def _location(cells: CellReader, tags: Mapping[str, str]) -> dict[str, Any]:
    location: dict[str, Any] = {}
    if place := cells.text(tags.get("location.place", "")):
        location["place"] = place
    for name in ("lat", "lon", "radius_km"):
        value = cells.number(tags.get(f"location.{name}", ""), f"/location/{name}")
        if value is not None:
            location[name] = value
    return location


def _names(cells: CellReader, tags: Mapping[str, str], path: str) -> list[str]:
    return split_names(cells.text(tags.get(path, "")), ";")


def _source(cells: CellReader, tags: Mapping[str, str]) -> dict[str, Any]:
    source: dict[str, Any] = {
        "name": cells.text(tags.get("source.name", "")) or SOURCE,
        "quotes": split_names(cells.text(tags.get("source.quotes", "")), ";"),
    }
    if cells.context.tables.grade:
        source["grade"] = cells.context.tables.grade
    return source
