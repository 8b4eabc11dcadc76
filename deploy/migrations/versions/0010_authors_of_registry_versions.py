"""The author's key and the reason of each version of the registry

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("registry_versions", sa.Column("actor_key", sa.Text(), nullable=True))
    op.add_column("registry_versions", sa.Column("reason", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("registry_versions", "reason")
    op.drop_column("registry_versions", "actor_key")
