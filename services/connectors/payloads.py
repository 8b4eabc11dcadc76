"""The input of an adapter, by its kind: a body that is posted, a page of a list, one record that was kept.

``kept`` is a record without what nobody mapped: it is read again to the same outcome, and holds no personal column.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, Literal, get_args

import msgspec

from services.connectors import hxl, kobo, odk, topic, ushahidi
from services.connectors.answers import PATHS
from services.connectors.file_pages import (
    ListPage,
    PolledFile,
    ReadRecord,
    UnreadableListError,
    read_file_page,
    read_file_row,
)
from services.connectors.model import RowContext, RowOutcome
from services.connectors.terms import with_terms

AdapterKind = Literal["kobo", "odk", "ushahidi", "kafka", PolledFile]
FILES: Final[tuple[PolledFile, ...]] = get_args(PolledFile)


#: The paths of ours that a table of fields may map, where they are not those of forms.
MAPPED: Final[Mapping[AdapterKind, tuple[str, ...]]] = {
    "kafka": ("external_id", *PATHS),
    "table": ("external_id", *PATHS, "source.quotes"),
    "hxl": tuple(hxl.TAGS),
    "acled": (),
    "ucdp": (),
}


class RecordSource(msgspec.Struct, frozen=True):
    """How the records of one kind are read: a record, alone; a page of a list; which columns are never read.

    ``lists_are_current``: a mark can fall there, so that a list is right whatever its marks.
    """

    read: Callable[[Any, RowContext], RowOutcome]
    read_page: Callable[[bytes, RowContext, str], ListPage]
    personal: frozenset[str] = frozenset()
    lists_are_current: bool = False


class FormServer(msgspec.Struct, frozen=True):
    """How the payloads of one kind of server are read. ``changed_at`` reads when a record last changed, as the server
    writes it; ``next_page`` the address of the rest of a list, empty at its end."""

    split: Callable[[Any], list[Any]]
    read: Callable[[Any, RowContext], RowOutcome]
    strip: Callable[[Any, RowContext], dict[str, Any]]
    changed_at: Callable[[Any], str]
    next_page: Callable[[Any], str]
    personal: frozenset[str]
    lists_are_current: bool = False


SERVERS: Final[Mapping[AdapterKind, FormServer]] = {
    "kobo": FormServer(
        kobo.split, kobo.read_submission, kobo.strip, kobo.changed_at, kobo.next_page, kobo.PERSONAL, True
    ),
    "odk": FormServer(odk.split, odk.read_record, odk.strip, odk.changed_at, odk.next_page, odk.PERSONAL),
    "ushahidi": FormServer(
        ushahidi.split, ushahidi.read_post, ushahidi.strip, ushahidi.changed_at, ushahidi.next_page, ushahidi.PERSONAL
    ),
    "kafka": FormServer(topic.split, topic.read_topic_record, topic.strip, lambda _: "", lambda _: "", frozenset()),
}


def read_payload(kind: AdapterKind, payload: Any, context: RowContext) -> Iterator[ReadRecord]:
    """Each record of a posted body or of a page of a list, of a kind that is JSON."""
    server = SERVERS[kind]
    for record in server.split(payload):
        yield ReadRecord(SOURCES[kind].read(record, context), server.strip(record, context))


def _read_form_page(kind: AdapterKind, body: bytes, context: RowContext, _url: str) -> ListPage:
    """Raises UnreadableListError."""
    server = SERVERS[kind]
    try:
        payload = msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableListError("the source did not answer with JSON") from error
    newest = max((server.changed_at(one) for one in server.split(payload)), key=order_of_times, default="")
    return ListPage(list(read_payload(kind, payload, context)), newest, server.next_page(payload))


def order_of_times(moment: str) -> tuple[int, str]:
    """Times of one source are of one form: text of one length, or seconds."""
    return (int(moment), "") if moment.isdecimal() and len(moment) < 19 else (0, moment)


def _under_terms(read: Callable[[Any, RowContext], RowOutcome]) -> Callable[[Any, RowContext], RowOutcome]:
    return lambda record, context: with_terms(read(record, context), context)


def _of_file(kind: PolledFile) -> RecordSource:
    def read_page(body: bytes, context: RowContext, url: str) -> ListPage:
        return read_file_page(kind, body, context, url)

    return RecordSource(_under_terms(partial(read_file_row, kind)), read_page)


def _of_form(kind: AdapterKind) -> RecordSource:
    server = SERVERS[kind]
    return RecordSource(
        _under_terms(server.read), partial(_read_form_page, kind), server.personal, server.lists_are_current
    )


SOURCES: Final[Mapping[AdapterKind, RecordSource]] = {
    **{kind: _of_form(kind) for kind in SERVERS},
    **{kind: _of_file(kind) for kind in FILES},
}
