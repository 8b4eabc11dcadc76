"""JSON of alerts for webhooks and the API, and the envelope of a webhook's body, always under 20 kB.

A body over the limit is shortened by the first of these steps that suffices, each on top of those before it; the
alert's own address in ``links.self`` always gives the whole:

1. the facts of reasons are left out, their sentences stay;
2. reasons are left out, from the last one, all but three;
3. changes keep their fields and lose ``before`` and ``after``;
4. sides are cut to five parties, truces, changes and the resources of the cause to twenty, sentences to 300 bytes,
   names to 150, ids to 60.

``data.omitted``, there only then, counts the facts, reasons, changes, parties, truces and resources that are missing.
"""

from typing import Any, Final

import msgspec

from schemas.assessments import Alert
from schemas.instants import format_instant
from schemas.vocabulary import AlertStatus, Language
from services.notify.render.wording import headline, reason_texts

#: The contract says "under 20 kB"; kB is 1,000 bytes.
MAX_BODY: Final = 19_999
MAX_DATA: Final = MAX_BODY - 100
KEPT_REASONS: Final = 3
KEPT_PARTIES: Final = 5
KEPT_COALITIONS: Final = 3
KEPT_TRUCES: Final = 20
KEPT_ID: Final = 60
KEPT_NAME: Final = 150
KEPT_SENTENCE: Final = 300
#: Maximum bytes of one count in ``omitted``.
_COUNT_BYTES: Final = 20

Data = dict[str, Any]
_encode = msgspec.json.Encoder().encode


def alert_data(alert: Alert, *, status: AlertStatus, language: Language, sent_at: int, public_url: str) -> Data:
    """The public form of an alert, in one language. ``status`` follows the message, ``revision`` stays true.

    ``sent_at`` is an instant; ``public_url`` has no slash at its end.
    """
    data: Data = msgspec.to_builtins(alert_fields(alert, status, language, sent_at, public_url))
    return data


def alert_fields(alert: Alert, status: AlertStatus, language: Language, sent_at: int, public_url: str) -> Data:
    """The same without converting the parts of the alert: they encode alike."""
    texts = reason_texts(alert, language)
    complete = len(texts) == len(alert.reasons)
    return {
        "id": alert.id,
        "revision": alert.revision,
        "status": status,
        "thread": alert.thread,
        "incident_id": alert.incident_id,
        "sent_at": format_instant(sent_at),
        "changes": () if status == "raised" else alert.changes,
        "headline": headline(alert, language),
        "verdict": alert.verdict,
        "certainty": alert.certainty,
        "severity": alert.severity,
        "act": alert.act,
        "occurred": alert.occurred,
        "place": alert.place,
        "perpetrators": alert.perpetrators,
        "targets": alert.targets,
        "casualties": {"killed": alert.casualties.killed, "injured": alert.casualties.injured},
        "truces": alert.truces,
        "reasons": [
            {"code": r.code, "fact": r.fact, "text": texts[i] if complete else r.text}
            for i, r in enumerate(alert.reasons)
        ],
        "source": alert.source,
        "cause": alert.cause,
        "links": links(alert, public_url),
    }


def links(alert: Alert, public_url: str) -> dict[str, str]:
    return {
        "self": f"{public_url}/v1/alerts/{alert.id}",
        "incident": f"{public_url}/v1/incidents/{alert.incident_id}",
    }


def write_body(type: str, sent_at: int, data: Data) -> bytes:
    """The envelope of every webhook."""
    return _encode({"type": type, "timestamp": format_instant(sent_at), "data": data})


def fit(data: Data, limit: int) -> Data:
    """The data shortened by the steps of this module until its JSON has at most ``limit`` bytes, if they suffice."""
    if len(_encode(data)) <= limit:
        return data
    short, omitted = dict(data), dict[str, int]()
    for step in (_drop_facts, _drop_reasons, _drop_values, _cut_lists):
        step(short, omitted, limit)
        short["omitted"] = omitted
        if len(_encode(short)) <= limit:
            break
    return short


def _drop_facts(data: Data, omitted: dict[str, int], _: int) -> None:
    omitted["facts"] = sum(1 for reason in data["reasons"] if reason["fact"])
    data["reasons"] = [reason | {"fact": {}} for reason in data["reasons"]]


def _drop_reasons(data: Data, omitted: dict[str, int], limit: int) -> None:
    kept = list(data["reasons"])
    excess = len(_encode(data)) + _COUNT_BYTES - limit
    while len(kept) > KEPT_REASONS and excess > 0:
        excess -= len(_encode(kept.pop())) + 1
    omitted["reasons"] = len(data["reasons"]) - len(kept)
    data["reasons"] = kept


def _drop_values(data: Data, omitted: dict[str, int], _: int) -> None:
    omitted["changes"] = len(data["changes"])
    data["changes"] = [change | {"before": None, "after": None} for change in data["changes"]]


def _cut_lists(data: Data, omitted: dict[str, int], _: int) -> None:
    for side in ("perpetrators", "targets"):
        omitted[side] = max(len(data[side]) - KEPT_PARTIES, 0)
        data[side] = [_cut_party(party) for party in data[side][:KEPT_PARTIES]]
    omitted["truces"] = max(len(data["truces"]) - KEPT_TRUCES, 0)
    data["truces"] = [_cut(truce, KEPT_ID) for truce in data["truces"][:KEPT_TRUCES]]
    data["changes"] = data["changes"][:KEPT_TRUCES]
    data["reasons"] = [reason | {"text": _cut(reason["text"], KEPT_SENTENCE)} for reason in data["reasons"]]
    data["headline"] = _cut(data["headline"], KEPT_SENTENCE)
    omitted["resources"] = max(len(data["cause"]["resources"]) - KEPT_TRUCES, 0)
    data["cause"] = cut_cause(data["cause"])
    for name in ("place", "source"):
        data[name] = {k: _cut(v, KEPT_NAME) if isinstance(v, str) else v for k, v in data[name].items()}


def cut_cause(cause: Data) -> Data:
    """A cause, cut as by the last step."""
    return cause | {
        "by": cause["by"] and {name: value and _cut(value, KEPT_NAME) for name, value in cause["by"].items()},
        "reason": cause["reason"] and _cut(cause["reason"], KEPT_SENTENCE),
        "resources": [_cut(resource, KEPT_ID) for resource in cause["resources"][:KEPT_TRUCES]],
    }


def _cut_party(party: Data) -> Data:
    return {
        "reported": _cut(party["reported"], KEPT_NAME),
        "party": party["party"] and _cut(party["party"], KEPT_ID),
        "coalitions": [_cut(coalition, KEPT_ID) for coalition in party["coalitions"][:KEPT_COALITIONS]],
    }


def _cut(text: str, size: int) -> str:
    """The text, cut to ``size`` bytes of UTF-8 with an ellipsis."""
    raw = text.encode()
    return text if len(raw) <= size else raw[: size - 3].decode("utf-8", "ignore") + "…"
