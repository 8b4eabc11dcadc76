"""The keys of incidents, by which a change of the registry finds those that it can touch

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Incidents judged before have none: any change may touch them, until they are judged again.
    op.add_column("judged", sa.Column("keys", sa.LargeBinary(), nullable=True))
    op.create_index(
        "ix_judged_without_keys",
        "judged",
        ["incident_id"],
        sqlite_where=sa.text("keys IS NULL"),
        postgresql_where=sa.text("keys IS NULL"),
    )
    op.create_table(
        "incident_keys",
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("began", sa.BigInteger(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", "began", "incident_id", name=op.f("pk_incident_keys")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("incident_keys")
    op.drop_index("ix_judged_without_keys", table_name="judged")
    op.drop_column("judged", "keys")
