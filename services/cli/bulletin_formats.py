"""A bulletin as Markdown, HTML or CSV. Texts of reports are shown as they are written, and never taken for markup."""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Final

from schemas.wording.words import words
from services.cli.bulletin import Bulletin, BulletinTable, Cell
from services.connectors.exported import quote_cell

_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]<>#|~&!])")
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}th,td{border:1px solid #999;padding:.3rem .5rem;text-align:start;"
    "vertical-align:top}th{background:#eee}"
)


def as_markdown(bulletin: Bulletin) -> str:
    parts = [f"# {_plain(bulletin.title)}", _plain(bulletin.lead)]
    for table in bulletin.tables:
        parts.append(f"## {_plain(table.title)}")
        parts.append(_markdown_table(table) if table.rows else _plain(words(bulletin.language).say("none")))
    return "\n\n".join([*parts, *map(_plain, bulletin.notes)]) + "\n"


def _markdown_table(table: BulletinTable) -> str:
    lines = [table.header, ["---"] * len(table.header), *table.rows]
    head, rule, *rows = [[_plain(cell) for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *rows))


def _plain(cell: Cell) -> str:
    return "" if cell is None else _MARKDOWN.sub(r"\\\1", str(cell))


def as_html(bulletin: Bulletin) -> str:
    say = words(bulletin.language)
    parts = [f"<h1>{escape(bulletin.title)}</h1>", f"<p>{escape(bulletin.lead)}</p>"]
    for table in bulletin.tables:
        parts.append(f"<h2>{escape(table.title)}</h2>")
        parts.append(_html_table(table) if table.rows else f"<p>{escape(say.say('none'))}</p>")
    parts += [f"<p>{escape(note)}</p>" for note in bulletin.notes]
    head = f'<meta charset="utf-8"><title>{escape(bulletin.title)}</title><style>{_STYLE}</style>'
    return (
        f'<!doctype html>\n<html lang="{bulletin.language}" dir="{say.direction}"><head>{head}</head>\n<body>\n'
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _html_table(table: BulletinTable) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.header)
    rows = "\n".join(f"<tr>{_html_cells(row)}</tr>" for row in table.rows)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table>"


def _html_cells(row: Sequence[Cell]) -> str:
    return "".join(f"<td>{'' if cell is None else escape(str(cell))}</td>" for cell in row)


def as_csv(bulletin: Bulletin) -> str:
    """Every incident of the period, whatever its verdict: a row each."""
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\r\n")
    writer.writerow(bulletin.incidents.header)
    writer.writerows([quote_cell(c) if isinstance(c, str) else c for c in row] for row in bulletin.incidents.rows)
    return made.getvalue()


FORMATS: Final[Mapping[str, Callable[[Bulletin], str]]] = {"md": as_markdown, "html": as_html, "csv": as_csv}
