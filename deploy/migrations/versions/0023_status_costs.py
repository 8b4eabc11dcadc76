"""The status page finds by indexes all that it asks for

Revision ID: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "assessed_until",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessed_until")),
    )
    waiting = sa.text("retried_at IS NULL")
    op.create_index(
        "ix_dead_letters_waiting", "dead_letters", ["died_at"], sqlite_where=waiting, postgresql_where=waiting
    )


def downgrade() -> None:
    op.drop_index("ix_dead_letters_waiting", table_name="dead_letters")
    op.drop_table("assessed_until")
