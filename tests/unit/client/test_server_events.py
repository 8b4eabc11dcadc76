"""Server-sent events, however they are cut into chunks."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.client.server_events import EventParser, ServerEvent

STREAM = (
    'retry: 1500\nid: c0\n\n: alive\n\nid: c1\r\nevent: alert.raised\r\ndata: {"a": "\u2028é"}\r\n\r\n'
    "data: 1\rdata:2\r\rid: c\0\nid\nevent: x\n\ndata: cut"
).encode()
EVENTS = [ServerEvent("c1", "alert.raised", '{"a": "\u2028é"}'), ServerEvent("c1", "message", "1\n2")]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_events_do_not_depend_on_where_the_stream_is_cut(cuts: list[int]) -> None:
    parser, places = EventParser("", 2.0), [0, *sorted(cuts), len(STREAM)]
    found = [event for i, j in pairwise(places) for event in parser.feed(STREAM[i:j])]
    assert found == EVENTS
    assert (parser.last_id, parser.retry_s) == ("", 1.5)


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_no_bytes_make_it_raise(chunks: list[bytes]) -> None:
    parser = EventParser("c", 2.0)
    for chunk in chunks:
        parser.feed(chunk)


def test_the_opening_names_a_position_without_an_event() -> None:
    parser = EventParser("", 2.0)
    assert parser.feed(b"retry: 2000\nid: c7\n\n") == []
    assert parser.last_id == "c7"
