"""The tables of notify. Instants are microseconds UTC; documents are JSON bytes as they were encoded once."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text, and_, literal_column

from services.platform.db.tables import metadata

#: One row. Its version rises with every change of a subscription or a silence, so that a process sees in the
#: transaction that decides whether what it remembers is what holds.
directory_version = Table(
    "directory_version",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
)

#: ``sealed`` is encrypted (see ``services.notify.sql.subscriptions``); a row is found by the hash of what it holds.
subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("version", BigInteger, nullable=False, index=True),
    Column("state", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("target_hash", Text, nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("proved_at", BigInteger),
    Column("nonce_hash", Text, index=True),
    Column("nonce_until", BigInteger),
    Column("failing_since", BigInteger),
    Column("reason", Text, nullable=False),
    Column("token_hash", Text, nullable=False, index=True),
    Column("contact_state", Text, nullable=False, server_default="none"),
    Column("contact_hash", Text, index=True),
    Column("contact_nonce_hash", Text, index=True),
    Column("contact_until", BigInteger),
    Index("ix_subscriptions_owner", "owner", "state"),
)

#: Every mail that asked a reader for consent, by the id of its message. ``token_hash`` finds the address by the link in
#: the mail; ``blocked_at``: its reader wants no mail from here.
confirmations = Table(
    "confirmations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("token_hash", Text, nullable=False, index=True),
    Column("address_hash", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("owner", Text, nullable=False),
    Column("sent_at", BigInteger, nullable=False, index=True),
    Column("blocked_at", BigInteger),
    Index("ix_confirmations_address_hash", "address_hash", "sent_at"),
    Index("ix_confirmations_owner", "owner", "sent_at"),
)

silences = Table(
    "silences",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text),
    Column("version", BigInteger, nullable=False, index=True),
    Column("matchers", LargeBinary, nullable=False),
    Column("starts_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False, index=True),
    Column("ended_at", BigInteger),
    Column("reason", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

#: Every revision of every alert. ``seq`` rises in the order of commit, without gaps: it is the cursor.
alert_log = Table(
    "alert_log",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("alert_id", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("incident_id", Text, nullable=False, index=True),
    Column("thread", Text, nullable=False, index=True),
    Column("event_id", Text, nullable=False),
    Column("recorded_at", BigInteger, nullable=False, index=True),
    Column("occurred_from", BigInteger, nullable=False, index=True),
    Column("occurred_to", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("traceparent", Text),
    Index("uq_alert_log_alert_id_revision", "alert_id", "revision", unique=True),
)

#: Every message. ``due_at`` is null once nothing is due. ``claimed_by`` is the process that has it in memory.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("subscription_id", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("alert_id", Text),
    Column("revision", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("due_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("claimed_by", Text),
    Column("mail_id", Text),
    Column("content", LargeBinary),
    sqlite_with_rowid=False,
)
# Written out, not bound: a partial index serves only a statement that says the same in so many words.
PENDING: Final = deliveries.c.state == literal_column("'pending'")
WAITING: Final = and_(PENDING, deliveries.c.claimed_by.is_(None))
MAILED: Final = deliveries.c.mail_id.is_not(None)
CLAIMED: Final = and_(PENDING, deliveries.c.claimed_by.is_not(None))
Index("ix_deliveries_subscription_id", deliveries.c.subscription_id, deliveries.c.created_at, deliveries.c.id)
Index("ix_deliveries_alert_id", deliveries.c.alert_id, deliveries.c.subscription_id)
Index("ix_deliveries_mail_id", deliveries.c.mail_id, sqlite_where=MAILED, postgresql_where=MAILED)
Index("ix_deliveries_waiting", deliveries.c.lane, deliveries.c.due_at, sqlite_where=WAITING, postgresql_where=WAITING)
Index("ix_deliveries_claimed", deliveries.c.claimed_by, sqlite_where=CLAIMED, postgresql_where=CLAIMED)

#: When each lane has something to send that nobody has claimed: one row a lane, so that no lane hides another, and a
#: breaker puts off a hundred thousand messages by changing one row.
lanes = Table(
    "lanes",
    metadata,
    Column("lane", Text, primary_key=True),
    Column("due_at", BigInteger, nullable=False, index=True),
)

#: Every attempt at every message, numbered from 1.
attempts = Table(
    "attempts",
    metadata,
    Column("delivery_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("status", Integer),
    Column("failure", Text),
    Column("latency", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("excerpt", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

#: Alerts that wait: to be gathered (``group_key``), for a silence to end (``silence_id``), or for the others of a
#: change of the registry (``registry_version``; the hour is that of ``held_changes``), one of the three. One row for
#: the newest revision of each alert, which is how a digest comes to show the net state.
held = Table(
    "held",
    metadata,
    Column("subscription_id", Text, primary_key=True),
    Column("alert_id", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("group_key", Text),
    Column("silence_id", Text, index=True),
    Column("registry_version", Integer),
    Column("held_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Index("ix_held_alert_id", "alert_id"),
    Index("ix_held_due_at", "due_at"),
)

#: The changes of the registry whose alerts are gathered: how many alerts have come (``arrived``), and how many there
#: are, null until rules says so.
registry_changes = Table(
    "registry_changes",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("arrived", Integer, nullable=False),
    Column("alerts", Integer),
    Column("cause", LargeBinary),
)

#: When the alerts of a change that wait for a subscription are told, all of them together.
held_changes = Table(
    "held_changes",
    metadata,
    Column("registry_version", Integer, primary_key=True, autoincrement=False),
    Column("subscription_id", Text, primary_key=True),
    Column("due_at", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)

#: When the last message of each group of alerts went out.
groups = Table(
    "groups",
    metadata,
    Column("subscription_id", Text, primary_key=True),
    Column("group_key", Text, primary_key=True),
    Column("last_sent", BigInteger, nullable=False),
)

#: Which alerts a gathered message told of.
gathered = Table(
    "gathered",
    metadata,
    Column("delivery_id", Text, primary_key=True),
    Column("alert_id", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("subscription_id", Text, nullable=False),
    Index("ix_gathered_alert_id", "alert_id", "subscription_id"),
)

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("subscription_id", Text, primary_key=True),
    Column("due_at", BigInteger, nullable=False, index=True),
    Column("sequence", BigInteger, nullable=False),
    Column("period_from", BigInteger, nullable=False),
)

#: When each truce is in force, as rules published it last: ``body`` is that event's JSON.
truce_schedules = Table(
    "truce_schedules",
    metadata,
    Column("truce", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("known_since", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

#: The notices of truces that each subscription was told, as JSON, and when to decide on them again: ``due_at`` null is
#: not before a change. ``turn`` rises with each decision and each change.
truce_notices = Table(
    "truce_notices",
    metadata,
    Column("subscription_id", Text, primary_key=True),
    Column("turn", BigInteger, nullable=False),
    Column("due_at", BigInteger, index=True),
    Column("ledger", LargeBinary),
)

#: When rules first judged each incident: what the counts of a heartbeat rest on.
heard = Table(
    "heard",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("heard_at", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)

#: One row: which generation of the alert log this is (:mod:`services.notify.domain.generation`; ``forks`` in JSON),
#: whether deliveries are held since it was restored, and how a restore shows (:mod:`services.notify.sql.generations`).
storage = Table(
    "storage",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("generation", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("place", Text, nullable=False),
    Column("restored_at", BigInteger),
    Column("held", Integer, nullable=False),
    Column("forks", LargeBinary, nullable=False),
)

feed_tokens = Table(
    "feed_tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("hash", Text, nullable=False, unique=True),
    Column("owner", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
