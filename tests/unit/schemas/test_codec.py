"""Bytes and events."""

import msgspec
import pytest

from schemas.codec import UnreadableEventError, decode, decode_as, decode_kept, encode, encode_raw
from schemas.envelope import Event
from schemas.events import Actor, OperatorActed
from schemas.topics import AUDIT


def test_an_event_reads_back_as_it_was_and_raw_bytes_make_the_same_event() -> None:
    acted = OperatorActed("2016-05-08T00:00:00Z", Actor("k1", "ops"), "key.created", "keys/1", {"role": "monitor"})
    event = encode(AUDIT, acted, key="keys/1", id="1", time=acted.at)
    assert decode(event) == acted
    assert encode_raw(AUDIT, event.data, key="keys/1", id="1", time=acted.at) == event
    assert (event.type, event.source) == (AUDIT.type, "/trucewatch/every")


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"\xff"])
def test_an_event_that_is_not_what_its_topic_promises_says_which_it_is(data: bytes) -> None:
    with pytest.raises(UnreadableEventError, match="audit event x"):
        decode(Event("audit", "k", "x", "t", "/s", "2016-05-08T00:00:00Z", data))
    with pytest.raises(UnreadableEventError, match="audit event x"):
        decode_as(Event("audit", "k", "x", "t", "/s", "2016-05-08T00:00:00Z", data), _Part)


def test_an_act_of_before_keys_were_named_reads_with_the_name_that_it_has() -> None:
    data = b'{"at":"2016-05-08T00:00:00Z","actor":"ops","action":"key.created","resource":"keys/1","detail":{}}'
    acted = decode_kept(AUDIT, data)
    assert acted == OperatorActed("2016-05-08T00:00:00Z", Actor(None, "ops"), "key.created", "keys/1")


class _Part(msgspec.Struct):
    actor: str
    detail: msgspec.Raw


def test_a_part_of_an_event_is_read_and_the_rest_is_left_as_it_stands() -> None:
    data = b'{"at":"","actor":"ops","action":1,"detail":{ "a" : 1 }}'
    part = decode_as(Event("audit", "k", "x", "t", "/s", "2016-05-08T00:00:00Z", data), _Part)
    assert (part.actor, bytes(part.detail)) == ("ops", b'{ "a" : 1 }')


def test_an_event_of_a_topic_that_there_is_not_is_unreadable() -> None:
    with pytest.raises(UnreadableEventError, match="no topic"):
        decode(Event("gossip", "k", "x", "t", "/s", "2016-05-08T00:00:00Z", b"{}"))
