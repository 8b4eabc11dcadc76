"""Claims of judged incidents beside their facets, for statistics.

Revision ID: 0020
Revises: 0019
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op

from services.ingest.facets import CLAIMS, GROUPS, JudgedFacts, facets_of, read_claims
from services.platform.db.packing import unpack

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_SLICE = 1_000
_COLUMNS = ("killed", "injured", "counting")
_projections = sa.table(
    "incident_projections",
    *(sa.column(name) for name in ("incident_id", "occurred_start", "facets")),
    sa.column("body", sa.LargeBinary),
)
_facets = sa.table(
    "incident_facets", *(sa.column(name) for name in ("facet", "occurred_start", "incident_id", *_COLUMNS))
)


def upgrade() -> None:
    op.add_column("incident_facets", sa.Column("killed", sa.Integer(), nullable=True))
    op.add_column("incident_facets", sa.Column("injured", sa.Integer(), nullable=True))
    op.add_column("incident_facets", sa.Column("counting", sa.SmallInteger(), server_default="0", nullable=False))
    for rows in _slices(op.get_bind()):
        _fill(op.get_bind(), rows)


def downgrade() -> None:
    for name in _COLUMNS:
        op.drop_column("incident_facets", name)


def _slices(connection: sa.Connection) -> Iterator[list[Any]]:
    last = ""
    while True:
        statement = (
            sa.select(_projections)
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
    projected, claimed = [], []
    for row in rows:
        told = [facet for facet in row.facets.splitlines() if facet and not facet.startswith(CLAIMS)]
        judged = facets_of(msgspec.json.decode(unpack(row.body), type=JudgedFacts), ())
        claims = read_claims(judged)
        told += (facet for facet in judged if facet.startswith(CLAIMS))
        projected.append({"id": row.incident_id, "told": "".join(f"\n{facet}" for facet in told) + "\n"})
        claimed += [
            {"of": facet, "at": row.occurred_start, "id": row.incident_id, **claims._asdict()}
            for facet in told
            if facet.partition("/")[0] in GROUPS
        ]
    changed = sa.update(_projections).where(_projections.c.incident_id == sa.bindparam("id"))
    connection.execute(changed.values(facets=sa.bindparam("told")), projected)
    of_row = sa.and_(
        _facets.c.facet == sa.bindparam("of"),
        _facets.c.occurred_start == sa.bindparam("at"),
        _facets.c.incident_id == sa.bindparam("id"),
    )
    connection.execute(sa.update(_facets).where(of_row), claimed)
