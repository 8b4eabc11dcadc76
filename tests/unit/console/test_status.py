"""The status is composed from what each service says, in the contract's shape."""

from typing import Any

import msgspec
import pytest

from schemas.wording.words import words
from services.status.report import Status, compose_status, explain

TRUCE = {
    "id": "aleppo-calm",
    "name": {"en": "Aleppo calm", "ar": "تهدئة حلب"},
    "from": "2016-05-06T21:01:00Z",
    "to": "2016-05-09T21:01:00Z",
    "timezone": "Asia/Damascus",
}
PARTS: dict[str, dict[str, Any]] = {
    "ingest": {"state": "ok", "lag": 9, "oldest_unassessed_s": 0.2, "last_report_at": "2016-05-08T11:59:00Z"},
    "rules": {"state": "ok", "lag": 3, "truces": {"in_force": [TRUCE], "ending_next": [TRUCE]}, "version": 12},
    "notify": {
        "state": "ok",
        "lag": 0,
        "backlog": 4,
        "failure_rate": 0.01,
        "disabled_endpoints": 1,
        "last_heartbeat": "2016-05-08T12:00:00Z",
        "subscriptions": {"active": 3, "failing": [], "disabled": 0},
        "mail": {"state": "ok"},
        "silences": {"active": 2},
    },
}
LOST = {"id": "s1", "name": "Aleppo desk", "since": "2016-05-08T11:00:00Z", "reason": "answered 500"}


def compose(changes: dict[str, dict[str, Any]] | None = None, **rest: Any) -> Status:
    parts = {name: {**part, **(changes or {}).get(name, {})} for name, part in PARTS.items()}
    return compose_status(parts, **{"version": "0.1.0", "bus": True, "database": True, "dead_letters": 0, **rest})


def test_the_shape_is_the_contract_s() -> None:
    assert msgspec.json.decode(msgspec.json.encode(compose())) == {
        "status": "ok",
        "version": "0.1.0",
        "components": {
            "ingest": {"state": "ok"},
            "rules": {"state": "ok", "lag": 3},
            "notify": {"state": "ok", "lag": 0},
            "bus": {"state": "ok"},
            "database": {"state": "ok"},
        },
        "oldest_unassessed_s": 0.2,
        "last_report_at": "2016-05-08T11:59:00Z",
        "deliveries": {"backlog": 4, "failure_rate": 0.01, "disabled_endpoints": 1},
        "subscriptions": {"active": 3, "failing": [], "disabled": 0},
        "mail": {"state": "ok", "detail": ""},
        "silences": {"active": 2},
        "review": {"open": 0},
        "reassessments": {"running": 0},
        "adapters": {"active": 0, "failing": []},
        "dead_letters": 0,
        "truces": {"in_force": [{**TRUCE, "disputed": False}], "ending_next": [{**TRUCE, "disputed": False}]},
        "last_heartbeat": "2016-05-08T12:00:00Z",
    }


def test_all_well_needs_nobody() -> None:
    assert explain(compose(), words("en")) == []


@pytest.mark.parametrize(
    ("changes", "rest", "state", "word"),
    [
        ({"rules": {"state": "degraded", "detail": "waiting for the log"}}, {}, "degraded", "waiting for the log"),
        ({"notify": {"state": "down"}}, {}, "down", "notify is down"),
        ({}, {"bus": False}, "down", "bus is down"),
        (
            {
                "ingest": {
                    "adapters": {"active": 1, "failing": [{"id": "forms", "since": None, "reason": "answered 503"}]}
                }
            },
            {},
            "degraded",
            "adapter forms: answered 503",
        ),
        ({}, {"database": False}, "down", "database is down"),
        ({}, {"dead_letters": 2}, "degraded", "2 dead letters"),
        ({"notify": {"subscriptions": {"failing": [LOST]}}}, {}, "degraded", "“Aleppo desk” (s1): answered 500"),
        ({"notify": {"subscriptions": {"failing": [LOST] * 7}}}, {}, "degraded", "2 more subscriptions"),
        ({"notify": {"mail": {"state": "degraded", "detail": "there is no relay"}}}, {}, "degraded", "no relay"),
        ({"rules": {"review": {"open": 1}}}, {}, "degraded", "1 incident waits in review"),
        ({"ingest": {"oldest_unassessed_s": 61}}, {}, "degraded", "waited 61 s"),
        ({"notify": {"failure_rate": 0.5}}, {}, "degraded", "50% of recent deliveries"),
        ({"notify": {"state": "degraded", "missed_heartbeats": 2}}, {}, "degraded", "did not get their heartbeat"),
    ],
)
def test_what_needs_a_person_is_said(changes: Any, rest: Any, state: str, word: str) -> None:
    status = compose(changes, **rest)
    assert status.status == state
    assert word in "; ".join(explain(status, words("en")))


def test_a_silent_service_is_down() -> None:
    parts = {name: part for name, part in PARTS.items() if name != "rules"}
    status = compose_status(parts, version="0", bus=True, database=True, dead_letters=0)
    assert (status.status, status.components.rules.state) == ("down", "down")


def test_the_gravest_comes_first() -> None:
    status = compose({"ingest": {"state": "degraded"}, "notify": {"state": "down"}})
    assert explain(status, words("en"))[0].startswith("notify")
