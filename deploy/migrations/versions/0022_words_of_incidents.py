"""Words of incidents, by which lists search.

Revision ID: 0022
Revises: 0021
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op

from schemas.report import Report
from services.ingest.text_search import POSTGRESQL_INDEX, SQLITE_INDEX
from services.ingest.words import words_of
from services.platform.db.packing import unpack

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_SLICE = 1_000
_revisions = sa.table(
    "incident_revisions", sa.column("incident_id"), sa.column("superseded_at"), sa.column("body", sa.LargeBinary)
)
_words = sa.table("incident_words", sa.column("incident_id"), sa.column("words"))


class _Fact(msgspec.Struct):
    report: Report


def upgrade() -> None:
    op.create_table(
        "incident_words",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_incident_words")),
    )
    op.create_index("ix_incident_words_incident_id", "incident_words", ["incident_id"], unique=True)
    for statement in SQLITE_INDEX if op.get_bind().dialect.name == "sqlite" else POSTGRESQL_INDEX:
        op.execute(statement)
    for rows in _slices(op.get_bind()):
        found = [
            {
                "incident_id": row.incident_id,
                "words": words_of(msgspec.json.decode(unpack(row.body), type=_Fact).report),
            }
            for row in rows
        ]
        op.get_bind().execute(sa.insert(_words), found)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE incident_text")
    op.drop_table("incident_words")


def _slices(connection: sa.Connection) -> Iterator[list[Any]]:
    last = ""
    while True:
        statement = (
            sa.select(_revisions)
            .where(_revisions.c.incident_id > last, _revisions.c.superseded_at.is_(None))
            .order_by(_revisions.c.incident_id)
            .limit(_SLICE)
        )
        rows = [*connection.execute(statement)]
        if not rows:
            return
        yield rows
        last = rows[-1].incident_id
