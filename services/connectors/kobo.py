"""KoboToolbox: what a REST service posts, a page of the API, a row of an export, as reports.

Sources: https://support.kobotoolbox.org/rest_services.html, https://support.kobotoolbox.org/api.html. ``_id`` stays
over edits, while ``_uuid`` and ``meta/instanceID`` change. Questions are ``group/question`` in every form.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from services.connectors.answers import AnswerReader, flatten, is_empty, regrade
from services.connectors.model import (
    AdapterMap,
    NumberedOutcome,
    RefusedRow,
    RefusedRowError,
    RowContext,
    RowFault,
    RowOutcome,
    WithdrawnReport,
)

#: Read for no field whatever the tables say: who submitted, on which device, and files named after a user.
PERSONAL: Final = frozenset(
    {"_submitted_by", "username", "deviceid", "phonenumber", "simserial", "subscriberid", "email", "formhub/uuid",
     "_attachments", "_validation_status"}
)  # fmt: skip
GRADE: Final = "B3"
SOURCE: Final = "field form"
#: Kept of a submission beside the answers that are mapped.
_KEPT: Final = ("_id", "_xform_id_string", "_geolocation", "meta/deprecatedID")
#: The second part of the grade, by what a reviewer said.
_REVIEWED: Final = {"approved": "2", "on_hold": "4"}
_REJECTED: Final = "not_approved"


def read_kobo(payload: Any, context: RowContext) -> Iterator[NumberedOutcome]:
    """Each record of :func:`split`, numbered from 1."""
    for number, record in enumerate(split(payload), 1):
        yield NumberedOutcome(number, read_submission(record, context))


def read_kobo_rows(rows: Iterable[tuple[int, Mapping[str, str]]], context: RowContext) -> Iterator[NumberedOutcome]:
    """Each row of an export, CSV or XLSX, with labels or with names; given with the line on which it begins."""
    for line, row in rows:
        yield NumberedOutcome(line, read_submission(dict(row), context, labelled=True))


def split(payload: Any) -> list[Any]:
    """The submissions of a posted body or of a page of the API (``results``)."""
    if isinstance(payload, list):
        return payload
    results = payload.get("results") if isinstance(payload, dict) else None
    if isinstance(results, list):
        return results
    return [_unwrapped(payload)]


def _unwrapped(payload: Any) -> Any:
    """The submission in a body that the service's template wraps in one key."""
    while isinstance(payload, dict) and len(payload) == 1:
        (inner,) = payload.values()
        if isinstance(inner, str):
            try:
                inner = json.loads(inner)
            except ValueError:
                break
        if not isinstance(inner, dict):
            break
        payload = inner
    return payload


def next_page(payload: Any) -> str:
    """Where a list goes on; empty at its end."""
    found = payload.get("next") if isinstance(payload, dict) else None
    return found if isinstance(found, str) else ""


def changed_at(record: Any) -> str:
    """When a submission came in, as the server writes it: a list can be asked for those after it."""
    found = record.get("_submission_time") if isinstance(record, dict) else None
    return found if isinstance(found, str) else ""


def strip(record: Any, context: RowContext) -> dict[str, Any]:
    """The submission without what no table maps: it is read again to the same report."""
    if not isinstance(record, dict):
        return {}
    mapped = set(context.tables.fields.values()) | {"start"}
    answers = {path: value for path, value in flatten(_public(record)).items() if path in mapped - PERSONAL}
    own = {key: record[key] for key in _KEPT if key in record}
    status, at = _validation(record)
    review = {"_validation_status": {"uid": status, "timestamp": at}} if status else {}
    links = {"_attachments": [{"download_url": link} for link in _evidence(record)]}
    return {**answers, **own, **review, **links}


def read_submission(record: Any, context: RowContext, *, labelled: bool = False) -> RowOutcome:
    """One submission. ``labelled``: it is a row of an export."""
    if not isinstance(record, dict):
        return RefusedRow((RowFault("not_valid", detail="a submission is wanted, as a JSON object"),))
    number = record.get("_id")
    if is_empty(number) or not str(number).strip().isdigit():
        return RefusedRow((RowFault("empty" if is_empty(number) else "not_valid", "_id", _shown(number)),))
    external_id = "-".join(filter(None, ("kobo", _form(record, context), str(number).strip())))
    status, at = _validation(record)
    mark = str(max(at, 0 if is_empty(record.get("meta/deprecatedID")) else 1))
    if status == _REJECTED:
        return WithdrawnReport(external_id, "not approved at the source", mark)
    try:
        return _draft(record, context, external_id, mark, _REVIEWED.get(status), labelled=labelled)
    except RefusedRowError as error:
        return RefusedRow(error.faults, external_id)


def _draft(
    record: Mapping[str, Any], context: RowContext, external_id: str, mark: str, credibility: str | None, *,
    labelled: bool,
) -> RowOutcome:  # fmt: skip
    tables = context.tables
    answers = {path: value for path, value in flatten(_public(record)).items() if path not in PERSONAL}
    source = {"name": tables.form or SOURCE, "grade": regrade(tables.grade or GRADE, credibility)}
    defaults: dict[str, Any] = {"source": source, "location": _geolocation(record), "evidence": _evidence(record)}
    if "occurred" not in {path.partition(".")[0] for path in tables.fields} and not is_empty(answers.get("start")):
        tables = _with_start(context)
    reader = AnswerReader(answers, RowContext(tables, context.zone), labelled=labelled)
    return reader.draft(external_id, defaults, mark)


def _with_start(context: RowContext) -> AdapterMap:
    return msgspec.structs.replace(context.tables, fields={**context.tables.fields, "occurred": "start"})


def _public(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in PERSONAL and key != "_geolocation"}


def _form(record: Mapping[str, Any], context: RowContext) -> str:
    named = record.get("_xform_id_string")
    return named.strip() if isinstance(named, str) and named.strip() else context.tables.form


def _validation(record: Mapping[str, Any]) -> tuple[str, int]:
    """The verdict of a reviewer, ``approved``, and its time in seconds."""
    found = record.get("_validation_status")
    if isinstance(found, dict):
        at = found.get("timestamp")
        return _status(found.get("uid")), at if isinstance(at, int) else 0
    return _status(found), 0


def _status(value: Any) -> str:
    text = value if isinstance(value, str) else ""
    return text.strip().lower().removeprefix("validation_status_").replace(" ", "_")


def _geolocation(record: Mapping[str, Any]) -> Any:
    found = record.get("_geolocation")
    return found if isinstance(found, list) and not any(is_empty(part) for part in found[:2]) else None


def _evidence(record: Mapping[str, Any]) -> list[str]:
    """Where the attachments are; opening one needs an account there."""
    found = record.get("_attachments")
    links = [one.get("download_url") for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return [link for link in links if isinstance(link, str) and link]


def _shown(value: Any) -> str | None:
    return None if value is None else str(value)[:80]
