"""When the incident of each alert occurred

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_SQLITE = """UPDATE alert_log SET
  occurred_from = CAST(strftime('%s', json_extract(CAST(body AS TEXT), '$.occurred.from')) AS INTEGER) * 1000000,
  occurred_to = CAST(strftime('%s', json_extract(CAST(body AS TEXT), '$.occurred.to')) AS INTEGER) * 1000000"""
_POSTGRESQL = """UPDATE alert_log SET occurred_from = CAST(extract(epoch FROM
    CAST(convert_from(body, 'UTF8')::json -> 'occurred' ->> 'from' AS timestamptz)) * 1000000 AS bigint),
  occurred_to = CAST(extract(epoch FROM
    CAST(convert_from(body, 'UTF8')::json -> 'occurred' ->> 'to' AS timestamptz)) * 1000000 AS bigint)"""


def upgrade() -> None:
    for column in ("occurred_from", "occurred_to"):
        op.add_column("alert_log", sa.Column(column, sa.BigInteger(), nullable=False, server_default="0"))
    op.execute(_SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL)
    op.create_index(op.f("ix_alert_log_occurred_from"), "alert_log", ["occurred_from"])


def downgrade() -> None:
    op.drop_index(op.f("ix_alert_log_occurred_from"), table_name="alert_log")
    op.drop_column("alert_log", "occurred_to")
    op.drop_column("alert_log", "occurred_from")
