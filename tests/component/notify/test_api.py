"""Permissions on subscriptions, and refusals with their pointers."""

from pathlib import Path
from typing import Any

import pytest

from schemas.codec import decode
from schemas.topics import AUDIT
from tests.component.notify.running import RunningNotify, running_notify

HOOK = {"channel": {"type": "webhook", "url": "https://example.org/hook"}}


async def pointers(notify: RunningNotify, body: Any, key: str = "tw_monitor") -> list[str]:
    answer = await notify.call("POST", "/v1/subscriptions", body, key=key)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return sorted(error["pointer"] for error in answer.json()["errors"])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, ["/channel"]),
        ({"channel": {"type": "pigeon"}}, ["/channel/type"]),
        ({"channel": {"type": "webhook", "url": "http://10.0.0.1/"}}, ["/channel/url"]),
        ({"channel": {"type": "webhook", "url": "ftp://example.org/"}}, ["/channel/url"]),
        ({"channel": {"type": "email", "to": "nobody"}}, ["/channel/to"]),
        (HOOK | {"filter": {"acts": ["sneezing"], "min_severity": "Bad"}}, ["/filter/acts/0", "/filter/min_severity"]),
        (HOOK | {"filter": {"bbox": [1, 2, 3]}}, ["/filter/bbox"]),
        (HOOK | {"filter": {"bbox": [0, 10, 1, -10]}}, ["/filter/bbox"]),
        (HOOK | {"mode": "hourly"}, ["/mode"]),
        (HOOK | {"mode": {"digest": "PT1H", "daily": "07:00"}}, ["/mode", "/mode/timezone"]),
        (HOOK | {"colour": "blue", "language": "fr"}, ["/colour", "/language"]),
        (HOOK | {"quiet_hours": {"from": "25:00", "to": "06:00", "timezone": "UTC"}}, ["/quiet_hours/from"]),
        (HOOK | {"group_by": ["weather"]}, ["/group_by/0"]),
        (HOOK | {"heartbeat": "often"}, ["/heartbeat"]),
    ],
    ids=str,
)
async def test_each_bad_field_is_pointed_at(tmp_path: Path, body: Any, expected: list[str]) -> None:
    async with running_notify(tmp_path) as notify:
        assert await pointers(notify, body) == expected


async def test_a_monitor_sees_and_changes_only_its_own_and_an_operator_all(tmp_path: Path) -> None:
    async with running_notify(tmp_path) as notify:
        id = (await notify.call("POST", "/v1/subscriptions", HOOK)).json()["id"]
        path = f"/v1/subscriptions/{id}"
        assert (await notify.call("POST", "/v1/subscriptions", HOOK, key="tw_partner")).status_code == 403
        assert (await notify.call("POST", "/v1/subscriptions", HOOK, key=None)).status_code == 401
        for method in ("GET", "DELETE"):
            assert (await notify.call(method, path, key="tw_other")).status_code == 404
        assert (await notify.get("/v1/subscriptions", key="tw_other"))["items"] == []
        assert [s["id"] for s in (await notify.get("/v1/subscriptions", key="tw_operator"))["items"]] == [id]
        assert "secret" not in str(await notify.get(path))
        renamed = await notify.call("PATCH", path, {"name": "New", "filter": {"min_severity": "Severe"}})
        assert (renamed.json()["name"], renamed.json()["filter"]["min_severity"]) == ("New", "Severe")
        assert (await notify.call("DELETE", path)).status_code == 204
        assert (await notify.call("GET", path)).status_code == 404


async def test_only_an_operator_may_declare_a_subscription_verified(tmp_path: Path) -> None:
    async with running_notify(tmp_path) as notify:
        assert (await notify.call("POST", "/v1/subscriptions", HOOK | {"verified": True})).status_code == 403
        made = await notify.call("POST", "/v1/subscriptions", HOOK | {"verified": True}, key="tw_operator")
        assert made.json()["status"] == "active"
        mine = (await notify.call("POST", "/v1/subscriptions", HOOK)).json()["id"]
        answer = await notify.call("PATCH", f"/v1/subscriptions/{mine}", {"verified": True}, key="tw_operator")
        assert answer.json()["status"] == "active"
        # Its owner may change the rest, and is to prove another address.
        assert (await notify.call("PATCH", f"/v1/subscriptions/{mine}", {"name": "x"})).json()["status"] == "active"
        moved = {"channel": {"url": "https://example.com/other"}}
        assert (await notify.call("PATCH", f"/v1/subscriptions/{mine}", moved)).json()["status"] == "pending"


async def test_pages_of_subscriptions_follow_the_cursor(tmp_path: Path) -> None:
    async with running_notify(tmp_path) as notify:
        made = [(await notify.call("POST", "/v1/subscriptions", HOOK)).json()["id"] for _ in range(5)]
        seen, cursor = [], ""
        while True:
            page = await notify.get(f"/v1/subscriptions?limit=2{cursor}")
            seen += [s["id"] for s in page["items"]]
            if not page["has_more"]:
                break
            cursor = f"&after={page['next']}"
        assert sorted(seen) == sorted(made)


async def test_what_cannot_be_done_now_is_409_and_what_is_not_there_404(tmp_path: Path) -> None:
    async with running_notify(tmp_path) as notify:
        id = (await notify.call("POST", "/v1/subscriptions", HOOK)).json()["id"]
        assert (await notify.call("POST", f"/v1/subscriptions/{id}/test")).status_code == 409
        since = {"since": "2016-05-08T00:00:00Z"}
        assert (await notify.call("POST", f"/v1/subscriptions/{id}/recover", since)).status_code == 409
        assert (await notify.call("POST", f"/v1/subscriptions/{id}/deliveries/msg_x/resend")).status_code == 404
        assert (await notify.call("GET", "/v1/alerts/none")).status_code == 404
        assert (await notify.call("GET", "/v1/alerts?after=rubbish")).status_code == 400


async def test_every_change_by_an_operator_is_in_the_audit(tmp_path: Path) -> None:
    async with running_notify(tmp_path) as notify:
        acts: list[str] = []
        await notify.call("POST", "/v1/subscriptions", HOOK)
        id = (await notify.call("POST", "/v1/subscriptions", HOOK | {"verified": True}, key="tw_operator")).json()["id"]
        await notify.call("DELETE", f"/v1/subscriptions/{id}", key="tw_operator")
        consumer = await notify.runtime.bus.consumer(AUDIT, "test")
        for received in await consumer.fetch(100, 0):
            acts.append(decode(received.event).action)
        assert acts == ["subscription.created", "subscription.ended"]


@pytest.mark.parametrize(
    ("matcher", "pointer"),
    [
        ({"name": "colour", "value": "x"}, "/matchers/0/name"),
        ({"name": "act", "value": "(?=a)", "is_regex": True}, "/matchers/0/value"),
    ],
)
async def test_bad_silences_are_pointed_at(tmp_path: Path, matcher: dict[str, Any], pointer: str) -> None:
    async with running_notify(tmp_path) as notify:
        body = {"matchers": [matcher], "ends_at": "2016-05-09T00:00:00Z", "reason": "exercise"}
        answer = await notify.call("POST", "/v1/silences", body)
        assert [e["pointer"] for e in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z", "9999-12-31T23:59:59-14:00"])
async def test_a_backtest_and_a_recovery_stay_on_the_calendar(tmp_path: Path, moment: str) -> None:
    async with running_notify(tmp_path) as notify:
        at = f"/v1/subscriptions/{(await notify.call('POST', '/v1/subscriptions', HOOK)).json()['id']}"
        since = await notify.call("POST", f"{at}/recover", {"since": moment})
        assert (since.status_code, since.json()["errors"][0]["pointer"]) == (422, "/since")
        late, early = {"from": "2016-05-08T00:00:00Z", "to": moment}, {"from": moment, "to": "2016-05-08T00:00:00Z"}
        for span, name in ((late, "/to"), (early, "/from")):
            answer = await notify.call("POST", f"{at}/backtest", span)
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, name)


async def test_a_backtest_over_the_whole_calendar_is_answered(tmp_path: Path) -> None:
    async with running_notify(tmp_path) as notify:
        at = f"/v1/subscriptions/{(await notify.call('POST', '/v1/subscriptions', HOOK)).json()['id']}"
        whole = {"from": "0001-01-02T00:00:00Z", "to": "9999-12-30T23:59:59.999999Z"}
        assert (await notify.call("POST", f"{at}/backtest", whole)).status_code == 200


@pytest.mark.parametrize(
    ("name", "moment"), [("starts_at", "0001-01-01T00:00:00+14:00"), ("ends_at", "9999-12-31T23:59:59-14:00")]
)
async def test_a_silence_stays_on_the_calendar(tmp_path: Path, name: str, moment: str) -> None:
    async with running_notify(tmp_path) as notify:
        body = {
            "matchers": [{"name": "act", "value": "x"}],
            "ends_at": "2016-05-09T00:00:00Z",
            "reason": "exercise",
            name: moment,
        }
        answer = await notify.call("POST", "/v1/silences", body)
        assert answer.status_code == 422
        assert [e["pointer"] for e in answer.json()["errors"]] == [f"/{name}"]


SILENCE = {"ends_at": "2016-05-09T00:00:00Z", "reason": "exercise"}


@pytest.mark.parametrize(
    "matchers",
    [
        [{"name": "act", "value": ".*", "is_regex": True}],
        [{"name": "act", "value": ".*", "is_regex": True}, {"name": "truce", "value": ".+", "is_regex": True}],
        [{"name": "act", "value": "no-such-act", "is_equal": False}],
        [{"name": "severity", "value": "x", "is_regex": True, "is_equal": False}],
        [{"name": "incident", "value": "no-such-incident", "is_equal": False}],
    ],
    ids=str,
)
async def test_a_silence_that_matches_every_alert_needs_everything(tmp_path: Path, matchers: Any) -> None:
    async with running_notify(tmp_path) as notify:
        refused = await notify.call("POST", "/v1/silences", SILENCE | {"matchers": matchers})
        assert refused.status_code == 422, refused.text
        assert [e["pointer"] for e in refused.json()["errors"]] == ["/matchers"]
        meant = await notify.call("POST", "/v1/silences", SILENCE | {"matchers": matchers, "everything": True})
        assert meant.status_code == 201, meant.text


@pytest.mark.parametrize("reason", [None, "", "  "])
async def test_a_silence_needs_a_reason(tmp_path: Path, reason: str | None) -> None:
    body = {"ends_at": SILENCE["ends_at"], "matchers": [{"name": "act", "value": "shelling"}]}
    async with running_notify(tmp_path) as notify:
        answer = await notify.call("POST", "/v1/silences", body | ({} if reason is None else {"reason": reason}))
        assert answer.status_code == 422
        assert [e["pointer"] for e in answer.json()["errors"]] == ["/reason"]


async def test_pages_reached_from_mail_cannot_be_framed_or_sniffed(tmp_path: Path) -> None:
    async with running_notify(tmp_path) as notify:
        for path in ("/v1/confirm?token=x", "/v1/unsubscribe?token=x"):
            headers = (await notify.call("GET", path, key=None)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert "frame-ancestors 'none'" in headers["content-security-policy"]


async def test_a_change_by_somebody_who_saw_an_older_form_is_refused(tmp_path: Path) -> None:
    async with running_notify(tmp_path) as notify:
        made = (await notify.call("POST", "/v1/subscriptions", HOOK)).json()
        url, auth = f"/v1/subscriptions/{made['id']}", {"authorization": "Bearer tw_monitor"}
        tag = (await notify.call("GET", url)).headers["etag"]
        first = await notify.api.patch(url, content=b'{"name": "first"}', headers={**auth, "if-match": tag})
        assert first.status_code == 200
        for method, body in (("PATCH", b'{"name": "second"}'), ("DELETE", b""), ("POST", b"")):
            path = f"{url}/verify" if method == "POST" else url
            stale = await notify.api.request(method, path, content=body, headers={**auth, "if-match": tag})
            assert (stale.status_code, stale.headers["etag"]) == (412, first.headers["etag"]), method
        assert (await notify.get(url))["name"] == "first"
        bad = await notify.api.delete(url, headers={**auth, "if-match": "x"})
        last = await notify.api.delete(url, headers={**auth, "if-match": first.headers["etag"]})
        assert (bad.status_code, last.status_code) == (400, 204)
