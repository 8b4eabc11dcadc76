"""Standard Webhooks 1.0.0: the published vector, the reference package, rotation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from services.notify.domain import signing
from services.platform.clock import SystemClock

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek"
BODY = b'{"test": 2432232314}'
VECTOR = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_published_vector_is_met() -> None:
    assert signing.sign([signing.parse_secret(SECRET)], MESSAGE, 1_614_265_330, BODY) == VECTOR


def _wall() -> int:
    return SystemClock().now() // 1_000_000


@given(key=st.binary(min_size=24, max_size=64), body=st.text(max_size=300))
def test_the_reference_package_verifies_what_we_sign(key: bytes, body: str) -> None:
    now = _wall()
    headers = signing.signed_headers([key], "msg_1", now, body.encode())
    Webhook(signing.format_secret(key)).verify(body, headers, json_parse=False)


def test_in_an_overlap_either_secret_verifies_and_a_third_does_not() -> None:
    old, new, other = b"o" * 24, b"n" * 32, b"x" * 24
    headers = signing.signed_headers([new, old], "msg_1", _wall(), BODY)
    assert headers["webhook-signature"].count("v1,") == 2
    for key in (old, new):
        Webhook(signing.format_secret(key)).verify(BODY, headers)
        signing.verify(key, headers, BODY, _wall())
    with pytest.raises(WebhookVerificationError):
        Webhook(signing.format_secret(other)).verify(BODY, headers)
    with pytest.raises(signing.BadSignatureError):
        signing.verify(other, headers, BODY, _wall())


def test_a_changed_body_an_old_time_and_a_missing_header_are_told() -> None:
    key = signing.parse_secret(SECRET)
    headers = signing.signed_headers([key], MESSAGE, 1_614_265_330, BODY)
    signing.verify(key, headers, BODY, 1_614_265_330 + 299)
    with pytest.raises(signing.BadSignatureError, match="no signature"):
        signing.verify(key, headers, BODY + b" ", 1_614_265_330)
    with pytest.raises(signing.BadSignatureError, match="too old"):
        signing.verify(key, headers, BODY, 1_614_265_330 + 301)
    with pytest.raises(signing.BadSignatureError, match="missing"):
        signing.verify(key, {}, BODY, 1_614_265_330)


@pytest.mark.parametrize("message_id", ["", "msg.1"])
def test_an_id_with_a_dot_is_refused(message_id: str) -> None:
    with pytest.raises(ValueError, match="dot"):
        signing.sign([b"k" * 24], message_id, 1, b"")


@pytest.mark.parametrize("secret", ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!", "whsec_c2hvcnQ="])
def test_what_is_no_secret_is_refused(secret: str) -> None:
    with pytest.raises(signing.BadSecretError):
        signing.parse_secret(secret)


def test_secrets_go_round() -> None:
    key = bytes(range(32))
    assert signing.parse_secret(signing.format_secret(key)) == key
    with pytest.raises(signing.BadSecretError):
        signing.format_secret(b"short")
