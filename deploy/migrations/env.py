"""Alembic's entry: one migration history for both databases."""

from alembic import context

import services.admin.sql
import services.ingest.adapters.sql
import services.ingest.sql
import services.notify.sql.tables
import services.rules.assessing.sql
import services.rules.linking.sql
import services.rules.registry.schedules_sql
import services.rules.registry.sql
from services.platform.db.tables import metadata

__all__ = ["services"]

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=False)
with context.begin_transaction():
    context.run_migrations()
