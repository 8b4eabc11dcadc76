"""Refusals of the intake, with a pointer to every bad field, and never with a 500."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.platform.http.bodies import MAX_BODY
from tests.component.ingest.running import RunningIngest, report, running_ingest
from tests.examples import examples
from tests.unit.ingest.samples import REPORT

NDJSON = {"content-type": "application/x-ndjson"}
MOMENT = "2016-05-08T10:00:00Z"


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"occurred": "2016-05-08"}, ["/occurred"]),
        ({"occurred": "2016-05-08T10:00:00"}, ["/occurred"]),
        ({"occurred": 1462701600}, ["/occurred"]),
        ({"occurred": "2016-05-08T12:05:01Z"}, ["/occurred"]),
        ({"occurred": "0001-01-01T00:00:00+03:00"}, ["/occurred"]),
        ({"occurred": {"date": "2016-02-30"}}, ["/occurred/date"]),
        ({"occurred": {"date": "2016-05-09"}}, ["/occurred/date"]),
        ({"occurred": {"date": "٢٠١٦-٠٥-٠٨"}}, ["/occurred/date"]),
        ({"occurred": {}}, ["/occurred/from", "/occurred/to"]),
        ({"occurred": {"from": MOMENT}}, ["/occurred/to"]),
        ({"occurred": {"from": MOMENT, "date": "2016-05-08"}}, ["/occurred/from"]),
        ({"occurred": {"from": MOMENT, "to": "2016-05-08T09:59:59Z"}}, ["/occurred/to"]),
        ({"occurred": {"from": MOMENT, "to": "2016-05-08T12:05:01Z"}}, ["/occurred/to"]),
        ({"location": {}}, ["/location"]),
        ({"location": {"lat": 36.2}}, ["/location/lon"]),
        ({"location": {"lon": 36.2, "place": "x"}}, ["/location/lat"]),
        ({"location": {"place": "x", "radius_km": 1}}, ["/location/radius_km"]),
        ({"location": {"lat": 91, "lon": 181}}, ["/location/lat", "/location/lon"]),
        ({"location": {"lat": 9, "lon": 18, "radius_km": 0}}, ["/location/radius_km"]),
        ({"location": {"lat": "36.2", "lon": 37.1}}, ["/location/lat"]),
        ({"act": "dance"}, ["/act"]),
        ({"claims": ["self_defence", "whim"]}, ["/claims/1"]),
        ({"casualties": {"killed": -1, "injured": 1.5}}, ["/casualties/killed", "/casualties/injured"]),
        ({"source": {"name": "x", "grade": "G7"}}, ["/source/grade"]),
        ({"source": {"grade": "C3"}}, ["/source/name"]),
        ({"perpetrators": ["x", ""]}, ["/perpetrators/1"]),
        ({"perpetrators": ["x"] * 51}, ["/perpetrators"]),
        ({"description": "a\0b", "targets": ["ok", "\0"]}, ["/description", "/targets/1"]),
        ({"external_id": ""}, ["/external_id"]),
        ({"unknown/field": 1}, ["/unknown~1field"]),
        ({"aggregate": "no", "language": "x", "evidence": "none"}, ["/aggregate", "/evidence", "/language"]),
    ],
)  # fmt: skip
async def test_each_bad_field_is_named_and_nothing_is_kept(
    ingest: RunningIngest, changes: dict[str, Any], pointers: list[str]
) -> None:
    answer = await ingest.partner.post("/v1/incidents", json=report(**changes))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert sorted(error["pointer"] for error in answer.json()["errors"]) == sorted(pointers)
    assert await ingest.published() == []


async def test_all_errors_come_at_once(ingest: RunningIngest) -> None:
    bad = {
        "occurred": "2016-05-08",
        "location": {"lat": 91},
        "act": "dance",
        "source": {"name": "x", "grade": "Z"},
        "x": 1,
    }
    answer = await ingest.partner.post("/v1/incidents", json=bad)
    assert sorted(error["pointer"] for error in answer.json()["errors"]) == [
        "/act", "/external_id", "/location/lat", "/location/lon", "/occurred", "/source/grade", "/x",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "occurred",
    [
        "2016-05-08T12:05:00Z",
        {"from": MOMENT, "to": "2016-05-08T12:05:00Z"},
        {"from": MOMENT, "to": MOMENT},
        {"date": "2016-05-08"},
        {"from": MOMENT, "to": MOMENT, "date": None},
        "2016-05-08T10:00:00.123456789+05:30",
    ],
)
async def test_times_up_to_the_edge_are_taken(ingest: RunningIngest, occurred: Any) -> None:
    assert (await ingest.partner.post("/v1/incidents", json=report(occurred=occurred))).status_code == 202


async def test_a_backslash_before_u0000_is_no_nul(ingest: RunningIngest) -> None:
    answer = await ingest.partner.post("/v1/incidents", json=report(description="\\u0000"))
    assert answer.status_code == 202


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nonsense", b"\xff\xfe", b'{"a": NaN}', b'{"a": "\\ud800"}', b'{"a": "\xff"}', b"[" * 200_000, b"{}x"],
)
async def test_what_is_no_json_is_400(ingest: RunningIngest, body: bytes) -> None:
    answer = await ingest.partner.post("/v1/incidents", content=body)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


async def test_a_body_over_the_limit_is_413_whatever_it_announced(ingest: RunningIngest) -> None:
    announced = await ingest.partner.post("/v1/incidents", content=b" " * (MAX_BODY + 1))

    async def pieces() -> Any:
        for _ in range(MAX_BODY // 4096 + 2):
            yield b" " * 4096

    streamed = await ingest.partner.post("/v1/incidents", content=pieces())
    assert (announced.status_code, streamed.status_code) == (413, 413)
    whole = json.dumps(REPORT).encode()
    assert (await ingest.partner.post("/v1/incidents", content=whole.ljust(MAX_BODY))).status_code == 202


@pytest.mark.parametrize("path", ["/v1/incidents", "/v1/incidents/batch"])
async def test_without_the_database_the_answer_is_503_with_a_time_to_come_back(
    ingest: RunningIngest, path: str
) -> None:
    await ingest.runtime.database.write(lambda connection: connection.exec_driver_sql("PRAGMA query_only=ON"))
    answer = await ingest.partner.post(path, json=REPORT if path == "/v1/incidents" else [REPORT])
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    ingest.runtime.database.engine.dispose()
    again = await ingest.partner.post(path, json=REPORT if path == "/v1/incidents" else [REPORT])
    assert again.status_code in (200, 202)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from([*REPORT, "claims", "sites", "aggregate", "description", "evidence", "language", "odd"])
DEEP = st.sampled_from(["from", "to", "date", "lat", "lon", "radius_km", "area", "place", "name", "grade", "killed"])


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid report with some of it replaced, then perhaps some bytes of that."""
    body = json.loads(json.dumps(REPORT))
    for _ in range(draw(st.integers(0, 3))):
        name = draw(FIELDS)
        if isinstance(body.get(name), dict) and draw(st.booleans()):
            body[name][draw(DEEP)] = draw(JSON)
        else:
            body[name] = draw(JSON)
    raw = bytearray(json.dumps(body).encode("utf-8", "surrogatepass"))
    for _ in range(draw(st.integers(0, 2))):
        raw[draw(st.integers(0, len(raw) - 1))] = draw(st.integers(0, 255))
    return bytes(raw)


BODIES = st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()) | mutated()


class Runner:
    """One desk for all examples, on a loop of its own."""

    def __init__(self, directory: Path) -> None:
        self._runner = asyncio.Runner()
        self._context = running_ingest(directory)
        self._desk = self._runner.run(self._context.__aenter__())
        self._count = 0

    def check(self, body: bytes) -> None:
        self._runner.run(self._check(body))

    def close(self) -> None:
        self._runner.run(self._context.__aexit__(None, None, None))
        self._runner.close()

    async def _check(self, body: bytes) -> None:
        single = await self._desk.partner.post("/v1/incidents", content=body)
        assert single.status_code in (200, 202, 400, 409, 422), single.text
        self._count += 1
        before, after = (json.dumps(report(external_id=f"n{self._count}-{n}")).encode() for n in (0, 1))
        line = body.replace(b"\n", b" ").strip() or b"0"
        content = b"\n".join((before, line, after))
        answer = await self._desk.partner.post("/v1/incidents/batch", content=content, headers=NDJSON)
        assert answer.status_code == 200
        results = answer.json()["results"]
        assert [one["status"] for one in (results[0], results[-1])] == [202, 202]
        if line == body:
            expected = {200: 200, 202: 200, 409: 409}.get(single.status_code, 422)
            assert results[1]["status"] == expected


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    made = Runner(tmp_path_factory.mktemp("fuzz"))
    yield made
    made.close()


@given(body=BODIES)
@example(body=b'{"occurred": {"date": "9999-12-31"}}')
@example(body=json.dumps(report(occurred="9999-12-31T23:59:59-23:59")).encode())
@example(body=json.dumps(report(external_id="\ud83d")).encode())
@examples(300)
def test_no_bytes_make_it_fail_and_neighbours_are_unharmed(runner: Runner, body: bytes) -> None:
    runner.check(body)
