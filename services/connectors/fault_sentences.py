"""Faults of rows as sentences, in the language of the reader; the same fault in many rows once."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Final

import msgspec

from schemas.vocabulary import Language
from schemas.wording.lines import clean
from schemas.wording.words import Words, words
from services.connectors.model import RefusedRow, RowFault

#: Characters of a cell that are shown.
MAX_CELL: Final = 80
#: Values that are listed as allowed.
MAX_ALLOWED: Final = 40


class SharedFault(msgspec.Struct, frozen=True):
    """One fault with the rows that have it, in their order: line and external_id."""

    fault: RowFault
    rows: tuple[tuple[int, str], ...]


def share_faults(refused: Iterable[tuple[int, RefusedRow]]) -> list[SharedFault]:
    """Each fault once, by the line on which it is first met."""
    rows: dict[RowFault, list[tuple[int, str]]] = {}
    for line, row in refused:
        for fault in dict.fromkeys(row.faults):
            rows.setdefault(fault, []).append((line, row.external_id))
    return [SharedFault(fault, tuple(found)) for fault, found in rows.items()]


def tell_shared(shared: SharedFault, language: Language) -> str:
    """Where it is and what is wanted, in one line of plain text."""
    say = words(language)
    line, external_id = shared.rows[0]
    where = []
    if line:
        where.append(say.say("fault.line", line=line))
    if external_id and len(shared.rows) == 1:
        where.append(say.foreign(_short(external_id)))
    if len(shared.rows) > 1:
        where.append(say.count("fault.more_rows", len(shared.rows) - 1))
    return ": ".join(filter(None, (say.join([*where, *_where(shared.fault, say)]), _wanted(shared.fault, say))))


def tell_fault(fault: RowFault, language: Language) -> str:
    """The fault without its line: column, cell, what is wanted."""
    say = words(language)
    return ": ".join(filter(None, (say.join(_where(fault, say)), _wanted(fault, say))))


def nearest(cell: str, allowed: Sequence[str]) -> str:
    """The allowed value most like the cell, blanks and case aside; empty where none is like it."""
    by_key = {_key(value): value for value in reversed(allowed)}
    found = get_close_matches(_key(cell)[:MAX_CELL], by_key, n=1, cutoff=0.6)
    return by_key[found[0]] if found else ""


def _key(text: str) -> str:
    return text.casefold().replace(" ", "_").replace("-", "_")


def _where(fault: RowFault, say: Words) -> list[str]:
    parts = []
    if fault.column:
        parts.append(say.say("fault.column", column=say.foreign(_short(fault.column))))
    if fault.cell:
        parts.append(say.say("fault.cell", cell=say.foreign(_short(fault.cell))))
    return parts


def _wanted(fault: RowFault, say: Words) -> str:
    sentences = [say.say(f"fault.{fault.code}", detail=say.foreign(_short(fault.detail)))]
    if fault.nearest:
        sentences.append(say.say("fault.nearest", nearest=say.foreign(fault.nearest)))
    if fault.example:
        sentences.append(say.say("fault.example", example=say.foreign(fault.example)))
    if fault.allowed and not fault.nearest:
        sentences.append(say.say("fault.allowed", allowed=say.join(list(fault.allowed[:MAX_ALLOWED]))))
    return " ".join(sentences)


def _short(text: str) -> str:
    text = clean(text)
    return text if len(text) <= MAX_CELL else f"{text[:MAX_CELL]}…"
