"""Links between reports

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "link_cells",
        sa.Column("cell", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("cell", "incident_id", name="pk_link_cells"),
    )
    op.create_index("ix_link_cells_incident_id", "link_cells", ["incident_id"], unique=False)
    op.create_table(
        "link_decisions",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("other", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("decided_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "other", name="pk_link_decisions"),
    )
    op.create_index("ix_link_decisions_other", "link_decisions", ["other"], unique=False)
    op.create_table(
        "link_profiles",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("settled", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("registry_version", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name="pk_link_profiles"),
    )
    op.create_table(
        "link_rechecks",
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("by", sa.LargeBinary(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("origin", "incident_id", name="pk_link_rechecks"),
    )
    op.create_table(
        "links",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("other", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("independent", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("incident_id", "other", name="pk_links"),
    )


def downgrade() -> None:
    op.drop_table("links")
    op.drop_table("link_rechecks")
    op.drop_table("link_profiles")
    op.drop_index("ix_link_decisions_other", table_name="link_decisions")
    op.drop_table("link_decisions")
    op.drop_index("ix_link_cells_incident_id", table_name="link_cells")
    op.drop_table("link_cells")
