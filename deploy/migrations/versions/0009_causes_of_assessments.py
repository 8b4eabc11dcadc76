"""The cause of each assessment, and the revision that it judged

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("assessments", sa.Column("revision", sa.Integer(), nullable=False, server_default="0"))
    # Until now only reports caused any.
    op.add_column("assessments", sa.Column("cause", sa.Text(), nullable=False, server_default="report"))
    if op.get_bind().dialect.name == "sqlite":
        op.execute("UPDATE assessments SET revision = json_extract(CAST(body AS TEXT), '$.revision')")
    else:
        op.execute("UPDATE assessments SET revision = CAST(convert_from(body, 'UTF8')::json ->> 'revision' AS integer)")


def downgrade() -> None:
    op.drop_column("assessments", "cause")
    op.drop_column("assessments", "revision")
