"""Webhooks verified: the published vector, what we sign, what the reference package signs."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from services.client import WebhookError, read_webhook, verify_webhook
from services.notify.domain import signing

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = 1_614_265_330
BODY = b'{"test": 2432232314}'
VECTOR = {
    "Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": str(NOW),
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}


def test_the_published_vector_is_met() -> None:
    verify_webhook(SECRET, VECTOR, BODY, now_s=NOW)
    assert dict(read_webhook(SECRET, VECTOR, BODY, now_s=NOW + 300)) == {"test": 2432232314}


@given(key=st.binary(min_size=24, max_size=64), body=st.binary(max_size=300))
def test_what_we_sign_is_verified_under_either_secret_of_a_rotation(key: bytes, body: bytes) -> None:
    headers = signing.signed_headers([b"n" * 32, key], "msg_1", NOW, body)
    for secret in (key, b"n" * 32):
        verify_webhook(signing.format_secret(secret), headers, body, now_s=NOW)


@given(body=st.text(max_size=300))
def test_what_the_reference_package_signs_is_verified(body: str) -> None:
    signature = Webhook(SECRET).sign("msg_1", datetime.fromtimestamp(NOW, UTC), body)
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(NOW), "webhook-signature": f"v1,bm9uZQ== {signature}"}
    verify_webhook(SECRET, headers, body.encode(), now_s=NOW)


@pytest.mark.parametrize(
    ("headers", "body", "now", "reason"),
    [
        ({}, BODY + b" ", NOW, "no signature"),
        ({}, BODY, NOW + 301, "five minutes"),
        ({}, BODY, NOW - 301, "five minutes"),
        ({"webhook-timestamp": "soon"}, BODY, NOW, "not a number"),
        ({"webhook-timestamp": "١٦١٤٢٦٥٣٣٠"}, BODY, NOW, "not a number"),
        ({"webhook-timestamp": "9" * 400}, BODY, NOW, "not a number"),
        ({"webhook-signature": "v1,é v2,x"}, BODY, NOW, "no signature"),
    ],
)
def test_what_does_not_hold_says_why(headers: dict[str, str], body: bytes, now: int, reason: str) -> None:
    with pytest.raises(WebhookError, match=reason):
        verify_webhook(SECRET, VECTOR | headers, body, now_s=now)


def test_a_missing_header_and_a_wrong_secret_are_told() -> None:
    with pytest.raises(WebhookError, match="webhook-id is missing"):
        verify_webhook(SECRET, {}, BODY)
    with pytest.raises(ValueError, match="secret"):
        verify_webhook("whsec_!!", VECTOR, BODY, now_s=NOW)


def test_a_body_that_is_not_json_is_told_only_once_it_is_verified() -> None:
    headers = signing.signed_headers([signing.parse_secret(SECRET)], "msg_1", NOW, b"<alert/>")
    verify_webhook(SECRET, headers, b"<alert/>", now_s=NOW)
    with pytest.raises(WebhookError, match="not JSON"):
        read_webhook(SECRET, headers, b"<alert/>", now_s=NOW)
