"""Secrets of subscriptions are in one column, which notify encrypts when it starts, and are found by their hash.

Revision ID: 0003
Revises: 0002
"""

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_old = sa.table(
    "subscriptions",
    *(sa.column(name) for name in ("id", "nonce", "token")),
    *(sa.column(name, sa.LargeBinary) for name in ("draft", "secrets", "sealed")),
    *(sa.column(name) for name in ("nonce_hash", "token_hash", "target_hash")),
)
_deliveries = sa.table(
    "deliveries", sa.column("id"), sa.column("subscription_id"), sa.column("kind"), sa.column("content", sa.LargeBinary)
)


def upgrade() -> None:
    op.add_column("subscriptions", sa.Column("sealed", sa.LargeBinary(), nullable=False, server_default=""))
    op.add_column("subscriptions", sa.Column("target_hash", sa.Text(), nullable=False, server_default=""))
    op.add_column("subscriptions", sa.Column("nonce_hash", sa.Text(), nullable=True))
    op.add_column("subscriptions", sa.Column("token_hash", sa.Text(), nullable=False, server_default=""))
    _move(op.get_bind())
    for name in ("nonce", "target", "token"):
        op.drop_index(f"ix_subscriptions_{name}", table_name="subscriptions")
    for name in ("draft", "target", "secrets", "nonce", "token"):
        op.drop_column("subscriptions", name)
    for name in ("nonce_hash", "target_hash", "token_hash"):
        op.create_index(f"ix_subscriptions_{name}", "subscriptions", [name], unique=False)


def _move(connection: sa.Connection) -> None:
    asked = _hash_challenges(connection)
    for row in connection.execute(sa.select(_old)).all():
        # Of a confirmation link the row had the hash, and the message the token.
        nonce = asked.get(row.nonce, row.nonce)
        plain = {
            "draft": json.loads(row.draft), "secrets": json.loads(row.secrets), "nonce": nonce, "token": row.token
        }  # fmt: skip
        connection.execute(
            sa.update(_old)
            .where(_old.c.id == row.id)
            .values(
                sealed=json.dumps(plain).encode(),
                nonce_hash=None if nonce is None else _hash(nonce),
                token_hash=_hash(row.token),
                # Its key is not known here: notify sets it when it encrypts the row.
                target_hash="",
            )
        )


def _hash_challenges(connection: sa.Connection) -> dict[str, Any]:
    """Keep hashes of the tokens in messages that ask for proof. Returns the tokens by their hashes."""
    wanted = sa.select(_deliveries).where(_deliveries.c.kind.in_(("challenge", "confirm")))
    found = {row.id: json.loads(row.content)["challenge"] for row in connection.execute(wanted) if row.content}
    for id, token in found.items():
        content = json.dumps({"challenge": _hash(token)}).encode()
        connection.execute(sa.update(_deliveries).where(_deliveries.c.id == id).values(content=content))
    return {_hash(token): token for token in found.values()}


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def downgrade() -> None:
    raise NotImplementedError("encrypted subscriptions are not put back into plain text")
