"""The token of a link that opens one alert, for the recipient of one message.

It is derived from the subscription's own secret, so that no table holds it: it ends with the subscription, with its
address, or after :data:`GOOD_FOR`, and opens nothing else. A message that is sent again carries the same token.
"""

import binascii
import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

import msgspec

from schemas.instants import DAY, SECOND
from services.notify.domain.subscription import Subscription

#: How long after its message a link is good.
GOOD_FOR: Final = 90 * DAY
#: Longer texts are not looked at: a token has some 130 characters.
MAX_TOKEN: Final = 600
_MAC_BYTES: Final = 16
#: States in which a subscription's links open nothing: its end, and while its owner has no valid key.
_SHUT: Final = ("held", "ended")


class LinkTo(msgspec.Struct, frozen=True, array_like=True):
    """A token: whose link it is, the alert and the revision that the message told, and the second at which
    it ends."""

    subscription: str
    alert: str
    revision: int
    until_s: int


_read: Final = msgspec.msgpack.Decoder(LinkTo).decode


def make_token(subscription: Subscription, alert: str, revision: int, sent_at: int) -> str:
    """The token for a message of ``sent_at``, which tells of a revision of an alert."""
    return _write(subscription, LinkTo(subscription.id, alert, revision, (sent_at + GOOD_FOR) // SECOND))


def read_token(token: str) -> LinkTo | None:
    """The content of a token, true or not; None for a text that is no token."""
    if len(token) > MAX_TOKEN:
        return None
    try:
        said = _read(urlsafe_b64decode(token + "=" * (-len(token) % 4))[:-_MAC_BYTES])
    except (binascii.Error, ValueError):
        return None
    return said if all(id.isascii() and id.isprintable() for id in (said.subscription, said.alert)) else None


def is_good(token: str, subscription: Subscription, now: int) -> bool:
    """Whether the token is one of this subscription's, and opens its alert at ``now``."""
    said = read_token(token)
    if said is None or not subscription.token or subscription.state in _SHUT:
        return False
    return now < said.until_s * SECOND and hmac.compare_digest(_write(subscription, said).encode(), token.encode())


def _write(subscription: Subscription, said: LinkTo) -> str:
    payload = msgspec.msgpack.encode(said)
    signed = b"alert link\n%b\n%b" % (subscription.target.encode(), payload)
    mac = hmac.digest(subscription.token.encode(), signed, hashlib.sha256)[:_MAC_BYTES]
    return urlsafe_b64encode(payload + mac).rstrip(b"=").decode()
