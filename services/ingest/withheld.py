"""The terms of a source: the one place where a report is made what its reader may see.

Of a report whose source's ``terms`` are ``no_redistribution`` a monitor gets neither the words nor where they stand:
``description``, ``evidence``, ``url`` and ``quotes`` of the source. Operators get all, and so does the partner that
reported it. Alerts and assessments never hold any of these.
"""

from typing import Any, Final

import msgspec

from schemas.report import Report


class Reader(msgspec.Struct, frozen=True):
    """A reader of incidents: ``partner`` to whose incidents it is confined (None: all), and whether it gets the words
    that terms withhold from others."""

    partner: str | None = None
    gets_all: bool = True


#: An operator.
EVERYTHING: Final = Reader()


class _SourceHead(msgspec.Struct):
    terms: str | None = None


class _ReportHead(msgspec.Struct):
    source: _SourceHead


_read_head = msgspec.json.Decoder(_ReportHead).decode
_read_report = msgspec.json.Decoder(Report).decode


def is_withheld(report: bytes) -> bool:
    """Whether the terms of a stored report withhold its words from others."""
    return b'"terms"' in report and _read_head(report).source.terms is not None


def show_report(report: Any, reader: Reader, *, withheld: bool = False) -> Any:
    """A stored report, raw JSON, as a reader may see it. ``withheld``: it is, whatever it says itself."""
    if reader.gets_all or not (withheld or is_withheld(bytes(report))):
        return report
    return msgspec.Raw(msgspec.json.encode(without_words(_read_report(report))))


def without_words(report: Report) -> Report:
    """The report as its verdict, place and time may be told by others."""
    source = msgspec.structs.replace(report.source, url=None, quotes=())
    return msgspec.structs.replace(report, description="", evidence=(), source=source)
