"""Which incidents need a person

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("judged", sa.Column("in_review", sa.Integer(), nullable=False, server_default="0"))
    op.create_index(
        "ix_judged_in_review",
        "judged",
        ["incident_id"],
        sqlite_where=sa.text("in_review = 1"),
        postgresql_where=sa.text("in_review = 1"),
    )
    # Other incidents that need a person are found when it is judged again.
    op.execute("UPDATE judged SET in_review = 1 WHERE verdict = 'undetermined'")


def downgrade() -> None:
    op.drop_index("ix_judged_in_review", table_name="judged")
    op.drop_column("judged", "in_review")
