"""Examples for the published document, where an operation brings none of its own; the tests check every one."""

from typing import Any, Final

from schemas.examples import ASSESSMENT, REPORT
from schemas.topics import TOPICS

#: By the collection in the path, or the parameter's name.
PARAMETERS: Final = {
    "incidents": "inc_5f1d0c6b8a7e49d2b3c4",
    "incident_id": "inc_5f1d0c6b8a7e49d2b3c4",
    "alerts": "alr_0d4b1c9e7f3a",
    "subscriptions": "sub_9c2f7b1e5d8a4e60",
    "deliveries": "msg_4c1f6a0e93b7d258",
    "parties": "jaysh-al-islam",
    "presence": "nusra.aleppo-city.1",
    "areas": "aleppo-city",
    "places": "aleppo",
    "truces": "aleppo-calm",
    "keys": "9f86d081884c7d65",
    "dead-letters": "6b86b273ff34fce19d6b804e",
    "feed-tokens": "feed_9f86d081884c7d65",
    "silences": "sil_4e07408562bed1a2",
    "mail-blocks": "msg_1f4a6c7be0d35928",
}

_PARTY: Final = {
    "id": "jaysh-al-islam",
    "kind": "armed_group",
    "name": {"en": "Jaysh al-Islam", "ar": "جيش الإسلام", "ru": "Джейш аль-Ислам"},
    "aliases": ["Army of Islam", "Jaish al-Islam"],
    "member_of": [{"party": "opposition"}],
}
_PRESENCE: Final = {
    "id": "nusra.aleppo-city.1",
    "party": "nusra",
    "area": "aleppo-city",
    "control": "present",
    "from": "2016-02-01",
}
_AREA: Final = {
    "type": "Feature",
    "id": "aleppo-city",
    "properties": {"name": {"en": "Aleppo city"}},
    "geometry": {
        "type": "Polygon",
        "coordinates": [[[37.05, 36.15], [37.25, 36.15], [37.25, 36.27], [37.05, 36.27], [37.05, 36.15]]],
    },
}
_PLACE: Final = {
    "id": "midan-aleppo", "name": "Midan, Aleppo", "aliases": ["al-Midan"], "lat": 36.214, "lon": 37.166,
    "radius_km": 1.0,
}  # fmt: skip
_DECLARED: Final = {
    "id": "russia-20160506",
    "issuer": "russia",
    "action": "declare",
    "announced_at": "2016-05-06T20:00",
    "starts_at": "2016-05-07T00:01",
    "ends_at": "2016-05-10T00:01",
    "text": "The regime of calm is prolonged by 72 hours.",
}
_TRUCE: Final = {
    "id": "aleppo-calm",
    "name": {"en": "Aleppo calm"},
    "kind": "local_calm",
    "area": "aleppo-city",
    "duties": [{"bound": "any", "toward": "any", "acts": ["all_weapons"]}],
    "exclusions": ["nusra"],
    "announcements": [_DECLARED],
}
_WINDOW: Final = {
    "from": "2016-05-06T21:01:00Z",
    "to": "2016-05-09T21:01:00Z",
    "disputed": False,
    "announcements": ["russia-20160506"],
    "accounts": [
        {
            "from": "2016-05-06T21:01:00Z",
            "to": "2016-05-09T21:01:00Z",
            "announcement": "russia-20160506",
            "issuer": "russia",
            "area": "aleppo-city",
        }
    ],
    "stretches": [
        {
            "from": "2016-05-06T21:01:00Z",
            "to": "2016-05-09T21:01:00Z",
            "area": "aleppo-city",
            "disputed": False,
            "announcements": ["russia-20160506"],
        }
    ],
}
_TRUCE_NOW: Final = {**_TRUCE, "in_force": True, "windows": [_WINDOW]}
_RESOURCES: Final = {"parties": _PARTY, "presence": _PRESENCE, "areas": _AREA, "places": _PLACE, "truces": _TRUCE}
_CHANGED: Final = {"registry_version": 12, "reassessment": "registry-12"}
_REASSESSMENT: Final = {
    "id": "registry-12",
    "registry_version": 12,
    "cause": {
        "kind": "registry",
        "by": {"key": "key_5f1d0c6b", "name": "night desk"},
        "reason": "Prolonged by 72 hours, announced late.",
        "resources": ["truces/aleppo-calm"],
        "registry_version": 12,
    },
    "state": "done",
    "candidates": 214,
    "done": 214,
    "changed": 31,
    "flips": 12,
    "started_at": "2016-05-06T23:10:00Z",
    "ended_at": "2016-05-06T23:10:02Z",
}
_DOCUMENT: Final = {
    "version": 1,
    "timezone": "Asia/Damascus",
    "parties": [_PARTY],
    "presence": [_PRESENCE],
    "areas": {"type": "FeatureCollection", "features": [_AREA]},
    "places": [_PLACE],
    "truces": [_TRUCE],
}


def page(*items: Any) -> dict[str, Any]:
    """A list that ends here."""
    return {"items": list(items), "next": None, "has_more": False}


_SUMMARY: Final = {
    "incident_id": "inc_5f1d0c6b8a7e49d2b3c4",
    "external_id": REPORT["external_id"],
    "partner": "Aleppo monitors",
    "revision": 1,
    "received_at": "2016-05-08T09:29:59Z",
    "state": "assessed",
    "verdict": "violation",
    "certainty": "Possible",
    "severity": "Severe",
    "truces": ["aleppo-calm"],
    "occurred": {"from": "2016-05-07T21:00:00Z", "to": "2016-05-08T21:00:00Z"},
    "report": REPORT,
}
_REVISION: Final = {"revision": 1, "received_at": "2016-05-08T09:29:59Z", "retracted": None, "report": REPORT}
_KEY: Final = {
    "id": "9f86d081884c7d65", "name": "Aleppo monitors", "role": "partner", "created_at": "2016-05-01T08:00:00Z",
    "expires_at": None, "revoked_at": None,
}  # fmt: skip
_DEAD: Final = {
    "id": "6b86b273ff34fce19d6b804e",
    "consumer": "rules.incidents",
    "topic": TOPICS["incidents"].name,
    "key": "inc_5f1d0c6b8a7e49d2b3c4",
    "event_id": "inc_5f1d0c6b8a7e49d2b3c4.1",
    "reason": "incidents event inc_5f1d0c6b8a7e49d2b3c4.1: Input data was truncated",
    "died_at": "2016-05-08T09:30:02Z",
    "retried_at": None,
    "data": "{",
}
_ACT: Final = {
    "id": "5994471abb01112afcc18159f6cc74b4",
    "at": "2016-05-01T08:00:00Z",
    "actor": {"key": "9f86d081884c7d65", "name": "operator"},
    "action": "key.created",
    "resource": "keys/9f86d081884c7d65",
    "detail": {"name": "Aleppo monitors", "role": "partner", "expires_at": None},
}

#: An alert as subscribers get it.
ALERT: Final = {
    "id": "alr_0d4b1c9e7f3a",
    "revision": 1,
    "status": "raised",
    "thread": "alr_0d4b1c9e7f3a",
    "incident_id": "inc_5f1d0c6b8a7e49d2b3c4",
    "sent_at": "2016-05-08T09:30:00Z",
    "changes": [],
    "headline": "Shelling at Midan, Aleppo: possible violation of the Aleppo calm",
    "verdict": "violation",
    "certainty": "Possible",
    "severity": "Severe",
    "act": "shelling",
    "occurred": {"from": "2016-05-07T21:00:00Z", "to": "2016-05-08T21:00:00Z"},
    "place": ASSESSMENT["place"],
    "perpetrators": ASSESSMENT["perpetrators"],
    "targets": ASSESSMENT["targets"],
    "casualties": {"killed": 1, "injured": 0},
    "truces": ["aleppo-calm", "cessation-of-hostilities"],
    "reasons": ASSESSMENT["findings"][0]["reasons"],
    "source": {"name": "State media", "grade": "C3"},
    "cause": ASSESSMENT["cause"],
    "links": {
        "self": "http://127.0.0.1:8000/v1/alerts/alr_0d4b1c9e7f3a",
        "incident": "http://127.0.0.1:8000/v1/incidents/inc_5f1d0c6b8a7e49d2b3c4",
    },
}
_SUBSCRIPTION: Final[dict[str, Any]] = {
    "id": "sub_9c2f7b1e5d8a4e60",
    "status": "active",
    "status_reason": "",
    "contact_status": "none",
    "owner": "Aleppo desk",
    "created_at": "2016-05-01T08:00:00Z",
    "proved_at": "2016-05-01T08:00:01Z",
    "failing_since": None,
    "name": "Aleppo desk",
    "channel": {"type": "webhook", "url": "https://example.org/hooks/truce"},
    "filter": {"truces": ["aleppo-calm"], "verdicts": ["violation"]},
    "contact": None,
    "mode": "immediate",
    "quiet_hours": None,
    "group_by": [],
    "group_wait": "PT30S",
    "group_interval": "PT5M",
    "heartbeat": None,
    "language": "en",
    "format": "json",
    "notices": [],
    "verified": False,
}
_DELIVERY: Final = {
    "id": "msg_4c1f6a0e93b7d258",
    "type": "alert.raised",
    "status": "delivered",
    "alert_id": "alr_0d4b1c9e7f3a",
    "revision": 1,
    "created_at": "2016-05-08T09:30:00Z",
    "next_attempt_at": None,
    "finished_at": "2016-05-08T09:30:00.041Z",
    "attempts": [
        {
            "number": 1,
            "at": "2016-05-08T09:30:00.012Z",
            "status": 204,
            "failure": None,
            "latency_ms": 28.4,
            "reason": "",
            "answer": "",
        }
    ],
}
_ADAPTER: Final[dict[str, Any]] = {
    "id": "field-desk", "kind": "kobo", "partner": "Field desk",
    "fields": {"occurred": "incident/when", "act": "what", "location": "incident/gps"},
    "choices": {"act": {"shell": "shelling"}}, "names": {"syrian_government": "syria"}, "form": "Truce form",
    "terms": None, "grade": "B3", "topic": None, "has_secret": True,
    "poll": {"url": "https://kf.example.org/api/v2/assets/aTruceForm1/data/", "every": "PT15M", "full_every": "P1D",
             "has_token": True},
    "version": 1, "created_at": "2016-05-08T12:00:00Z", "updated_at": "2016-05-08T12:00:00Z",
    "last_delivery_at": "2016-05-08T12:10:00Z", "last_poll_at": "2016-05-08T12:15:00Z",
    "last_full_at": "2016-05-08T12:00:00Z", "next_poll_at": "2016-05-08T12:30:00Z", "read": 41, "refused": 1,
    "withdrawn": 2, "found_again": 3, "failing": None,
}  # fmt: skip
_UNKNOWN_VALUE: Final = {"field": "act", "value": "shell", "count": 1}
_REFUSED_RECORD: Final[dict[str, Any]] = {
    "status": 422, "external_id": "kobo-aTruceForm1-990001",
    "problem": {
        "type": "about:blank", "title": "Not valid", "status": 422, "detail": "kobo-aTruceForm1-990001 is refused.",
        "errors": [{"pointer": "/what", "detail": "column what, “shell”: No table knows this value; add it to "
                    "choices.act of the map. The nearest allowed value is shelling."}],
    },
}  # fmt: skip
_SILENCE: Final = {
    "id": "sil_4e07408562bed1a2",
    "state": "active",
    "matchers": [{"name": "truce", "value": "aleppo-calm", "is_regex": False, "is_equal": True}],
    "starts_at": "2016-05-08T00:00:00Z",
    "ends_at": "2016-05-09T00:00:00Z",
    "reason": "Exercise of the monitoring teams",
    "author": "duty officer",
    "scope": "Aleppo desk",
    "created_at": "2016-05-07T18:20:00Z",
}
_TRACE: Final = {
    "delivered": True,
    "steps": [
        {"step": "match", "passed": True, "reason": "the filter lets it through"},
        {"step": "silence", "passed": True, "reason": "no silence matches"},
    ],
    "deliveries": [_DELIVERY],
}
_FOUND: Final = {
    "kind": "alert",
    "incident_id": "inc_5f1d0c6b8a7e49d2b3c4",
    "alerts": [
        {
            "id": "alr_0d4b1c9e7f3a",
            "thread": "alr_0d4b1c9e7f3a",
            "revisions": [
                {
                    "revision": 1,
                    "status": "raised",
                    "event_id": "alr_0d4b1c9e7f3a.1",
                    "cap_identifier": "alr_0d4b1c9e7f3a.1",
                    "atom_id": "urn:trucewatch:alert:alr_0d4b1c9e7f3a.1",
                }
            ],
            "deliveries": [
                {
                    "webhook_id": "msg_4c1f6a0e93b7d258",
                    "subscription_id": "sub_9c2f7b1e5d8a4e60",
                    "type": "alert.raised",
                    "message_id": None,
                }
            ],
        }
    ],
}
_STREAM: Final = 'id: WzQyXQ\nevent: alert\ndata: {"id": "alr_0d4b1c9e7f3a", "revision": 1, "status": "raised"}\n\n'
_FEED: Final = '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">…</feed>\n'
_BLOCK: Final = {"id": "msg_1f4a6c7be0d35928", "address": "someone@example.org", "blocked_at": "2016-05-01T08:00:00Z"}
_TOKEN: Final = {"id": "feed_9f86d081884c7d65", "owner": "Aleppo desk", "created_at": "2016-05-01T08:00:00Z"}
_QUEUED: Final = {"id": "msg_4c1f6a0e93b7d258", "status": "pending"}
_HTML: Final = "<!doctype html>…"

#: Bodies of requests, by method and path.
BODIES: Final[dict[tuple[str, str], Any]] = {
    ("put", "/v1/registry"): _DOCUMENT,
    ("post", "/v1/unsubscribe"): {"List-Unsubscribe": "One-Click"},
    ("post", "/v1/truces/{id}/announcements"): {
        "id": "russia-20160510",
        "issuer": "russia",
        "action": "extend",
        "announced_at": "2016-05-09T23:00",
        "duration": "PT48H",
    },
    **{("put", f"/v1/{kind}/{{id}}"): resource for kind, resource in _RESOURCES.items()},
}

_FINDING: Final = ASSESSMENT["findings"][0]
_EXPLANATION: Final = {
    **{
        field: ASSESSMENT[field]
        for field in (
            "incident_id", "revision", "registry_version", "verdict", "certainty", "severity", "occurred", "place",
            "reasons",
        )
    },
    "truces": [
        {
            "truce": "aleppo-calm",
            "name": "Aleppo regime of calm",
            **{field: _FINDING[field] for field in ("outcome", "certainty", "window")},
            "decided_by": "duties",
            "checks": [
                {
                    "check": "act",
                    "title": "Does a duty of the truce forbid the act?",
                    "result": "passed",
                    "reasons": [],
                }
            ],
            "windows": [_WINDOW],
            "announcements": [
                {
                    "id": "russia-20160506",
                    "action": "extend",
                    "issuer": "russia",
                    "issuer_name": "Russian forces",
                    "announced_at": "2016-05-06T20:00:00Z",
                    "text": "Prolonged in the city by 72 hours from 00:01 on 7 May.",
                }
            ],
            "areas": [{"area": "aleppo-city", "name": "Aleppo city", "share": 1.0}],
            "perpetrators": [],
            "targets": [],
            "duties": [
                {
                    "bound": None,
                    "toward": None,
                    "acts": ["shelling"],
                    "forbids": True,
                    "binds": ["opposition fighters"],
                    "protects": ["civilians"],
                }
            ],
        }
    ],
}  # fmt: skip

#: The first answer of an operation, by method and path.
ANSWERS: Final[dict[tuple[str, str], Any]] = {
    ("get", "/v1/registry"): _DOCUMENT,
    ("put", "/v1/registry"): {
        **_CHANGED,
        "resource": None,
        "changes": [{"resource": "truces/aleppo-calm", "op": "replace"}],
    },
    ("get", "/v1/registry/history"): page(
        {
            "registry_version": 13,
            "recorded_at": "2016-05-06T23:10:00Z",
            "by": {"key": "9f86d081884c7d65", "name": "duty officer"},
            "action": "truce.announced",
            "reason": "The Russian ministry announced the extension.",
            "changes": [{"resource": "truces/aleppo-calm", "op": "replace"}],
            "change_count": 1,
        }
    ),
    **{("get", f"/v1/{kind}/{{id}}"): resource for kind, resource in _RESOURCES.items()},
    **{("put", f"/v1/{kind}/{{id}}"): {**_CHANGED, "resource": resource} for kind, resource in _RESOURCES.items()},
    **{("delete", f"/v1/{kind}/{{id}}"): {**_CHANGED, "resource": None} for kind in _RESOURCES},
    ("get", "/v1/reassessments"): page(_REASSESSMENT),
    ("get", "/v1/reassessments/{id}"): _REASSESSMENT,
    ("post", "/v1/reassessments/{id}/stop"): {**_REASSESSMENT, "state": "stopped"},
    ("post", "/v1/reassessments/{id}/resume"): {**_REASSESSMENT, "state": "running", "ended_at": None},
    **{("get", f"/v1/{kind}"): page(resource) for kind, resource in _RESOURCES.items()},
    ("get", "/v1/truces/{id}"): _TRUCE_NOW,
    ("get", "/v1/truces"): page(_TRUCE_NOW),
    ("get", "/v1/truces/{id}/windows"): [_WINDOW],
    ("post", "/v1/truces/{id}/announcements"): {
        **_CHANGED,
        "resource": _TRUCE,
        "windows": [_WINDOW],
    },
    ("post", "/v1/evaluate"): ASSESSMENT,
    ("get", "/v1/assessments"): page(ASSESSMENT),
    ("get", "/v1/incidents/{incident_id}/assessments"): page(ASSESSMENT),
    ("get", "/v1/incidents/{incident_id}/explain"): _EXPLANATION,
    ("get", "/v1/incidents"): page(_SUMMARY),
    ("get", "/v1/statistics"): {
        "series": [
            {
                "key": "violation",
                "points": [
                    {
                        "at": "2016-05-07T21:00:00Z",
                        "incidents": 3,
                        "killed": {"min": 4, "max": 6},
                        "injured": {"min": 0, "max": 0},
                    }
                ],
            }
        ],
        "omitted": 0,
    },
    ("get", "/v1/incidents/{incident_id}"): {**_SUMMARY, "revisions": [_REVISION], "assessment": ASSESSMENT},
    ("post", "/v1/incidents"): {"incident_id": "inc_5f1d0c6b8a7e49d2b3c4", "revision": 1, "status": "accepted"},
    ("post", "/v1/incidents/batch"): {
        "results": [
            {"index": 0, "status": 202, "incident_id": "inc_5f1d0c6b8a7e49d2b3c4", "revision": 1},
            {
                "index": 1,
                "status": 422,
                "problem": {
                    "type": "about:blank",
                    "title": "Not valid",
                    "status": 422,
                    "errors": [{"pointer": "/location/lat", "detail": "Expected `float` <= 90.0"}],
                },
            },
        ]
    },
    ("get", "/v1/keys"): page(_KEY),
    ("get", "/v1/keys/self"): {"id": "key_5d2e8f1a", "name": "Aleppo desk", "role": "monitor"},
    ("get", "/v1/audit"): page(_ACT),
    ("get", "/v1/dead-letters"): page(_DEAD),
    ("post", "/v1/dead-letters/{letter_id}/retry"): {"id": "6b86b273ff34fce19d6b804e", "status": "retried"},
    **{(method, "/v1/adapters/{id}"): _ADAPTER for method in ("get", "put")},
    ("get", "/v1/adapters"): page(_ADAPTER),
    ("post", "/v1/adapters/{id}/preview"): {"results": [_REFUSED_RECORD], "unknown": [_UNKNOWN_VALUE]},
    ("post", "/v1/inbound/{id}"): {
        "status": 200,
        "results": [
            {
                "status": 202,
                "external_id": "kobo-aTruceForm1-990001",
                "incident_id": "inc_5f1d0c6b8a7e49d2b3c4",
                "revision": 1,
            },
        ],
    },
    ("get", "/v1/alerts"): {"items": [ALERT], "next": "WzQyXQ", "has_more": False},
    ("get", "/v1/alerts/{id}"): ALERT,
    ("get", "/a/{token}"): _HTML,
    ("get", "/a/{token}/json"): ALERT,
    ("get", "/v1/subscriptions"): page(_SUBSCRIPTION),
    **{(method, "/v1/subscriptions/{id}"): _SUBSCRIPTION for method in ("get", "put", "patch")},
    ("post", "/v1/subscriptions"): {
        "id": "sub_9c2f7b1e5d8a4e60",
        "status": "pending",
        "secret": "whsec_YW4gZXhhbXBsZSwgbm90IGEgc2VjcmV0ISEh",
    },
    ("get", "/v1/subscriptions/{id}/deliveries"): page(_DELIVERY),
    ("get", "/v1/subscriptions/{id}/deliveries/{delivery}"): _DELIVERY,
    ("post", "/v1/subscriptions/{id}/deliveries/{delivery}/resend"): _QUEUED,
    ("post", "/v1/subscriptions/{id}/test"): _QUEUED,
    ("post", "/v1/subscriptions/{id}/verify"): {"id": "sub_9c2f7b1e5d8a4e60", "status": "pending"},
    ("post", "/v1/subscriptions/{id}/recover"): {"recovered": 3},
    **{(method, path): _HTML for method in ("get", "post") for path in ("/v1/block", "/v1/confirm", "/v1/unsubscribe")},
    ("get", "/v1/mail-blocks"): page(_BLOCK),
    ("get", "/v1/alerts/{id}/trace"): _TRACE,
    ("get", "/v1/alerts/feed.atom"): _FEED,
    ("get", "/v1/alerts/stream"): _STREAM,
    ("get", "/v1/silences"): page(_SILENCE),
    ("get", "/v1/silences/{id}"): _SILENCE,
    ("post", "/v1/silences"): _SILENCE,
    ("get", "/v1/lookup"): _FOUND,
    ("get", "/v1/feed-tokens"): page(_TOKEN),
    ("post", "/v1/feed-tokens"): {"id": "feed_9f86d081884c7d65", "token": "Hq3vY0aWm1cVtRkJx7p2sQ"},
    ("get", "/metrics"): 'trucewatch_assessments_total{verdict="violation"} 13.0\n',
}
