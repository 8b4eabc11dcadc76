"""Contact addresses are confirmed, and confirmations by mail are counted and can block an address.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "confirmations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("address_hash", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.Column("blocked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_confirmations")),
    )
    op.create_index("ix_confirmations_address_hash", "confirmations", ["address_hash", "sent_at"], unique=False)
    op.create_index("ix_confirmations_owner", "confirmations", ["owner", "sent_at"], unique=False)
    op.create_index("ix_confirmations_sent_at", "confirmations", ["sent_at"], unique=False)
    op.create_index("ix_confirmations_token_hash", "confirmations", ["token_hash"], unique=False)
    op.add_column("subscriptions", sa.Column("contact_state", sa.Text(), server_default="none", nullable=False))
    op.add_column("subscriptions", sa.Column("contact_hash", sa.Text(), nullable=True))
    op.add_column("subscriptions", sa.Column("contact_nonce_hash", sa.Text(), nullable=True))
    op.add_column("subscriptions", sa.Column("contact_until", sa.BigInteger(), nullable=True))
    op.create_index("ix_subscriptions_contact_hash", "subscriptions", ["contact_hash"], unique=False)
    op.create_index("ix_subscriptions_contact_nonce_hash", "subscriptions", ["contact_nonce_hash"], unique=False)
    op.create_index("ix_subscriptions_owner", "subscriptions", ["owner", "state"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_subscriptions_owner", table_name="subscriptions")
    op.drop_index("ix_subscriptions_contact_nonce_hash", table_name="subscriptions")
    op.drop_index("ix_subscriptions_contact_hash", table_name="subscriptions")
    for name in ("contact_until", "contact_nonce_hash", "contact_hash", "contact_state"):
        op.drop_column("subscriptions", name)
    op.drop_table("confirmations")
