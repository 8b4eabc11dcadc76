"""Alerts of one change of the registry wait for one another

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("reassessments", sa.Column("alerts", sa.Integer(), server_default="0", nullable=False))
    op.add_column("held", sa.Column("registry_version", sa.Integer(), nullable=True))
    op.create_table(
        "registry_changes",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("arrived", sa.Integer(), nullable=False),
        sa.Column("alerts", sa.Integer(), nullable=True),
        sa.Column("cause", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_registry_changes")),
    )
    op.create_table(
        "held_changes",
        sa.Column("registry_version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("subscription_id", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("registry_version", "subscription_id", name=op.f("pk_held_changes")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_held_changes_due_at", "held_changes", ["due_at"])
    # A message about thousands of alerts asks of each whether its reader was told of it.
    op.drop_index("ix_gathered_alert_id", table_name="gathered")
    op.create_index("ix_gathered_alert_id", "gathered", ["alert_id", "subscription_id"])


def downgrade() -> None:
    op.drop_index("ix_gathered_alert_id", table_name="gathered")
    op.create_index("ix_gathered_alert_id", "gathered", ["alert_id"])
    op.drop_index("ix_held_changes_due_at", table_name="held_changes")
    op.drop_table("held_changes")
    op.drop_table("registry_changes")
    op.drop_column("held", "registry_version")
    op.drop_column("reassessments", "alerts")
