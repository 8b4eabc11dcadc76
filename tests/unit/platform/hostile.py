"""Texts and JSON that break parsers: what others met, and whatever Hypothesis makes of it."""

import copy
import json
from typing import Any, Final

from hypothesis import strategies as st

TEXTS: Final = (
    "", " ", "\0", "a\0b", "\ud800", "\u202e", "٢٠١٦-٠٥-٠٨", "9" * 5_000, "1e999", "-0", "NaN", "Infinity", "null",
    "9999-12-31T23:59:59Z", "9999-12-31T23:59:60Z", "0001-01-01T00:00:00Z", "0000-00-00T00:00:00Z",
    "2016-12-31T23:59:60Z", "2016-05-08T24:00:00Z", "2016-05-08T00:00:00+99:99", "2016-05-08T00:00:00-24:00",
    "2016-05-08T00:00:00.1234567890123Z", "2016-02-30", "2016-05-08", "24:00", "25:61", "P1D", "PT0S", "P99999999999D",
    "-P1D", "PT1H1H", "Asia/Damascus", "../../etc/passwd", "localtime", "Factory", "[" * 2_000, "{" * 2_000,
    "(" * 1_000, "a{1000}{1000}", "((.)|(.))*x", "\\", "%00", "%ff", "+", "&", "=", "*", "W/\"1\"", "http://[::1", "http://a:b@c:99999/",
    "https://\ud800.example/", "a@b", "a@b@c", "@", "a\r\nBcc: x@y.example", "=?utf-8?q?x?=", "<script>", "Basic eA==",
    "bearer", "Bearer", "Bearer ", "Bearer a b", "Bearer \xe9", "WyJhIiwxXQ", "W10", "null", "e30",
)  # fmt: skip
NUMBERS: Final = (0, -1, 1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, 0.5, 1e308, -1e308, 5e-324, 90.0000001, 180.5)

texts = st.sampled_from(TEXTS) | st.text(max_size=60)
values = st.recursive(
    st.none() | st.booleans() | st.sampled_from(NUMBERS) | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def to_bytes(value: Any) -> bytes:
    """As a careless client writes it: with NaN and halves of surrogate pairs."""
    return json.dumps(value).encode()


@st.composite
def mutated(draw: st.DrawFn, example: Any) -> bytes:
    """A valid value with some of it replaced, taken out or added to, then perhaps some bytes of that."""
    value = copy.deepcopy(example)
    for _ in range(draw(st.integers(1, 3))):
        value = _changed(draw, value)
    raw = bytearray(to_bytes(value))
    for _ in range(draw(st.integers(0, 2))):
        raw[draw(st.integers(0, len(raw) - 1))] = draw(st.integers(0, 255))
    return bytes(raw)


def _changed(draw: st.DrawFn, value: Any) -> Any:
    """Go down somewhere, and put something else there."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        name = draw(st.sampled_from(sorted(value)))
        if not draw(st.integers(0, 5)):
            return {key: inner for key, inner in value.items() if key != name}
        return {**value, name: _changed(draw, value[name])}
    if isinstance(value, list) and value and draw(st.integers(0, 4)):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], _changed(draw, value[at]), *value[at + 1 :]]
    return draw(values)


def bodies(example: Any) -> st.SearchStrategy[bytes]:
    """Anything that may come where ``example`` is expected."""
    return st.binary(max_size=200) | values.map(to_bytes) | mutated(example)
