"""Alembic's entry: one migration history for both databases."""

from alembic import context

import services.ingest.sql
import services.ingest.sql_keys
import services.notify.sql.tables
import services.rules.registry_sql
import services.rules.sql
from services.shared.db.tables import metadata

__all__ = ["services"]

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=False)
with context.begin_transaction():
    context.run_migrations()
