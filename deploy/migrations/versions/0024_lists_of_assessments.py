"""Lists of assessments are led by an index, whatever they are filtered by

Revision ID: 0024
Revises: 0023
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_judged_partner", "judged", ["partner", "occurred_from", "incident_id"])
    op.create_index("ix_judged_verdict", "judged", ["verdict", "occurred_from", "incident_id"])
    long_ones = sa.text("occurred_to - occurred_from > 259200000000")
    op.create_index(
        "ix_judged_long",
        "judged",
        ["occurred_from", "incident_id"],
        sqlite_where=long_ones,
        postgresql_where=long_ones,
    )


def downgrade() -> None:
    for name in ("ix_judged_long", "ix_judged_verdict", "ix_judged_partner"):
        op.drop_index(name, table_name="judged")
