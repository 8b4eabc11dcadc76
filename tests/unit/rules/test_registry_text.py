"""Text as plain values, and where each stands."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.rules.registry import yaml_json as registry_text
from services.rules.registry.yaml_json import UnreadableTextError, find_lines, line_of, read_text, to_json
from services.rules.registry.yaml_writer import OneLine, write_yaml


def yaml(text: str) -> object:
    return read_text(text.encode(), "yaml")


def test_times_and_words_stay_text() -> None:
    text = 'a: 2016-02-27\nb: 2016-05-05T01:00:00Z\nc: 22:00\nd: no\ne: on\nf: "1"\ng: 1_000\nh: !!str 7\ni: NO\n'
    assert yaml(text) == {
        "a": "2016-02-27", "b": "2016-05-05T01:00:00Z", "c": "22:00", "d": "no", "e": "on", "f": "1", "g": "1_000",
        "h": "7", "i": "NO",
    }  # fmt: skip


def test_numbers_nothing_and_truth_are_read() -> None:
    assert yaml("[1, -2, 0.5, .5, 1e3, null, ~, true, False]") == [1, -2, 0.5, 0.5, 1000.0, None, None, True, False]
    assert yaml("a:\nb: ''\n") == {"a": None, "b": ""}


def test_an_alias_stands_for_what_was_anchored() -> None:
    assert yaml("a: &x [1, 2]\nb: *x\nc: &y text\nd: *y\n") == {"a": [1, 2], "b": [1, 2], "c": "text", "d": "text"}


def test_a_small_text_cannot_stand_for_an_endless_one() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for n in range(1, 12):
        bomb += f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n"
    with pytest.raises(UnreadableTextError, match="more than"):
        yaml(bomb)


@pytest.mark.parametrize(
    ("text", "why", "line"),
    [
        ("a: 1\nb: !!python/object/apply:os.system [ls]\n", "tag", 2),
        ("!!python/object:os.Thing {a: 1}", "tag", 1),
        ("a: 1\nb: !thing x\n", "tag", 2),
        ("a: 1\na: 2\n", "twice", 2),
        ("a: *x\n", "refers to no finished value", 1),
        ("a: &x [*x]\n", "refers to no finished value", 1),
        ("a: [1\nb: 2\n", "not valid YAML", 2),
        ("a: 1\n---\nb: 2\n", "more than one document", 2),
        ("? [a]\n: 1\n", "key must be text", 1),
        ("a:\n  " + "[" * 60 + "]" * 60, "deeper", 2),
        ("a: \x07\n", "not valid YAML", None),
    ],
)
def test_what_we_do_not_read_is_refused_with_its_line(text: str, why: str, line: int | None) -> None:
    with pytest.raises(UnreadableTextError, match=why) as caught:
        yaml(text)
    if line is not None:
        assert caught.value.line == line


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(UnreadableTextError, match="UTF-8") as caught:
        read_text(b"a: 1\nb: \xff\n", "yaml")
    assert caught.value.line == 2


def test_a_text_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_text, "MAX_BYTES", 10)
    with pytest.raises(UnreadableTextError, match="longer"):
        yaml("a: 1234567890\n")


def test_malformed_json_is_refused_with_its_line() -> None:
    with pytest.raises(UnreadableTextError) as caught:
        read_text(b'{\n "a": 1,\n "b" 2\n}', "json")
    assert caught.value.line == 3


def test_json_nested_without_end_is_refused() -> None:
    with pytest.raises(UnreadableTextError):
        read_text(b"[" * 100_000, "json")


def test_lines_of_yaml() -> None:
    text = b"a:\n  b: 1\n  c:\n    - 2\n    - {d/e: 3,\n       f: 4}\n"
    lines = find_lines(text, "yaml")
    assert lines == {"": 1, "/a": 2, "/a/b": 2, "/a/c": 4, "/a/c/0": 4, "/a/c/1": 5, "/a/c/1/d~1e": 5, "/a/c/1/f": 6}
    assert line_of("/a/c/1/missing/0", lines) == 5


def test_lines_of_json() -> None:
    text = b'{\n "a": {"b": "x:,[y",\n  "c": [2,\n   {"d/e": 3}, []\n  ]}\n}'
    assert find_lines(text, "json") == {
        "": 1, "/a": 2, "/a/b": 2, "/a/c": 3, "/a/c/0": 3, "/a/c/1": 4, "/a/c/1/d~1e": 4, "/a/c/2": 4,
    }  # fmt: skip


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def _pointers(value: object, pointer: str = "") -> set[str]:
    members: list[tuple[object, object]] = []
    if isinstance(value, dict):
        members = list(value.items())
    elif isinstance(value, list):
        members = list(enumerate(value))
    found = {pointer}
    for key, item in members:
        found |= _pointers(item, registry_text.member(pointer, str(key)))
    return found


@given(values)
def test_every_value_of_json_has_a_line(value: object) -> None:
    text = msgspec.json.format(msgspec.json.encode(value), indent=1)
    assert set(find_lines(text, "json")) == _pointers(value)


@given(values)
def test_json_without_escapes_is_yaml_and_means_the_same(value: object) -> None:
    text = msgspec.json.encode(value)
    if b"\\" in text or not text.isascii():
        return
    assert msgspec.json.decode(to_json(text, "yaml")) == value


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])) | st.from_regex(r"[-+]?[0-9.eE]{1,5}"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc: #-", min_size=1), inner, max_size=4),
    max_leaves=10,
)  # fmt: skip


@given(st.dictionaries(st.text("abc", min_size=1), JSON_VALUES))
def test_what_is_written_as_yaml_is_read_back_as_the_same(value: dict[str, Any]) -> None:
    for written in (value, OneLine(value)):
        assert read_text(write_yaml(written).encode(), "yaml") == value
