"""Signatures of webhooks by Standard Webhooks 1.0.0. https://www.standardwebhooks.com

The signed content is ``id.timestamp.body``: the exact bytes sent, and the time of this attempt, so a retry
carries a new signature under the same id.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from typing import Final

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 (the public mark of a secret, not one)
#: How far the clocks of sender and receiver may differ, seconds.
TOLERANCE_S: Final = 300
MIN_SECRET_BYTES: Final = 24
MAX_SECRET_BYTES: Final = 64


class BadSecretError(ValueError):
    """Not a ``whsec_`` secret of 24 to 64 bytes in base64."""


class BadSignatureError(ValueError):
    """The headers do not prove that the body is ours; the text says why."""


def format_secret(key: bytes) -> str:
    """The shown form of a key. Raises BadSecretError for a key of fewer than 24 or more than 64 bytes."""
    if not MIN_SECRET_BYTES <= len(key) <= MAX_SECRET_BYTES:
        raise BadSecretError(f"a webhook secret has {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes")
    return SECRET_PREFIX + base64.b64encode(key).decode("ascii")


def parse_secret(secret: str) -> bytes:
    """The key of a shown secret. Raises BadSecretError."""
    if not secret.startswith(SECRET_PREFIX):
        raise BadSecretError(f"a webhook secret begins with {SECRET_PREFIX}")
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise BadSecretError("a webhook secret is base64 after its prefix") from error
    if not MIN_SECRET_BYTES <= len(key) <= MAX_SECRET_BYTES:
        raise BadSecretError(f"a webhook secret has {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes")
    return key


def sign(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """The value of ``webhook-signature``: one ``v1,…`` for each key, separated by spaces.

    Several keys are an overlap while a secret is rotated: a receiver that knows any of them is satisfied.
    ``timestamp`` is in whole seconds since the epoch. Raises ValueError for an id with a dot, which would
    make the signed content ambiguous.
    """
    if "." in message_id or not message_id:
        raise ValueError("a webhook id is not empty and has no dot")
    content = b"%b.%d.%b" % (message_id.encode("ascii"), timestamp, body)
    return " ".join(["v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode("ascii") for key in keys])


def signed_headers(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of one attempt."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(keys, message_id, timestamp, body),
    }


def verify(key: bytes, headers: Mapping[str, str], body: bytes, now: int) -> None:
    """Check what a receiver got; header names in lower case, ``now`` in seconds. Raises BadSignatureError."""
    try:
        message_id = headers["webhook-id"]
        timestamp = int(headers["webhook-timestamp"])
        signatures = headers["webhook-signature"].split(" ")
    except (KeyError, ValueError) as error:
        raise BadSignatureError(f"missing or malformed header: {error}") from error
    if abs(now - timestamp) > TOLERANCE_S:
        raise BadSignatureError("the timestamp is too old or too new")
    expected = sign([key], message_id, timestamp, body)
    if not any(hmac.compare_digest(expected, candidate) for candidate in signatures):
        raise BadSignatureError("no signature matches")
