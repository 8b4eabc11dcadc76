"""Ids that are a function of what they name, so that whatever is repeated is recognised. None holds a dot."""

import hashlib


def _digest(*parts: str | int) -> str:
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32]


def alert_message_id(subscription: str, alert: str, revision: int) -> str:
    """The delivery, hence the webhook-id, of one revision of an alert for one subscription."""
    # Messages that go out together lie together in the tables, which one to thousands of subscribers shows.
    return f"msg_{_digest(alert, revision)[:12]}{_digest(subscription, 'alert', alert, revision)[:20]}"


def message_id(subscription: str, kind: str, *parts: str | int) -> str:
    """The delivery of any other message: ``parts`` are what makes it this one and no other."""
    return "msg_" + _digest(subscription, kind, *parts)


def hash_token(token: str) -> str:
    """The hash kept of a token that is shown once. Tokens carry 192 bits of chance, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()
