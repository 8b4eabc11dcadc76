"""The tables of the service."""

from dataclasses import dataclass
from functools import partial
from typing import Self

from services.notify.sql.alert_book import SqlAlertBook
from services.notify.sql.alert_log import SqlAlertLog
from services.notify.sql.blocks import SqlBlocks
from services.notify.sql.changes import SqlChanges
from services.notify.sql.deliveries import SqlDeliveries
from services.notify.sql.feeds import SqlFeedTokens
from services.notify.sql.generations import GenerationStore
from services.notify.sql.groups import SqlGroups
from services.notify.sql.heartbeat_counts import SqlJudgedReports
from services.notify.sql.heartbeats import SqlHeartbeats
from services.notify.sql.history import SqlHistory
from services.notify.sql.names import SqlNames
from services.notify.sql.seal_anew import holds_sealed, seal_anew
from services.notify.sql.silences import SqlSilences
from services.notify.sql.subscriptions import SqlSubscriptions
from services.notify.sql.truce_notices import SqlTruceNotices
from services.platform.process.runtime import Runtime
from services.platform.settings.secret_key import open_sealer


@dataclass(frozen=True, slots=True)
class Stores:
    """Each as the process ``instance`` has it."""

    instance: str
    subscriptions: SqlSubscriptions
    silences: SqlSilences
    blocks: SqlBlocks
    history: SqlHistory
    log: SqlAlertLog
    queue: SqlDeliveries
    book: SqlAlertBook
    generations: GenerationStore
    changes: SqlChanges
    groups: SqlGroups
    beats: SqlHeartbeats
    judged: SqlJudgedReports
    notices: SqlTruceNotices
    feed_tokens: SqlFeedTokens
    names: SqlNames

    @classmethod
    async def open(cls, runtime: Runtime, instance: str) -> Self:
        """Secrets are sealed by the newest key from here on. Raises SettingsError."""
        database, note = runtime.database, runtime.faults.note
        sealer = open_sealer(runtime.settings.secret_keys, database.file, in_use=await holds_sealed(database))
        await seal_anew(database, sealer)
        generations = GenerationStore(database)
        await generations.open(runtime.clock.now())
        return cls(
            instance,
            SqlSubscriptions(database, sealer),
            SqlSilences(database),
            SqlBlocks(database, sealer),
            SqlHistory(database),
            SqlAlertLog(database),
            SqlDeliveries(database, instance),
            SqlAlertBook(database, instance, partial(note, "notify.release_silenced")),
            generations,
            SqlChanges(database, partial(note, "notify.flush_changes")),
            SqlGroups(database, partial(note, "notify.flush_groups")),
            SqlHeartbeats(database, partial(note, "notify.flush_heartbeats")),
            SqlJudgedReports(database),
            SqlTruceNotices(database, instance, partial(note, "notify.flush_truce_notices")),
            SqlFeedTokens(database),
            SqlNames(database, sealer),
        )
