"""Whether a text holds another, exactly, in the words of the database at hand: LIKE ignores the case on SQLite."""

from typing import Any

from sqlalchemy import ColumnElement, Integer
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction


class PlaceOf(GenericFunction[int]):
    """Where the second text begins in the first, from 1; 0 where the first does not hold it."""

    type = Integer()
    inherit_cache = True


@compiles(PlaceOf, "sqlite")
def _sqlite(element: PlaceOf, compiler: Any, **options: Any) -> str:
    return f"instr({compiler.process(element.clauses, **options)})"


@compiles(PlaceOf, "postgresql")
def _postgresql(element: PlaceOf, compiler: Any, **options: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **options)})"


def holds(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """The condition that a column holds a text, in its very letters."""
    return PlaceOf(column, text) > 0
