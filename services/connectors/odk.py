"""ODK Central: what its webhooks post, a page of OData, a row of the CSV export, as reports.

Sources: https://docs.getodk.org/central-api-odata-endpoints/, https://github.com/getodk/central-webhook. In XML a
place is ``lat lon altitude accuracy``, in OData GeoJSON with the longitude first, in CSV four columns.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from xml.etree import ElementTree

from schemas.instants import parse_instant
from services.connectors.answers import AnswerReader, add_answer, flatten, is_empty, regrade
from services.connectors.model import (
    NotYetReport,
    NumberedOutcome,
    RefusedRow,
    RefusedRowError,
    RowContext,
    RowFault,
    RowOutcome,
    WithdrawnReport,
)

#: Read for no field whatever the tables say.
PERSONAL: Final = frozenset(
    {"submitterId", "submitterName", "deviceId", "SubmitterID", "SubmitterName", "DeviceID", "deviceid", "username",
     "phonenumber", "simserial", "subscriberid", "email"}
)  # fmt: skip
GRADE: Final = "B3"
SOURCE: Final = "field form"
_REVIEWED: Final = {"approved": "2", "hasIssues": "4"}
_REJECTED: Final = "rejected"
#: Kept of a submission beside the answers that are mapped.
_KEPT: Final = ("reviewState", "updatedAt", "deletedAt", "edits")
_MAX_XML_DEPTH: Final = 50
_TAG: Final = re.compile(r"<(/?)[A-Za-z_][^<>]*>")


def read_odk(payload: Any, context: RowContext) -> Iterator[NumberedOutcome]:
    """Each record of :func:`split`, numbered from 1."""
    for number, record in enumerate(split(payload), 1):
        yield NumberedOutcome(number, read_record(record, context))


def split(payload: Any) -> list[Any]:
    """The submission of a webhook, or those of a page of OData (``value``)."""
    listed = payload.get("value") if isinstance(payload, dict) else payload
    return listed if isinstance(listed, list) else [payload]


def next_page(payload: Any) -> str:
    """Where a list goes on; empty at its end."""
    found = payload.get("@odata.nextLink") if isinstance(payload, dict) else None
    return found if isinstance(found, str) else ""


def changed_at(record: Any) -> str:
    """When a submission came in or was last changed, as the server writes it."""
    system = record.get("__system") if isinstance(record, dict) else None
    if not isinstance(system, dict):
        return ""
    moments = [system.get(name) for name in ("submissionDate", "updatedAt", "deletedAt")]
    return max((moment for moment in moments if isinstance(moment, str)), default="")


def read_record(record: Any, context: RowContext) -> RowOutcome:
    """One submission, as a webhook or as OData has it."""
    return read_entry(record, context) if isinstance(record, dict) and "__id" in record else read_hook(record, context)


def strip(record: Any, context: RowContext) -> dict[str, Any]:
    """The submission as OData has it, without what no table maps: it is read again to the same report."""
    if not isinstance(record, dict):
        return {}
    system: Any = record.get("__system")
    answers: Mapping[str, Any] = {key: value for key, value in record.items() if not key.startswith("__")}
    if "__id" not in record:
        data = record.get("data")
        system = data if isinstance(data, dict) else {}
        answers = _try_xml(system.get("xml"))
    mapped = set(context.tables.fields.values())
    kept = {path: value for path, value in flatten(answers).items() if path in mapped and _is_public(path)}
    own = {name: system[name] for name in _KEPT if name in system} if isinstance(system, dict) else {}
    return {**kept, "__id": record.get("__id", record.get("id")), "__system": own}


def _try_xml(text: Any) -> dict[str, Any]:
    try:
        return flatten_xml(text) if isinstance(text, str) else {}
    except RefusedRowError:
        return {}


def _is_public(path: str) -> bool:
    return path.rpartition("/")[2] not in PERSONAL


def read_odk_rows(rows: Iterable[tuple[int, Mapping[str, str]]], context: RowContext) -> Iterator[NumberedOutcome]:
    """Each row of the CSV export, given with the line on which it begins."""
    for line, row in rows:
        yield NumberedOutcome(line, _read_row(row, context))


def read_hook(event: Any, context: RowContext) -> RowOutcome:
    """One event of a webhook. A review that is told without the answers is left to the list, unless it rejects."""
    if not isinstance(event, dict) or not isinstance(event.get("id"), str) or not isinstance(event.get("data"), dict):
        return RefusedRow((RowFault("not_valid", detail="type, id and data are wanted, as ODK Central posts them"),))
    external_id, data = _external_id(event["id"]), event["data"]
    if not str(event.get("type")).startswith("submission."):
        return NotYetReport(external_id, "an entity is no submission")
    if isinstance(data.get("xml"), str):
        try:
            answers = flatten_xml(data["xml"])
        except RefusedRowError as error:
            return RefusedRow(error.faults, external_id)
        return _report(answers, context, external_id, "0", str(data.get("reviewState") or ""))
    if data.get("reviewState") == _REJECTED:
        return WithdrawnReport(external_id, "rejected at the source")
    return NotYetReport(external_id, "reviewed at the source: the list has its grade")


def read_entry(record: Any, context: RowContext) -> RowOutcome:
    """One submission as OData has it."""
    if not isinstance(record, dict) or not isinstance(record.get("__id"), str):
        return RefusedRow((RowFault("empty", "__id"),))
    external_id = _external_id(record["__id"])
    found = record.get("__system")
    system: Mapping[str, Any] = found if isinstance(found, dict) else {}
    mark = _mark(system)
    if not is_empty(system.get("deletedAt")):
        return WithdrawnReport(external_id, "deleted at the source", mark)
    answers = flatten({key: value for key, value in record.items() if not key.startswith("__") and key != "meta"})
    return _report(answers, context, external_id, mark, str(system.get("reviewState") or ""))


def _read_row(row: Mapping[str, str], context: RowContext) -> RowOutcome:
    key = row.get("KEY", "")
    if is_empty(key):
        return RefusedRow((RowFault("empty", "KEY"),))
    answers: dict[str, Any] = {}
    for question in context.tables.fields.values():
        column = question.replace("/", "-")
        parts = [row.get(f"{column}-{name}", "") for name in ("Latitude", "Longitude", "Altitude", "Accuracy")]
        point = " ".join(part or "0" for part in parts) if parts[0] and parts[1] else ""
        answers[question] = point or row.get(question, row.get(column, ""))
    return _report(answers, context, _external_id(key), row.get("Edits", ""), row.get("ReviewState", ""), labelled=True)


def _report(
    answers: Mapping[str, Any], context: RowContext, external_id: str, mark: str, review: str, *, labelled: bool = False
) -> RowOutcome:
    if review == _REJECTED:
        return WithdrawnReport(external_id, "rejected at the source", mark)
    tables = context.tables
    public = {path: value for path, value in answers.items() if _is_public(path)}
    grade = regrade(tables.grade or GRADE, _REVIEWED.get(review))
    reader = AnswerReader(public, context, labelled=labelled)
    try:
        return reader.draft(external_id, {"source": {"name": tables.form or SOURCE, "grade": grade}}, mark)
    except RefusedRowError as error:
        return RefusedRow(error.faults, external_id)


def flatten_xml(text: str) -> dict[str, Any]:
    """Each answer of a submission in XML by its path below the root. Raises RefusedRowError, also for declarations of
    entities, which no submission has."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text or _depth(text) > _MAX_XML_DEPTH:
        raise RefusedRowError(RowFault("not_valid", "xml", detail="the submission is not XML as ODK writes it"))
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - without declarations there is nothing to expand
    except (ElementTree.ParseError, ValueError) as error:
        raise RefusedRowError(RowFault("not_valid", "xml", detail="the submission is not XML")) from error
    return flatten(_children(root))


def _children(element: ElementTree.Element) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for child in element:
        name = child.tag.rpartition("}")[2]
        value: Any = _children(child) if len(child) else (child.text or "").strip()
        add_answer(found, name, value)
    return found


def _depth(text: str) -> int:
    deepest = depth = 0
    for tag in _TAG.finditer(text):
        if not tag[0].endswith("/>"):
            depth += -1 if tag[1] else 1
        deepest = max(deepest, depth)
    return deepest


def _external_id(id: str) -> str:
    return f"odk-{id.strip().removeprefix('uuid:')}"


def _mark(system: Mapping[str, Any]) -> str:
    """The later of update and deletion, in microseconds; else the count of edits."""
    moments = [_instant(system.get(name)) for name in ("updatedAt", "deletedAt")]
    latest = max(moments)
    edits = system.get("edits")
    return str(latest or (edits if isinstance(edits, int) else 0))


def _instant(value: Any) -> int:
    try:
        return parse_instant(value) if isinstance(value, str) else 0
    except ValueError:
        return 0
