"""Subscriptions as rows, with what is secret in them encrypted."""

import logging
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from sqlalchemy import Row

from services.notify.domain.consent import fold_address
from services.notify.domain.identity import hash_token
from services.notify.domain.subscription import Draft, Subscription, Webhook
from services.platform.security.sealing import DamagedError, Sealer

log = logging.getLogger(__name__)

_encode: Final = msgspec.json.Encoder().encode


class Sealed(msgspec.Struct, frozen=True):
    """The fields that are secret or may hold a secret, encrypted at rest: a URL may name a user, or be a secret."""

    draft: Draft
    secrets: tuple[tuple[str, int | None], ...]
    nonce: str | None
    token: str
    contact_nonce: str | None = None


_decode_sealed: Final = msgspec.json.Decoder(Sealed).decode


def to_row(s: Subscription, sealer: Sealer) -> dict[str, Any]:
    sealed = sealer.seal(_encode(Sealed(s.draft, s.secrets, s.nonce, s.token, s.contact_nonce)), _place(s.id))
    return {
        "id": s.id, "owner": s.owner, "version": s.version, "state": s.state, "sealed": sealed,
        "target_hash": sealer.index(target_key(s)), "created_at": s.created_at, "proved_at": s.proved_at,
        "nonce_hash": None if s.nonce is None else hash_token(s.nonce), "nonce_until": s.nonce_until,
        "failing_since": s.failing_since, "reason": s.reason, "token_hash": hash_token(s.token),
        "contact_state": s.contact_state, "contact_until": s.contact_until,
        "contact_hash": sealer.index(fold_address(s.draft.contact)) if s.draft.contact else None,
        "contact_nonce_hash": None if s.contact_nonce is None else hash_token(s.contact_nonce),
    }  # fmt: skip


def target_key(s: Subscription) -> str:
    """The key by which a subscription is found from its URL or address."""
    return s.target if isinstance(s.draft.channel, Webhook) else fold_address(s.target)


def to_subscription(row: Any, sealer: Sealer) -> Subscription:
    """Raises SealError for a row that another key sealed, DamagedError for one that was changed."""
    return _subscription(row, _decode_sealed(sealer.open(row["sealed"], _place(row["id"]))))


def read_all(rows: Iterable[Row[Any]], sealer: Sealer) -> list[Subscription]:
    """All but those that are damaged: one such row must not keep the others from being read."""
    found = []
    for row in rows:
        try:
            found.append(to_subscription(row._mapping, sealer))
        except DamagedError as error:
            log.error("left out: %s", error)
    return found


def _place(id: str) -> str:
    return f"subscriptions/{id}"


def from_plain(row: Any) -> Subscription:
    """A row as it was before secrets were encrypted."""
    return _subscription(row, _decode_sealed(row["sealed"]))


def _subscription(row: Any, sealed: Sealed) -> Subscription:
    return Subscription(
        id=row["id"],
        owner=row["owner"],
        draft=sealed.draft,
        state=row["state"],
        created_at=row["created_at"],
        version=row["version"],
        proved_at=row["proved_at"],
        secrets=sealed.secrets,
        nonce=sealed.nonce,
        nonce_until=row["nonce_until"],
        failing_since=row["failing_since"],
        reason=row["reason"],
        token=sealed.token,
        contact_state=row["contact_state"],
        contact_nonce=sealed.contact_nonce,
        contact_until=row["contact_until"],
    )
