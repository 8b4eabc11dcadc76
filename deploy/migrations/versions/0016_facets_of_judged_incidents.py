"""Facets of judged incidents, which lists are filtered by.

Incidents judged before get theirs from their assessments; of the areas that the place touches these name only those
that a truce rests on.

Revision ID: 0016
Revises: 0015
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op

from schemas.boxes import box_of
from services.ingest.facets import INDEXED, JudgedFacts, facets_of

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_SLICE = 1_000
_LONG = sa.text("superseded_at IS NULL AND is_long = 1")
_BOX = ("west", "south", "east", "north")
_projections = sa.table(
    "incident_projections",
    *(sa.column(name) for name in ("incident_id", "occurred_start", "facets", *_BOX)),
    sa.column("body", sa.LargeBinary),
)
_facets = sa.table("incident_facets", *(sa.column(name) for name in ("facet", "occurred_start", "incident_id")))


class _Window(msgspec.Struct):
    area: str


class _Finding(msgspec.Struct):
    window: _Window


class _Areas(msgspec.Struct):
    findings: list[_Finding]


def upgrade() -> None:
    op.create_table(
        "incident_facets",
        sa.Column("facet", sa.Text(), nullable=False),
        sa.Column("occurred_start", sa.BigInteger(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("facet", "occurred_start", "incident_id", name=op.f("pk_incident_facets")),
        sqlite_with_rowid=False,
    )
    for name in _BOX:
        op.add_column("incident_projections", sa.Column(name, sa.Double(), nullable=True))
    op.add_column("incident_projections", sa.Column("facets", sa.Text(), server_default="", nullable=False))
    op.drop_index("ix_incident_projections_verdict", table_name="incident_projections")
    op.create_index("ix_incident_projections_time", "incident_projections", ["occurred_start", "incident_id"])
    op.add_column("incident_revisions", sa.Column("is_long", sa.SmallInteger(), server_default="0", nullable=False))
    op.execute("UPDATE incident_revisions SET is_long = 1 WHERE occurred_end - occurred_start > 259200000000")
    op.create_index(
        "ix_incident_revisions_long", "incident_revisions", ["occurred_start", "received_at"],
        sqlite_where=_LONG, postgresql_where=_LONG,
    )  # fmt: skip
    for rows in _slices(op.get_bind()):
        _fill(op.get_bind(), rows)


def downgrade() -> None:
    op.drop_index("ix_incident_revisions_long", table_name="incident_revisions")
    op.drop_column("incident_revisions", "is_long")
    op.drop_index("ix_incident_projections_time", table_name="incident_projections")
    op.create_index(
        "ix_incident_projections_verdict", "incident_projections", ["verdict", "occurred_start", "incident_id"]
    )
    for name in ("facets", *_BOX):
        op.drop_column("incident_projections", name)
    op.drop_table("incident_facets")


def _slices(connection: sa.Connection) -> Iterator[list[Any]]:
    last = ""
    while True:
        statement = (
            sa.select(_projections.c.incident_id, _projections.c.occurred_start, _projections.c.body)
            .where(_projections.c.incident_id > last)
            .order_by(_projections.c.incident_id)
            .limit(_SLICE)
        )
        rows = [*connection.execute(statement)]
        if not rows:
            return
        yield rows
        last = rows[-1].incident_id


def _fill(connection: sa.Connection, rows: list[Any]) -> None:
    projected, indexed = [], []
    for row in rows:
        facts = msgspec.json.decode(row.body, type=JudgedFacts)
        areas = [finding.window.area for finding in msgspec.json.decode(row.body, type=_Areas).findings]
        named = facets_of(facts, areas)
        box = box_of(facts.place) or (None,) * 4
        told = "".join(f"\n{facet}" for facet in named) + "\n"
        projected.append({"id": row.incident_id, "told": told, **dict(zip(_BOX, box, strict=True))})
        indexed += [
            {"facet": facet, "occurred_start": row.occurred_start, "incident_id": row.incident_id}
            for facet in named
            if facet.partition("/")[0] in INDEXED
        ]
    changed = sa.update(_projections).where(_projections.c.incident_id == sa.bindparam("id"))
    connection.execute(
        changed.values(facets=sa.bindparam("told"), **{name: sa.bindparam(name) for name in _BOX}), projected
    )
    connection.execute(sa.insert(_facets), indexed)
