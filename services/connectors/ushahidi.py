"""Ushahidi, version 3 to 5: what a webhook posts, a page of the API, as reports.

Source: https://docs.ushahidi.com/platform-developer-documentation/tech-stack/api-documentation/webhooks. A post is the
platform's; ``values`` holds its answers, by the key of each question.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from schemas.instants import parse_instant
from services.connectors.answers import AnswerReader, is_empty
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
PERSONAL: Final = frozenset({"author_email", "author_realname", "contact", "user_id", "user"})
#: Kept of a post beside the answers that are mapped.
_KEPT: Final = ("id", "status", "updated", "post_date", "title", "content", "locale", "source")
#: Reports by message come from anybody.
_BY_MESSAGE: Final = frozenset({"sms", "twitter"})
#: Of a point without a stated precision.
RADIUS_KM: Final = 1.0


def read_ushahidi(payload: Any, context: RowContext) -> Iterator[NumberedOutcome]:
    """Each record of :func:`split`, numbered from 1."""
    for number, record in enumerate(split(payload), 1):
        yield NumberedOutcome(number, read_post(record, context))


def split(payload: Any) -> list[Any]:
    """The post of a webhook, or those of a page of the API (``results``)."""
    listed = payload.get("results", [payload]) if isinstance(payload, dict) else payload
    return listed if isinstance(listed, list) else [listed]


def next_page(payload: Any) -> str:
    """Where a list goes on; empty at its end. A page that holds nothing is the last one, whatever it links to."""
    found = payload.get("next") if isinstance(payload, dict) and payload.get("results") else None
    return found if isinstance(found, str) else ""


def changed_at(record: Any) -> str:
    """When a post was last changed, as the server writes it."""
    found = record.get("updated") if isinstance(record, dict) else None
    return str(found) if isinstance(found, str | int) else ""


def strip(post: Any, context: RowContext) -> dict[str, Any]:
    """The post without what no table maps: it is read again to the same report."""
    if not isinstance(post, dict):
        return {}
    mapped = set(context.tables.fields.values()) - PERSONAL
    values = post.get("values")
    kept = {key: value for key, value in values.items() if key in mapped} if isinstance(values, dict) else {}
    return {**{key: value for key, value in post.items() if key in mapped.union(_KEPT)}, "values": kept}


def read_post(post: Any, context: RowContext) -> RowOutcome:
    """One post."""
    if not isinstance(post, dict) or is_empty(post.get("id")):
        return RefusedRow((RowFault("empty", "id"),))
    host = context.tables.form
    external_id = "-".join(filter(None, ("ushahidi", host, str(post["id"]).strip())))
    mark, status = _mark(post.get("updated")), post.get("status")
    if status == "archived":
        return WithdrawnReport(external_id, "archived at the source", mark)
    if status != "published":
        return NotYetReport(external_id, "a draft at the source")
    try:
        return _draft(post, context, external_id, mark)
    except RefusedRowError as error:
        return RefusedRow(error.faults, external_id)


def _draft(post: Mapping[str, Any], context: RowContext, external_id: str, mark: str) -> RowOutcome:
    tables, host = context.tables, context.tables.form
    answers = {key: value for key, value in post.items() if key not in PERSONAL | {"values"}}
    values = post.get("values")
    answers.update(_answers(values) if isinstance(values, dict) else {})
    grade = tables.grade or ("F6" if post.get("source") in _BY_MESSAGE else "D4")
    defaults: dict[str, Any] = {
        "source": {"name": f"Ushahidi {host}".strip(), "grade": grade},
        "description": "\n\n".join(
            text.strip() for name in ("title", "content") if isinstance(text := post.get(name), str) and text.strip()
        ),
    }
    if isinstance(locale := post.get("locale"), str) and locale.strip():
        defaults["language"] = locale.strip().replace("_", "-")
    fields = tables.fields
    if not any(path.partition(".")[0] == "occurred" for path in fields):
        fields = {**fields, "occurred": "post_date"}
    reader = AnswerReader(answers, RowContext(msgspec.structs.replace(tables, fields=fields), context.zone))
    draft = reader.draft(external_id, defaults, mark)
    location = draft.report["location"]
    if "lat" in location and "location.radius_km" not in fields:
        location["radius_km"] = max(RADIUS_KM, location.get("radius_km", 0.0))
    return draft


def _answers(values: Mapping[str, Any]) -> dict[str, Any]:
    """Each answer is a list, of one item for a plain question."""
    return {key: value[0] if isinstance(value, list) and len(value) == 1 else value for key, value in values.items()}


def _mark(updated: Any) -> str:
    """Seconds since the epoch (version 3), or a time (version 5)."""
    if isinstance(updated, int):
        return str(updated)
    try:
        return str(parse_instant(updated) // 1_000_000) if isinstance(updated, str) else "0"
    except ValueError:
        return "0"
