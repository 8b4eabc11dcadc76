"""Encodings found out."""

import contextlib
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.connectors.decoding import Encoding, decode_file, is_damaged
from services.connectors.model import RefusedRowError

ARABIC = "المعرّف,المكان\n1,قصف على حي الميدان في حلب\n2,اشتباكات قرب درعا والحسكة\n"
RUSSIAN = "номер,место\n1,Обстрел района Мидан в Алеппо\n2,Столкновения у Дараа\n"
FRENCH = "numéro,récit\n1,Tir de mortier près de l'hôpital à Alep\n2,Frappe aérienne; blessés évacués\n"
GERMAN = "Nr,Ort\n1,Straßenkämpfe südlich von Köln\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(ARABIC, "windows-1256"), (RUSSIAN, "windows-1251"), (FRENCH, "windows-1252"), (GERMAN, "windows-1252"),
     (ARABIC, "utf-8"), (RUSSIAN, "utf-16-le"), (ARABIC, "utf-16-le"), (FRENCH, "utf-16-be"),
     ("id,act\n1,shelling\n", "utf-8")],
)  # fmt: skip
def test_the_encoding_is_found_without_a_mark(text: str, encoding: Encoding) -> None:
    found = decode_file(text.encode(encoding))
    assert (found.text, found.encoding, found.marked) == (text, encoding, False)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_byte_order_mark_says_the_encoding_and_is_no_text(encoding: Encoding) -> None:
    found = decode_file(("\ufeff" + ARABIC).encode(encoding))
    assert (found.text, found.encoding, found.marked) == (ARABIC, encoding, True)


def test_one_broken_character_in_utf8_is_damage_and_not_another_encoding() -> None:
    data = ARABIC.encode()
    found = decode_file(data.replace("الميدان".encode(), "الميدان".encode()[:-1]))
    assert found.encoding == "utf-8"
    assert is_damaged(found.text)
    assert [is_damaged(line) for line in found.text.splitlines()] == [False, True, False]
    assert "اشتباكات" in found.text


def test_somebody_who_knows_better_is_believed() -> None:
    assert decode_file(FRENCH.encode("windows-1252"), "windows-1251").encoding == "windows-1251"


def test_a_packed_file_is_unpacked_with_all_its_members() -> None:
    packed = gzip.compress(b"a,b\n") + gzip.compress(b"1,2\n")
    found = decode_file(packed)
    assert (found.text, found.packed) == ("a,b\n1,2\n", True)


@pytest.mark.parametrize(
    "data", [gzip.compress(b"x" * 1000)[:-12], b"\x1f\x8bnot", gzip.compress(b"a")[:-1]], ids=["cut", "noise", "short"]
)
def test_a_damaged_packed_file_is_refused(data: bytes) -> None:
    with pytest.raises(RefusedRowError) as refused:
        decode_file(data)
    assert refused.value.faults[0].code == "damaged_file"


@given(st.binary(max_size=2_000))
def test_any_bytes_at_all_give_text_or_a_refusal(data: bytes) -> None:
    with contextlib.suppress(RefusedRowError):
        assert isinstance(decode_file(data).text, str)
