"""Our own reports: as JSON, or as a table whose columns are paths into a report (``location.lat``).

Lists are split at ``;``; an empty cell is absent. With an operator's ``fields`` any other table is read likewise.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from msgspec import inspect

from schemas.report import Report
from services.connectors.answers import TRUTHS, read_point
from services.connectors.cells import CellReader, read_day, read_number, split_names
from services.connectors.model import RefusedRow, ReportDraft, RowContext, RowFault, RowOutcome

LIST_SEPARATOR: Final = ";"
_NAMES: Final = frozenset({"perpetrators", "targets"})


def read_report_record(record: Any, _context: RowContext) -> RowOutcome:
    """A report as JSON has it."""
    if not isinstance(record, dict):
        return RefusedRow((RowFault("not_valid", detail="an object is wanted"),))
    id = record.get("external_id")
    return ReportDraft(id if isinstance(id, str) else "", record)


def read_report_row(row: Mapping[str, str], context: RowContext) -> RowOutcome:
    """A row whose columns are paths into a report, or are named by the operator's ``fields``."""
    cells = CellReader(row, context)
    report: dict[str, Any] = {}
    columns: dict[str, str] = {}
    for path, column in _read_from(row, context.tables.fields):
        cell = row.get(column, "")
        pointer = f"/{path.replace('.', '/')}"
        columns[pointer] = column
        if path == "external_id":
            value: Any = cells.id(column)
        elif cell:
            value = _value(path, cell, context)
        else:
            continue
        if not _put(report, path, value):
            cells.refuse("part_and_whole", column, pointer)
    _add_source(report, context)
    id = str(report.get("external_id", ""))
    return RefusedRow(tuple(cells.faults), id) if cells.faults else ReportDraft(id, report, "", columns, row)


def _add_source(report: dict[str, Any], context: RowContext) -> None:
    """The operator's name and grade of the source, where no column has them."""
    source = report.setdefault("source", {})
    if not isinstance(source, dict):
        return
    if context.tables.form:
        source.setdefault("name", context.tables.form)
    if context.tables.grade:
        source.setdefault("grade", context.tables.grade)
    if not source:
        del report["source"]


def _read_from(row: Mapping[str, str], fields: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Our path and their column. Beside ``fields``, columns that have our names are read, and only these."""
    yield from fields.items()
    for column in row:
        if column not in fields and (not fields or column in report_paths()) and column not in fields.values():
            yield column, column


def _put(report: dict[str, Any], path: str, value: Any) -> bool:
    """Whether the value has a place there."""
    *steps, last = path.split(".")
    inner = report
    for step in steps:
        inner = inner.setdefault(step, {})
        if not isinstance(inner, dict):
            return False
    if isinstance(value, dict) and isinstance(inner.get(last), dict):
        inner[last].update(value)
        return True
    if last in inner:
        return False
    inner[last] = value
    return True


def _value(path: str, cell: str, context: RowContext) -> Any:
    """A cell as its field's type; what is not of that type stays text, and the check of the report says so."""
    kind = report_paths().get(path)
    if context.tables.fields and path in ("occurred", "location"):
        return _whole(path, cell)
    choices = context.tables.choices.get(path, {})
    match kind:
        case inspect.VarTupleType():
            table = {**choices, **(context.tables.names if path in _NAMES else {})}
            return [table.get(item, item) for item in split_names(cell, LIST_SEPARATOR)]
        case inspect.IntType() | inspect.FloatType():
            number = read_number(cell, decimal_comma=context.decimal_comma)
            return cell if number is None else int(number) if number.is_integer() else number
        case inspect.BoolType():
            return TRUTHS.get(cell.casefold(), cell)
        case _:
            return choices.get(cell, cell)


def _whole(path: str, cell: str) -> Any:
    """A cell that holds all of a time or a place, as forms write it: a day; latitude, longitude, height, accuracy."""
    if path == "occurred":
        day = read_day(cell)
        return {"date": day.isoformat()} if day else cell
    point = read_point(cell)
    return cell if point is None else dict(zip(("lat", "lon", "radius_km"), point, strict=True))


@cache
def report_paths() -> Mapping[str, inspect.Type]:
    """Every dotted path of a report, with the type of its field."""
    return dict(_walk(inspect.type_info(Report), ""))


def _walk(kind: inspect.Type, path: str) -> Iterator[tuple[str, inspect.Type]]:
    match kind:
        case inspect.StructType():
            for field in kind.fields:
                yield from _walk(field.type, f"{path}.{field.encode_name}" if path else field.encode_name)
        case inspect.UnionType():
            for member in kind.types:
                if not isinstance(member, inspect.NoneType):
                    yield from _walk(member, path)
        case inspect.Metadata():
            yield from _walk(kind.type, path)
        case _:
            yield path, kind
