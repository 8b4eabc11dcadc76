"""One migration history, on both databases."""

import asyncio
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from services.ingest.text_search import INDEX_NAME
from services.platform.db.engine import Database
from services.platform.db.migrate import upgrade
from services.platform.db.tables import metadata


async def test_the_history_leads_to_the_tables_that_the_code_expects(database_url: str) -> None:
    database = Database(database_url)
    upgrade(database.engine)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": _is_in_metadata})
        assert compare_metadata(context, metadata) == []
    await database.close()


def _is_in_metadata(name: str | None, kind: str, _parents: Any) -> bool:
    """Not what a database keeps for the index of words alone."""
    return not (kind in ("table", "index") and str(name).startswith((INDEX_NAME, "ix_incident_words_words")))


async def test_processes_that_start_together_migrate_one_after_the_other(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(3)]
    await asyncio.gather(*(asyncio.to_thread(upgrade, database.engine) for database in databases))
    for database in databases:
        await database.close()
