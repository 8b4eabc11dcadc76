"""The one MetaData that all tables hang on, and the tables that the shared machinery owns.

Instants are BIGINT microseconds, UTC. Payloads are bytes: what was encoded once is never parsed to be stored.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
#: A key that SQLite keeps as its rowid and PostgreSQL as a bigserial.
Serial = BigInteger().with_variant(Integer, "sqlite")

#: Events that committed. Embedded, this table is the log itself; on Kafka, the relay publishes and deletes its rows.
outbox = Table(
    "outbox",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("time", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("traceparent", Text),
    Column("reason", Text),
    Index("ix_outbox_topic_seq", "topic", "seq"),
    sqlite_autoincrement=True,
)

#: The position of each consumer group of the embedded bus: the last ``seq`` that it is done with.
positions = Table(
    "positions",
    metadata,
    Column("group", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
)

#: Events that a consumer gave up on, with the reason, until an operator retries them.
dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Text, primary_key=True),
    Column("consumer", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("event", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("died_at", BigInteger, nullable=False),
    Column("retried_at", BigInteger),
    Index("ix_dead_letters_died_at", "died_at"),
)

#: Those that wait for an operator, who sees how many.
Index(
    "ix_dead_letters_waiting", dead_letters.c.died_at,
    sqlite_where=dead_letters.c.retried_at.is_(None), postgresql_where=dead_letters.c.retried_at.is_(None),
)  # fmt: skip

#: One holder at a time for what only one process may do: scheduling, relaying.
leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
)
