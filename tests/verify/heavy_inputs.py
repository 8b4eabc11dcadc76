"""Requests whose cost was once out of proportion to their size, and what each may cost.

The peak of memory of the process is the kernel's own (VmHWM), reset before each request.
"""

import gzip
import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from schemas.examples import REPORT

MIB: Final = 1024 * 1024
#: Allowed cost of a request whatever its size, and beyond it for each byte of it, unpacked.
FLOOR: Final = 128 * MIB
RATIO: Final = 20
#: No request may make a probe wait longer than this.
LIVEZ_S: Final = 0.25
_PROBE_PERIOD_S: Final = 0.02

NDJSON: Final = {"content-type": "application/x-ndjson"}
YAML: Final = {"content-type": "application/yaml"}
GZIP: Final = {"content-type": "application/json", "content-encoding": "gzip"}
JSON: Final = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Heavy:
    """One request. ``size`` is that of its body, unpacked."""

    name: str
    method: str
    path: str
    body: Callable[[], bytes]
    headers: dict[str, str] = field(default_factory=lambda: JSON)
    unpacked: int = 0


@dataclass(frozen=True, slots=True)
class Cost:
    """``peak``: memory beyond what the process held before; ``waited_s``: the longest that a probe waited."""

    name: str
    status: int
    size: int
    peak: int
    waited_s: float

    @property
    def allowed(self) -> int:
        return FLOOR + RATIO * self.size


def _fill(head: bytes, item: bytes, tail: bytes, size: int) -> bytes:
    return head + item * ((size - len(head) - len(tail)) // len(item)) + tail


def _document(**parts: Any) -> bytes:
    return json.dumps({"version": 1, "timezone": "UTC", **parts}).encode()


def _areas(*features: dict[str, Any]) -> bytes:
    return _document(areas={"type": "FeatureCollection", "features": list(features)})


def _feature(ring: Sequence[Sequence[float]], **properties: Any) -> dict[str, Any]:
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {
        "type": "Feature",
        "id": "a",
        "properties": {"name": {"en": "a"}, **properties},
        "geometry": geometry,
    }


def _star(points: int) -> bytes:
    turns = [2 * math.pi * n / points for n in range(points)]
    ring = [
        [round(37 + (1 if n % 2 else 0.01) * math.cos(turn), 5), round(36 + (1 if n % 2 else 0.01) * math.sin(turn), 5)]
        for n, turn in enumerate(turns)
    ]
    return _areas(_feature([*ring, ring[0]]))


def _chain(length: int) -> bytes:
    named = [{"id": f"p{n}", "kind": "group", "name": {"en": f"p{n}"}} for n in range(length)]
    return _document(
        parties=[{**one, "member_of": [f"p{n + 1}"] if n + 1 < length else []} for n, one in enumerate(named)]
    )


def _nested(depth: int) -> bytes:
    square = [[36, 33], [37, 33], [37, 34], [36, 34], [36, 33]]
    return _areas(_feature(square, deep=0)).replace(b'"deep": 0', b'"deep": ' + b"[" * depth + b"]" * depth)


def _terms(size: int) -> bytes:
    """Parties, each a member of the first a thousand times."""
    head = b'{"version":1,"timezone":"UTC","parties":[{"id":"a","kind":"g","name":{"en":"a"}}'
    member_of = b'"a",' * 999 + b'"a"'
    parts, length, number = [head], len(head), 0
    while length < size:
        parts.append(b',{"id":"p%d","kind":"g","name":{"en":"p"},"member_of":[%b]}' % (number, member_of))
        length += len(parts[-1])
        number += 1
    return b"".join([*parts, b"]}"])


HEAVY: Final = (
    Heavy("one long key over 10,000 leaves", "POST", "/v1/incidents",
          lambda: json.dumps({"k" * 80_000: ["\0"] * 5_000}).encode()),
    Heavy("a report of nothing but lists", "POST", "/v1/evaluate", lambda: _fill(b'{"x":[', b"[],", b"0]}", MIB)),
    Heavy("a report that nests 100,000 deep", "POST", "/v1/incidents", lambda: b"[" * 100_000),
    Heavy("a batch of 1,1,1", "POST", "/v1/incidents/batch", lambda: _fill(b"[", b"1,", b"1]", 16 * MIB)),
    Heavy("a batch of empty lists", "POST", "/v1/incidents/batch", lambda: _fill(b"[", b"[],", b"[]]", 16 * MIB)),
    Heavy("a batch of one element", "POST", "/v1/incidents/batch", lambda: _fill(b"[[", b"{},", b"NaN]]", 16 * MIB)),
    Heavy("a batch of wrong reports", "POST", "/v1/incidents/batch",
          lambda: _fill(b"", json.dumps({f"f{n}": 0 for n in range(150)}).encode() + b"\n", b"", 15 * MIB), NDJSON),
    Heavy("a batch of blank lines", "POST", "/v1/incidents/batch", lambda: b"\n" * (16 * MIB), NDJSON),
    Heavy("a batch that unpacks to 16 MiB", "POST", "/v1/incidents/batch",
          lambda: gzip.compress(_fill(b"[", b"[],", b"[]]", 16 * MIB)), GZIP, MIB),
    Heavy("a report that unpacks to 256 MiB", "POST", "/v1/incidents",
          lambda: gzip.compress(b" " * 256 * MIB, 1), GZIP),
    Heavy("a registry that unpacks to 256 MiB", "PUT", "/v1/registry",
          lambda: gzip.compress(b" " * 256 * MIB, 1), GZIP),
    Heavy("a registry of empty lists", "PUT", "/v1/registry",
          lambda: _fill(b'{"version":1,"timezone":"UTC","parties":[', b"[],", b"[]]}", 16 * MIB)),
    Heavy("a registry of empty parties", "PUT", "/v1/registry",
          lambda: _fill(b'{"version":1,"timezone":"UTC","parties":[', b"{},", b"{}]}", 16 * MIB)),
    Heavy("a registry of memberships", "PUT", "/v1/registry", lambda: _terms(15 * MIB)),
    Heavy("a registry in YAML of empty lists", "PUT", "/v1/registry",
          lambda: _fill(b"[", b"[],", b"[]]", 8 * MIB), YAML),
    Heavy("a registry in YAML of aliases", "PUT", "/v1/registry",
          lambda: b"a: &a [0,0,0,0,0,0,0,0]\n"
          + b"".join(b"%c: &%c [%b]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(9)), YAML),
    Heavy("a star of 100,000 points", "PUT", "/v1/registry", lambda: _star(100_000)),
    Heavy("a star of 19,000 points", "PUT", "/v1/registry", lambda: _star(19_000)),
    Heavy("a chain of 3,000 memberships", "PUT", "/v1/registry", lambda: _chain(3_000)),
    Heavy("properties that nest 960 deep", "PUT", "/v1/registry", lambda: _nested(960)),
    Heavy("a subscription of 1 MiB", "POST", "/v1/subscriptions",
          lambda: _fill(b'{"name":"a","filter":{"parties":[', b'"",', b'""]}}', MIB)),
    Heavy("a silence of 1 MiB", "POST", "/v1/silences", lambda: _fill(b'{"matchers":[', b"{},", b"{}]}", MIB)),
    Heavy("a bounce of one long text", "POST", "/v1/bounces",
          lambda: json.dumps({"address": "a" * 1_000_000}).encode()),
    Heavy("a report of a place nobody knows", "POST", "/v1/evaluate",
          lambda: json.dumps({**REPORT, "location": {"place": "Nowhere"}}).encode()),
)  # fmt: skip


def measure(client: httpx.Client, pid: int, heavy: Heavy) -> Cost:
    """Send one request, and see what it cost the process. Raises where the process is gone."""
    body = heavy.body()
    before = psutil.Process(pid).memory_info().rss
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    with probing(str(client.base_url)) as waited:
        answer = client.request(heavy.method, heavy.path, content=body, headers=heavy.headers)
    peak = _peak(pid) - before
    return Cost(heavy.name, answer.status_code, max(len(body), heavy.unpacked), peak, max(waited, default=0.0))


def _peak(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


@contextmanager
def probing(url: str) -> Iterator[list[float]]:
    """Asks /livez again and again meanwhile; how long each answer took."""
    ended, waited = threading.Event(), list[float]()

    def probe() -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            while not ended.wait(_PROBE_PERIOD_S):
                began = time.perf_counter()
                client.get("/livez").raise_for_status()
                waited.append(time.perf_counter() - began)

    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    try:
        yield waited
    finally:
        ended.set()
        thread.join()
