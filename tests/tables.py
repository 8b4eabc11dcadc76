"""The tables of all services in a new database, made by one script instead of a question and a statement each."""

from functools import cache
from typing import Any

from sqlalchemy import Engine, create_mock_engine, inspect, make_url

from services.platform.db.tables import metadata


def create_tables(engine: Engine) -> None:
    """As ``metadata.create_all``; a database that has its tables stays as it is."""
    with engine.begin() as connection:
        if inspect(connection).has_table(next(iter(metadata.tables))):
            return
        if engine.dialect.name == "sqlite":
            driver: Any = connection.connection.driver_connection
            driver.executescript(f"BEGIN; {_script('sqlite://', len(metadata.tables))} COMMIT;")
        else:
            connection.exec_driver_sql(_script("postgresql+psycopg://", len(metadata.tables)))


@cache
def _script(url: str, _tables: int) -> str:
    made: list[str] = []
    dialect = make_url(url).get_dialect()()
    engine = create_mock_engine(url, lambda ddl, *_: made.append(f"{ddl.compile(dialect=dialect)};"))
    metadata.create_all(engine, checkfirst=False)
    return "\n".join(made)
