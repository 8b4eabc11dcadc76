"""Bodies before they are decoded: unpacked within bounds, refused where they nest too deeply, cut into elements."""

import contextlib
import gzip
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.http.batch import split
from services.platform.http import raw_body
from services.platform.http.bodies import parse, parse_json, read_encoding
from services.platform.http.problems import MAX_ERROR_TEXT, MAX_ERRORS, FieldError, Problem
from services.platform.http.raw_body import MAX_DEPTH, UnpackedTooLargeError, find_commas, is_too_deep, unpack
from services.platform.http.validation import find_errors
from tests.unit.platform.measured import peak_of

MIB = 1024 * 1024
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def nested(depth: int) -> bytes:
    return b'{"a":[' * (depth // 2) + b"[" * (depth % 2) + b"]" * (depth % 2) + b"]}" * (depth // 2)


@given(st.binary(max_size=2000))
def test_what_was_packed_comes_back(data: bytes) -> None:
    assert unpack(gzip.compress(data), MIB) == data
    assert unpack(gzip.compress(data) + gzip.compress(data), MIB) == data * 2


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda d: gzip.compress(d)[:-3]))
def test_what_is_no_gzip_is_a_value_error(data: bytes) -> None:
    try:
        unpack(data, MIB)
    except ValueError:
        return


def test_a_body_that_grows_beyond_the_limit_is_never_unpacked_whole() -> None:
    bomb = gzip.compress(b" " * (64 * MIB))

    def unpack_bomb() -> None:
        with pytest.raises(UnpackedTooLargeError):
            unpack(bomb, MIB)

    assert peak_of(unpack_bomb) < 5 * MIB


def test_a_body_may_grow_to_a_hundred_times_its_size_beyond_the_first_mebibyte() -> None:
    assert len(unpack(gzip.compress(b" " * MIB), 16 * MIB)) == MIB
    with pytest.raises(UnpackedTooLargeError):
        unpack(gzip.compress(b" " * (16 * MIB)), 16 * MIB)


@pytest.mark.parametrize("depth", [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 960, 100_000])
def test_json_nested_too_deeply_is_refused_before_it_is_decoded(depth: int) -> None:
    body = nested(depth)
    assert is_too_deep(body) == (depth > MAX_DEPTH)
    if depth <= MAX_DEPTH:
        parse_json(body)
        return
    for read in (parse_json, lambda b: parse(b, dict[str, Any])):
        with pytest.raises(Problem) as refused:
            read(body)
        assert (refused.value.status, refused.value.title) == (400, "Nested too deeply")


def test_brackets_in_strings_nest_nothing() -> None:
    assert not is_too_deep(json.dumps({"a": '"[{\\"' * 100, "b": "\\" * 101}).encode())


def depth_of(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


@given(JSON, st.integers(1, 7))
def test_depth_is_measured_as_json_has_it(value: Any, chunk: int) -> None:
    scan, body = raw_body.Scan(), json.dumps(value, ensure_ascii=False).encode()
    for start in range(0, len(body), chunk):
        scan.feed(body[start : start + chunk])
    assert (scan.deepest, scan.depth, scan.in_string) == (depth_of(value), 0, False)


@given(st.lists(JSON, max_size=8), st.sampled_from([",", " ,\n "]))
def test_the_elements_of_an_array_are_told_apart_as_json_has_them(values: list[Any], comma: str) -> None:
    body = f" [ {comma.join(json.dumps(v) for v in values)} ] ".encode()
    commas = [at for found in find_commas(body) for at in found]
    assert len(commas) == max(0, len(values) - 1)
    assert all(body[at : at + 1] == b"," for at in commas)


@given(st.binary(max_size=100) | st.text(alphabet='[]{},"\\ 1N', max_size=60).map(str.encode))
async def test_any_body_is_split_or_refused(body: bytes) -> None:
    for lines in (False, True):
        with contextlib.suppress(Problem):
            await split(body, lines=lines)


@pytest.mark.parametrize("element", [b"1,", b"[],", b"{},", b'"",', b"NaN,", b"[[[]]],"])
async def test_sixteen_mebibytes_of_tiny_elements_take_no_more_than_a_few_times_that(element: bytes) -> None:
    body = b"[" + element * (16 * MIB // len(element) - 1) + b"1]"
    tracemalloc.start()
    with pytest.raises(Problem) as refused:
        await split(body, lines=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused.value.status == 413
    assert peak < 4 * len(body)


@pytest.mark.parametrize(
    ("values", "status"),
    [([b"gzip"], 0), ([b"GZIP"], 0), ([b"identity"], 0), ([b""], 0), ([b"br"], 415), ([b"gzip, gzip"], 415),
     ([b"gzip", b"gzip"], 415), ([b"deflate"], 415)],
)  # fmt: skip
def test_gzip_alone_is_an_encoding_that_we_read(values: list[bytes], status: int) -> None:
    headers = [(b"content-encoding", value) for value in values]
    if not status:
        read_encoding(headers)
        return
    with pytest.raises(Problem) as refused:
        read_encoding(headers)
    assert (refused.value.status, refused.value.headers) == (status, {"accept-encoding": "gzip"})


def test_an_answer_lists_the_first_hundred_errors_and_says_so() -> None:
    body = Problem(422, "Not valid", errors=[FieldError(f"/{n}", "wrong") for n in range(1000)]).body()
    assert len(body["errors"]) == MAX_ERRORS
    assert body["detail"] == "Of all errors the first 100 are listed."


def test_long_pointers_do_not_make_a_long_answer() -> None:
    body = Problem(422, "Not valid", errors=[FieldError("/" + "k" * MAX_ERROR_TEXT, "wrong")] * 50).body()
    assert len(body["errors"]) == 1


@pytest.mark.parametrize("items", [1, 101, 100_000])
def test_errors_are_looked_for_no_further_than_an_answer_lists_them(items: int) -> None:
    errors = find_errors([1] * items, list[str])
    assert len(errors) == min(items, MAX_ERRORS + 1)


def test_peaks_are_measured() -> None:
    made: Callable[[], object] = lambda: bytes(8 * MIB)  # noqa: E731
    assert 8 * MIB <= peak_of(made) < 9 * MIB
