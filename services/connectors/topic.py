"""Records of a partner's own topic: a report as it is posted, or any JSON by the operator's tables, bare or in a
CloudEvent.

A CloudEvent in binary mode has the JSON as its value; one in structured mode wraps it, as text or in base64. Source:
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from services.connectors.answers import LISTS, AnswerReader, flatten, is_empty
from services.connectors.model import (
    AdapterMap,
    RefusedRow,
    RefusedRowError,
    ReportDraft,
    RowContext,
    RowFault,
    RowOutcome,
)
from services.connectors.reports import report_paths

#: Of the source where neither a record nor the operator names one.
SOURCE: Final = "topic of a partner"
#: Attributes that every CloudEvent has.
_REQUIRED: Final = frozenset({"specversion", "id", "source", "type"})
_EXTERNAL_ID: Final = "external_id"


def read_value(value: bytes) -> Any:
    """The JSON of a record's value, without the CloudEvent around it. Raises ValueError for what is not JSON."""
    document = _decode(value)
    if not isinstance(document, dict) or not document.keys() >= _REQUIRED:
        return document
    packed = document.get("data_base64")
    return _decode(base64.b64decode(packed, validate=True)) if isinstance(packed, str) else document.get("data")


def _decode(value: bytes) -> Any:
    try:
        return msgspec.json.decode(value.removeprefix(b"\xef\xbb\xbf"))
    except RecursionError as error:
        raise ValueError("too many levels") from error


def split(payload: Any) -> list[Any]:
    """The one record of a value, out of its CloudEvent."""
    try:
        return [read_value(json.dumps(payload).encode())]
    except ValueError:
        return [None]


def read_topic_record(record: Any, context: RowContext) -> RowOutcome:
    """A report as it is posted, or with ``fields`` any object. Its names and choices go by the operator's tables."""
    if not isinstance(record, dict):
        return RefusedRow((RowFault("not_valid", detail="an object is wanted"),))
    if context.tables.fields:
        return _read_mapped(record, context)
    report = {**record, **_by_tables(record, context.tables)}
    id = record.get(_EXTERNAL_ID)
    return ReportDraft(id if isinstance(id, str) else "", report)


def _read_mapped(record: Mapping[str, Any], context: RowContext) -> RowOutcome:
    tables, answers = context.tables, flatten(record)
    column = tables.fields.get(_EXTERNAL_ID, _EXTERNAL_ID)
    id = answers.get(column)
    if is_empty(id) or not isinstance(id, str | int):
        return RefusedRow((RowFault("empty", column, None, f"/{_EXTERNAL_ID}"),))
    source = {"name": tables.form or SOURCE, **({"grade": tables.grade} if tables.grade else {})}
    try:
        return AnswerReader(answers, context).draft(str(id), {"source": source})
    except RefusedRowError as error:
        return RefusedRow(error.faults, str(id))


def _by_tables(record: Mapping[str, Any], tables: AdapterMap) -> dict[str, Any]:
    """The fields of a report as posted that the operator's tables change."""
    changed: dict[str, Any] = {}
    for path in ("act", *LISTS):
        table = {**tables.choices.get(path, {}), **(tables.names if path in ("perpetrators", "targets") else {})}
        value = record.get(path)
        if isinstance(value, str):
            changed[path] = table.get(value, value)
        elif isinstance(value, list):
            changed[path] = [table.get(one, one) if isinstance(one, str) else one for one in value]
    default = {"name": tables.form or SOURCE, **({"grade": tables.grade} if tables.grade else {})}
    source = record.get("source", {})
    return {**changed, "source": {**default, **source} if isinstance(source, dict) else source}


def strip(record: Any, context: RowContext) -> dict[str, Any]:
    """The record without what is not mapped, or, of a report as posted, not a field: it is read again to the same
    outcome, save that fields without a meaning are gone."""
    if not isinstance(record, dict):
        return {}
    if context.tables.fields:
        wanted = {*context.tables.fields.values(), context.tables.fields.get(_EXTERNAL_ID, _EXTERNAL_ID)}
        return {path: value for path, value in flatten(record).items() if path in wanted}
    return _known(record, "", report_paths().keys())


def _known(record: Mapping[str, Any], prefix: str, paths: Iterable[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in record.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict):
            if any(one.startswith(f"{path}.") for one in paths):
                kept[key] = _known(value, f"{path}.", paths)
        elif path in paths or any(one.startswith(f"{path}.") for one in paths):
            kept[key] = value
    return kept
