"""Decisions of operators, and the queue of what needs a person

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "operator_decisions",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("linked", sa.Text()),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("taken_back", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("incident_id", "number", name=op.f("pk_operator_decisions")),
        sa.UniqueConstraint("id", name=op.f("uq_operator_decisions_id")),
    )
    op.create_index(op.f("ix_operator_decisions_linked"), "operator_decisions", ["linked"])
    op.create_table(
        "review_queue",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_review_queue")),
    )
    op.create_index("ix_review_queue_opened_at", "review_queue", ["opened_at", "incident_id"])
    # Since when and exactly why they wait was not kept: each is told anew when the incident is judged again.
    op.execute(
        "INSERT INTO review_queue SELECT incident_id, occurred_to,"
        " CASE WHEN verdict = 'undetermined' THEN ',undetermined,' ELSE ',unresolved_party,' END"
        " FROM judged WHERE in_review = 1"
    )
    op.drop_index("ix_judged_in_review", table_name="judged")
    op.drop_column("judged", "in_review")


def downgrade() -> None:
    op.add_column("judged", sa.Column("in_review", sa.Integer(), nullable=False, server_default="0"))
    op.create_index(
        "ix_judged_in_review",
        "judged",
        ["incident_id"],
        sqlite_where=sa.text("in_review = 1"),
        postgresql_where=sa.text("in_review = 1"),
    )
    op.execute("UPDATE judged SET in_review = 1 WHERE incident_id IN (SELECT incident_id FROM review_queue)")
    op.drop_index("ix_review_queue_opened_at", table_name="review_queue")
    op.drop_table("review_queue")
    op.drop_index(op.f("ix_operator_decisions_linked"), table_name="operator_decisions")
    op.drop_table("operator_decisions")
