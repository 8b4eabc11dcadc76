"""The action that made each version of the registry

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("registry_versions", sa.Column("action", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("registry_versions", "action")
