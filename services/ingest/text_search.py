"""The words of incidents in SQL, and their index: FTS5 on SQLite, GIN on PostgreSQL.

Triggers keep FTS5's index beside the table; it has no positions, since words are looked for one by one.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from sqlalchemy import (
    DDL,
    Column,
    ColumnElement,
    Connection,
    Index,
    Table,
    Text,
    and_,
    event,
    exists,
    literal,
    or_,
    text,
)

from services.ingest.words import HIDDEN, read_sought
from services.platform.db.containing import holds
from services.platform.db.tables import Serial, metadata

#: Incidents that are looked up one by one; where more match, each row of a list is checked in its turn.
MOST_FOUND: Final = 20_000
#: The table that SQLite keeps its index in, with others that begin so.
INDEX_NAME: Final = "incident_text"

#: ``words`` are a line each (:mod:`services.ingest.words`).
words = Table(
    "incident_words",
    metadata,
    Column("number", Serial, primary_key=True, autoincrement=True),
    Column("incident_id", Text, nullable=False),
    Column("words", Text, nullable=False),
    Index("ix_incident_words_incident_id", "incident_id", unique=True),
)
_AS_VECTOR: Final = "array_to_tsvector(string_to_array(words, E'\\n'))"
SQLITE_INDEX: Final = (
    "CREATE VIRTUAL TABLE incident_text USING fts5(words, content='incident_words', content_rowid='number',"
    " columnsize=0, detail=none, tokenize='unicode61 remove_diacritics 0')",
    "CREATE TRIGGER incident_words_added AFTER INSERT ON incident_words BEGIN"
    " INSERT INTO incident_text(rowid, words) VALUES (new.number, new.words); END",
    "CREATE TRIGGER incident_words_deleted AFTER DELETE ON incident_words BEGIN"
    " INSERT INTO incident_text(incident_text, rowid, words) VALUES ('delete', old.number, old.words); END",
)
POSTGRESQL_INDEX: Final = (f"CREATE INDEX ix_incident_words_words ON incident_words USING gin (({_AS_VECTOR}))",)
for _dialect, _statements in (("sqlite", SQLITE_INDEX), ("postgresql", POSTGRESQL_INDEX)):
    for _statement in _statements:
        event.listen(words, "after_create", DDL(_statement).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]

_BY_FTS5: Final = text(
    "SELECT incident_id FROM incident_text JOIN incident_words ON number = incident_text.rowid"
    " WHERE incident_text MATCH :sought LIMIT :most"
)
_BY_GIN: Final = text(
    f"SELECT incident_id FROM incident_words WHERE {_AS_VECTOR} @@ CAST(:sought AS tsquery) LIMIT :most"  # noqa: S608
)


def find_matches(connection: Connection, sought: Sequence[str], *, hidden: bool = True) -> list[str] | None:
    """The incidents that have all words of one of these texts; None where they are more than MOST_FOUND. ``hidden``: by
    the words that terms withhold, too."""
    if connection.dialect.name == "sqlite":
        statement, each, all_of, one_of = _BY_FTS5, '"{}"*', " AND ", " OR "
    else:
        statement, each, all_of, one_of = _BY_GIN, "'{}':*", " & ", " | "

    def any_form(word: str) -> str:
        return f"({one_of.join(each.format(form) for form in _forms(word, hidden=hidden))})"

    parts = (all_of.join(map(any_form, read_sought(one))) for one in sought)
    query = one_of.join(f"({part})" for part in parts)
    with _by_index(connection):
        found = connection.execute(statement, {"sought": query, "most": MOST_FOUND + 1}).scalars().all()
    return None if len(found) > MOST_FOUND else list(found)


@contextmanager
def _by_index(connection: Connection) -> Iterator[None]:
    """PostgreSQL takes one word in fifty for a match of any beginning, and would read the whole table for that."""
    if connection.dialect.name != "postgresql":
        yield
        return
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    yield
    connection.exec_driver_sql("SET LOCAL enable_seqscan = on")


def has_words(sought: Sequence[str], incident_id: ColumnElement[str], *, hidden: bool = True) -> ColumnElement[bool]:
    """The condition that an incident has all words of one of these texts."""
    lines = literal("\n") + words.c.words

    def any_form(word: str) -> ColumnElement[bool]:
        return or_(*(holds(lines, f"\n{form}") for form in _forms(word, hidden=hidden)))

    each = (and_(*map(any_form, read_sought(one))) for one in sought)
    return exists().where(words.c.incident_id == incident_id, or_(*each))


def _forms(word: str, *, hidden: bool) -> tuple[str, ...]:
    """How a word may be stored."""
    return (word, HIDDEN + word) if hidden else (word,)
