"""When truces are in force, and the notices of it

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "published_schedules",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_published_schedules"),
    )
    op.create_table(
        "truce_schedules",
        sa.Column("truce", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("known_since", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("truce", name="pk_truce_schedules"),
    )
    op.create_table(
        "truce_notices",
        sa.Column("subscription_id", sa.Text(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("ledger", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("subscription_id", name="pk_truce_notices"),
    )
    op.create_index("ix_truce_notices_due_at", "truce_notices", ["due_at"])


def downgrade() -> None:
    op.drop_table("truce_notices")
    op.drop_table("truce_schedules")
    op.drop_table("published_schedules")
