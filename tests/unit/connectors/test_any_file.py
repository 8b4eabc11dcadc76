"""No file of bytes makes an importer raise, or take more than twenty times its size."""

import contextlib
import csv
import gzip
import io
import tracemalloc
from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.connectors import acled, ucdp
from services.connectors.file_facts import FileKind, ReadingOptions
from services.connectors.files import open_file, read_outcomes, survey
from services.connectors.model import AdapterMap, RefusedRow, RefusedRowError, ReportDraft, RowContext
from tests.unit.connectors.reading import DAMASCUS, outcomes, sample

#: Memory that a reader may take whatever the file: buffers, one row at its limits.
FREE: Final = 2**20
TIMES: Final = 20
WORDS: Final = st.sampled_from(
    ["", "nan", "1", "2.0", "1e400", "-7", "36,2", "2016-05-08", "9999-12-31", "0001-01-01", "29 February 2015", "x;y",
     "\u202e", "\udcff", "Armed clash", "Agreement", "2.01605E+13", "7", "=1+1", "9" * 400]
)  # fmt: skip


def consume(data: bytes, options: ReadingOptions | None = None) -> None:
    with contextlib.suppress(RefusedRowError):
        for outcome in outcomes(data, options=options):
            assert not isinstance(outcome, RefusedRow) or outcome.faults


@given(st.binary(max_size=500))
@example(b"PK\x03\x04")
@example(b"\x1f\x8b\x08\x00")
@example(b"[" * 5_000)
@example(b'{"a":' * 5_000)
@example(b'{"external_id": 1e999, "occurred": 1e400}')
@example(b'"' + b"x" * 200_000)
@example(b"a,b\n" + b'"' * 1_001)
def test_any_bytes_at_all_are_read_or_refused(data: bytes) -> None:
    consume(data)


@given(st.text(alphabet='{}[]",:;\n\t #+ae1-', max_size=200))
def test_any_text_that_looks_like_a_file_is_read_or_refused(text: str) -> None:
    consume(text.encode())


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("acled", sorted({*acled.COLUMNS, "time_precision", "geo_precision", "fatalities", "inter2"})),
        ("ucdp", sorted({*ucdp.COLUMNS, "code_status", "source_office"})),
        ("hxl", ["#event+id", "#event+type", "#date+start", "#date+end", "#geo+lat", "#geo+lon", "#affected+killed"]),
        ("reports", ["external_id", "occurred.date", "act", "location.lat", "perpetrators", "casualties.killed"]),
    ],
)
@given(data=st.data())
def test_any_cells_below_a_known_header_are_read_or_refused(
    kind: FileKind, columns: list[str], data: st.DataObject
) -> None:
    rows = data.draw(st.lists(st.lists(WORDS, min_size=len(columns), max_size=len(columns)), min_size=1, max_size=4))
    file = io.StringIO(newline="")
    csv.writer(file).writerows([columns, *rows])
    consume(file.getvalue().encode("utf-8", "surrogateescape"), ReadingOptions(kind=kind))


def of_size(size: int, unit: bytes, head: bytes = b"") -> bytes:
    return head + unit * (size // len(unit))


SIZE: Final = 2**17


@pytest.mark.parametrize(
    "make",
    [
        lambda: of_size(SIZE, b"\x00"),
        lambda: of_size(SIZE, b"\xff"),
        lambda: of_size(SIZE, b","),
        lambda: of_size(SIZE, b"\n"),
        lambda: of_size(SIZE, b"a,\n"),
        lambda: of_size(SIZE, b'"'),
        lambda: of_size(SIZE, "Ā,".encode()),
        lambda: of_size(SIZE, "😀".encode() * 50 + b"\n", b"external_id,act,source.name\n"),
        lambda: of_size(SIZE, b"a,b," + b"c" * 200 + b"\n", b"external_id,act,source.name\n"),
        lambda: b"[" + of_size(SIZE, b"[],") + b"[]]",
        lambda: b"[" + of_size(SIZE, b"1,") + b"1]",
        lambda: b"[" + of_size(SIZE, b'{"a":1},') + b"{}]",
        lambda: b'{"data":[' + of_size(SIZE, b"{},") + b"{}]}",
        lambda: of_size(SIZE, b'{"external_id":"a"}\n'),
        lambda: of_size(SIZE, b"#a,#b\n"),
        lambda: b"".join(sample("acled_rows.csv").splitlines(keepends=True) * 40),
        lambda: gzip.compress(b"".join(sample("acled_rows.csv").splitlines(keepends=True)) * 20),
    ],
)
def test_no_file_takes_more_than_twenty_times_its_size(make: Callable[[], bytes]) -> None:
    data, context = make(), RowContext(AdapterMap(), DAMASCUS)
    tracemalloc.start()
    try:
        with contextlib.suppress(RefusedRowError):
            opened = open_file(data)
            for numbered in read_outcomes(opened, context, survey(opened, context)):
                assert isinstance(numbered.outcome, ReportDraft | RefusedRow)
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert taken <= TIMES * len(data) + FREE
