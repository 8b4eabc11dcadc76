"""The JSON bodies: their shape, their size, their languages."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.assessments import Alert, Change, Reason, ResolvedParty, ResolvedPlace
from schemas.causes import Actor, Cause
from schemas.instants import DAY, parse_instant
from schemas.vocabulary import LANGUAGES, AlertStatus, Language
from services.notify.domain.heartbeat import Heartbeat
from services.notify.domain.subscription import Draft, Subscription, Webhook
from services.notify.kinds.alert import alert_body
from services.notify.kinds.challenge import CHALLENGE, echoes
from services.notify.kinds.digest import digest_body
from services.notify.kinds.heartbeat import heartbeat_body
from services.notify.kinds.kind import Kind, Material
from services.notify.kinds.test import TEST
from services.notify.render.json import KEPT_REASONS, alert_data
from tests.examples import examples
from tests.unit.notify.samples import ALERT, NASTY, UPDATE_CHANGES

NOW = parse_instant("2016-05-08T09:00:00Z")
URL = "https://truce.example.org"


def body(alert: Alert, status: AlertStatus = "raised", language: Language = "en") -> dict[str, Any]:
    raw = alert_body(alert, status=status, language=language, sent_at=NOW, public_url=URL)
    assert len(raw) < 20_000
    decoded: dict[str, Any] = json.loads(raw)
    return decoded


def test_the_body_has_the_contracts_shape() -> None:
    got = body(ALERT)
    assert (got["type"], got["timestamp"]) == ("alert.raised", "2016-05-08T09:00:00Z")
    data = got["data"]
    assert list(data) == [
        "id", "revision", "status", "thread", "incident_id", "sent_at", "changes", "headline", "verdict", "certainty",
        "severity", "act", "occurred", "place", "perpetrators", "targets", "casualties", "truces", "reasons", "source",
        "cause", "links",
    ]  # fmt: skip
    assert data["links"] == {
        "self": f"{URL}/v1/alerts/{ALERT.id}",
        "incident": f"{URL}/v1/incidents/{ALERT.incident_id}",
    }
    assert data["headline"] == "Violation: shelling, Midan, Aleppo, 8 May 2016; 1 killed"
    assert data["occurred"] == {"from": "2016-05-07T21:00:00Z", "to": "2016-05-08T21:00:00Z"}
    assert data["reasons"][0]["code"] == "within_window"
    assert data["casualties"] == {"killed": 1, "injured": 0}
    assert data["cause"] == {
        "kind": "report", "by": None, "reason": None, "resources": [], "registry_version": None
    }  # fmt: skip


def test_a_message_names_its_cause_however_long_the_reason_and_the_list_of_what_changed() -> None:
    resources = tuple(f"truces/{'t' * 60}{n}" for n in range(1_000))
    cause = Cause("registry", Actor("o1", "desk" * 100), "late words " * 500, resources, 12)
    data = body(msgspec.structs.replace(ALERT, cause=cause), "updated")["data"]
    assert (data["cause"]["kind"], data["cause"]["registry_version"], data["cause"]["by"]["key"]) == (
        "registry", 12, "o1"
    )  # fmt: skip
    assert data["cause"]["reason"].startswith("late words")
    assert (len(data["cause"]["resources"]), data["omitted"]["resources"]) == (20, 980)


def test_a_first_message_is_raised_and_its_revision_stays_true() -> None:
    late = msgspec.structs.replace(ALERT, revision=3, status="updated", changes=UPDATE_CHANGES)
    first, later = body(late, "raised"), body(late, "updated")
    assert (first["type"], first["data"]["status"], first["data"]["revision"]) == ("alert.raised", "raised", 3)
    assert first["data"]["changes"] == []
    assert (later["type"], later["data"]["changes"][0]) == (
        "alert.updated", {"field": "severity", "before": "Moderate", "after": "Severe"}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("language", "headline", "reason"),
    [("en", "Violation: shelling", "The Aleppo regime"), ("ar", "انتهاك: قصف مدفعي", "كان نظام"),
     ("ru", "Нарушение: артиллерийский обстрел", "Режим тишины")],
)  # fmt: skip
def test_headline_and_reasons_speak_the_subscribers_language(language: Language, headline: str, reason: str) -> None:
    data = body(ALERT, language=language)["data"]
    assert data["headline"].startswith(headline)
    assert data["reasons"][0]["text"].startswith(reason)


def test_without_a_translation_the_reasons_are_english() -> None:
    bare = msgspec.structs.replace(ALERT, texts={}, names={})
    data = body(bare, language="ru")["data"]
    assert data["reasons"][0]["text"] == ALERT.reasons[0].text


def _huge(reasons: int, parties: int, letter: str) -> Alert:
    side = tuple(ResolvedParty(letter * 300, f"party-{n}", tuple(f"c{m}" for m in range(10))) for n in range(parties))
    return msgspec.structs.replace(
        ALERT,
        reasons=tuple(Reason("bound_perpetrator", {"party": letter * 300}, letter * 300) for _ in range(reasons)),
        perpetrators=side,
        targets=side,
        place=ResolvedPlace(letter * 300, 1.0, 2.0, 3.0),
        changes=tuple(Change("perpetrators", ["x" * 400] * 9, letter * 900) for _ in range(30)),
        truces=tuple(f"truce-{n}" for n in range(200)),
        texts={},
    )


@pytest.mark.parametrize("status", ["raised", "updated", "cancelled"])
@pytest.mark.parametrize("letter", ["a", "ع", "𐍈", '"', "\x01"])
def test_the_worst_report_stays_under_twenty_kilobytes(letter: str, status: AlertStatus) -> None:
    data = body(_huge(90, 50, letter), status)["data"]
    assert len(data["reasons"]) >= KEPT_REASONS
    assert data["omitted"]["reasons"] == 90 - len(data["reasons"])
    assert data["links"]["self"].endswith(ALERT.id)


def test_shortening_goes_by_its_steps() -> None:
    def steps(reasons: int, parties: int) -> list[str]:
        alert = msgspec.structs.replace(_huge(reasons, parties, "a"), changes=(), truces=("t",))
        return list(body(alert)["data"].get("omitted", {}))

    assert steps(5, 2) == []
    assert steps(35, 2) == ["facts"]
    assert steps(60, 2) == ["facts", "reasons"]
    assert steps(60, 50) == ["facts", "reasons", "changes", "perpetrators", "targets", "truces", "resources"]


@examples(40)
@given(st.integers(0, 90), st.integers(0, 50), st.characters(codec="utf-8"))
def test_every_size_fits_and_the_same_alert_gives_the_same_bytes(reasons: int, parties: int, letter: str) -> None:
    alert = _huge(reasons, parties, letter)
    assert body(alert, "updated") == body(alert, "updated")


def test_a_digest_keeps_order_and_counts_what_does_not_fit() -> None:
    def digest(n: int, alert: Alert = ALERT) -> dict[str, Any]:
        data = [
            alert_data(
                msgspec.structs.replace(alert, id=f"alr_{i}"),
                status="raised",
                language="en",
                sent_at=NOW,
                public_url=URL,
            )
            for i in range(n)
        ]
        raw = digest_body(data, start=NOW - DAY, end=NOW, group={"truce": "aleppo-calm"}, sent_at=NOW)
        assert len(raw) < 20_000
        decoded: dict[str, Any] = json.loads(raw)
        return decoded

    small, large, worst = digest(3), digest(100), digest(300, _huge(90, 50, "ع"))
    assert small["type"] == "digest"
    assert list(small["data"]) == ["from", "to", "group", "alerts", "omitted"]
    assert small["data"]["from"] == "2016-05-07T09:00:00Z"
    assert small["data"]["omitted"] == 0
    for got, n in ((large, 100), (worst, 300)):
        shown = [a["id"] for a in got["data"]["alerts"]]
        assert shown == [f"alr_{i}" for i in range(len(shown))]
        assert got["data"]["omitted"] == n - len(shown)
        assert len(shown) >= 4
    assert digest(0)["data"]["alerts"] == []


def body_of(kind: Kind) -> bytes:
    draft = Draft(Webhook("https://example.org/hook"), name="desk")
    subscription = Subscription("sub_1", "desk-a", draft, "pending", NOW, nonce="abc")
    return kind.bodies["json"](Material(kind.make("sub_1", NOW), subscription, URL))


def test_heartbeat_challenge_and_test() -> None:
    counts = Heartbeat(7, NOW - DAY, NOW, reports=5, violations=2, delivered=2)
    beat = json.loads(heartbeat_body(counts, sent_at=NOW))
    assert beat["data"] == {
        "sequence": 7, "from": "2016-05-07T09:00:00Z", "to": "2016-05-08T09:00:00Z", "reports": 5, "violations": 2,
        "delivered": 2, "last_alert": None,
    }  # fmt: skip
    challenge = json.loads(body_of(CHALLENGE))
    assert challenge == {
        "type": "challenge", "timestamp": "2016-05-08T09:00:00Z",
        "data": {"subscription_id": "sub_1", "challenge": "abc"},
    }  # fmt: skip
    assert json.loads(body_of(TEST))["type"] == "test"


@pytest.mark.parametrize(
    ("answer", "proved"),
    [(b'{"challenge":"abc"}', True), (b'{"challenge": "abc", "ok": true}\n', True), (b'"abc"', True), (b"abc", True),
     (b" abc\n", True), (b"", False), (b"ok", False), (b'{"challenge":"abcd"}', False), (b"xabcx", False),
     (b'{"data":{"challenge":"abc"}}', False), (b"[\"abc\"]", False), (b"\xff\xfe", False), (b"null", False)],
)  # fmt: skip
def test_the_echo_of_a_challenge(answer: bytes, proved: bool) -> None:
    assert echoes("abc", answer) is proved


def test_a_challenge_of_digits_may_be_echoed_bare() -> None:
    assert echoes("123", b"123")


def test_nasty_text_stays_text() -> None:
    nasty = msgspec.structs.replace(ALERT, place=ResolvedPlace(NASTY), perpetrators=(ResolvedParty(NASTY),))
    data = body(nasty)["data"]
    assert data["place"]["name"] == NASTY
    assert "\u202e" not in data["headline"]
    assert "\n" not in data["headline"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_makes_every_message(language: Language) -> None:
    for status in ("raised", "updated", "cancelled"):
        assert body(ALERT, status, language)["data"]["headline"]
