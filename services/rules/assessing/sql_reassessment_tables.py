"""The tables of reassessments."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, LargeBinary, Table, Text, update

from schemas.causes import Cause
from services.platform.db.tables import metadata

#: One row a change of the registry that can touch an incident. ``reach`` is null once all incidents are found;
#: ``alerts`` counts the events of alerts that name it as their cause.
reassessments = Table(
    "reassessments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("registry_version", Integer, nullable=False, unique=True),
    Column("cause", LargeBinary, nullable=False),
    Column("reach", LargeBinary),
    Column("state", Text, nullable=False),
    Column("candidates", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("flips", Integer, nullable=False),
    Column("alerts", Integer, nullable=False, server_default="0"),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
)

#: Few of many run.
Index(
    "ix_reassessments_running",
    reassessments.c.registry_version,
    sqlite_where=reassessments.c.state == "running",
    postgresql_where=reassessments.c.state == "running",
)

#: The incidents that are still to be judged again, each with its verdict when it was found.
candidates = Table(
    "reassessment_candidates",
    metadata,
    Column("reassessment", Text, primary_key=True),
    Column("incident_id", Text, primary_key=True),
    Column("verdict", Text, nullable=False),
    sqlite_with_rowid=False,
)


def count_alerts(connection: Connection, causes: Sequence[Cause]) -> None:
    """Count alerts in the transaction that publishes them: ``causes`` holds that of each."""
    versions = [cause.registry_version for cause in causes if cause.kind == "registry"]
    for version in sorted({version for version in versions if version is not None}):
        mine = reassessments.c.registry_version == version
        more = reassessments.c.alerts + versions.count(version)
        connection.execute(update(reassessments).where(mine).values(alerts=more))
