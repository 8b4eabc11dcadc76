"""One migration history, on both databases."""

import asyncio

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from services.platform.db.engine import Database
from services.platform.db.migrate import upgrade
from services.platform.db.tables import metadata


async def test_the_history_leads_to_the_tables_that_the_code_expects(database_url: str) -> None:
    database = Database(database_url)
    upgrade(database.engine)
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    await database.close()


async def test_processes_that_start_together_migrate_one_after_the_other(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(3)]
    await asyncio.gather(*(asyncio.to_thread(upgrade, database.engine) for database in databases))
    for database in databases:
        await database.close()
