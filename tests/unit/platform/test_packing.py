"""Documents are read as they were packed, and as they were stored before they were packed."""

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.examples import ASSESSMENT
from services.platform.db.packing import pack, unpack
from services.platform.db.packing_dictionary import VERSION_1

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda some: st.lists(some, max_size=4) | st.dictionaries(st.text(max_size=9), some, max_size=4),
)


@given(st.dictionaries(st.text(max_size=9), json_values))
def test_a_packed_document_is_read_as_it_was(document: dict[str, object]) -> None:
    written = msgspec.json.encode(document)
    packed = pack(written)
    assert unpack(packed) == written
    assert len(packed) <= len(written)
    assert pack(written) == packed


@given(st.dictionaries(st.text(max_size=9), json_values))
def test_a_document_that_was_stored_before_is_read_as_it_is(document: dict[str, object]) -> None:
    written = msgspec.json.encode(document)
    assert unpack(written) == written


def test_an_assessment_takes_a_third_of_its_size() -> None:
    written = msgspec.json.encode(ASSESSMENT)
    assert len(pack(written)) * 3 < len(written)


@pytest.mark.parametrize("damage", [lambda b: b[:-5], lambda b: b[:20] + b"\xff\xff\xff" + b[23:], lambda b: b[:1]])
def test_a_damaged_document_is_refused_as_unreadable(damage: object) -> None:
    assert callable(damage)
    packed = pack(msgspec.json.encode(ASSESSMENT))
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(unpack(damage(packed)))


def test_the_dictionary_of_what_is_stored_never_changes() -> None:
    assert hashlib.sha256(VERSION_1).hexdigest() == "bf3f4524fc7a9d4153f52a6ad64498f9399961d0199911775bd2bf98dff605b0"
