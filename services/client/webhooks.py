"""Webhooks verified by Standard Webhooks 1.0.0, as docs/webhooks.md says."""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any, Final, TypedDict

TOLERANCE_S: Final = 300


class WebhookMessage(TypedDict):
    """The body of a message; ``data`` is an alert where ``type`` begins with ``alert.``."""

    type: str
    timestamp: str
    data: dict[str, Any]


class WebhookError(ValueError):
    """Not a message of the subscription whose secret it is, or too old: answer 401. The text says why."""


def verify_webhook(secret: str, headers: Mapping[str, str], body: bytes, *, now_s: float | None = None) -> None:
    """Raises WebhookError unless one of the signatures is over this id, this time and exactly these bytes, and the time
    is within five minutes of ``now_s`` (the machine's clock where it is None). ``secret`` is ``whsec_…``."""
    given = {name.lower(): value for name, value in headers.items()}
    try:
        id, sent, signatures = (given[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    except KeyError as error:
        raise WebhookError(f"the header {error.args[0]} is missing") from None
    if not sent.isascii() or not sent.isdigit() or len(sent) > 12:
        raise WebhookError("webhook-timestamp is not a number of seconds")
    if abs((time.time() if now_s is None else now_s) - int(sent)) > TOLERANCE_S:
        raise WebhookError("webhook-timestamp is more than five minutes away")
    signed = b".".join([id.encode(), sent.encode(), body])
    expected = b"v1," + base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest())
    if not any(hmac.compare_digest(expected, one.encode("utf-8", "replace")) for one in signatures.split(" ")):
        raise WebhookError("no signature is by this secret")


def read_webhook(secret: str, headers: Mapping[str, str], body: bytes, *, now_s: float | None = None) -> WebhookMessage:
    """The verified message of a subscription whose format is JSON. Raises WebhookError."""
    verify_webhook(secret, headers, body, now_s=now_s)
    try:
        message: WebhookMessage = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WebhookError(f"the body is not JSON: {error}") from None
    return message


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise ValueError(f"the secret is not whsec_ and base64: {error}") from None
