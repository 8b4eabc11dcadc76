"""``python -m tests.verify.bad_inputs``: many generated bad requests at every operation, then the heavy ones.

None is a server error, memory stays flat, and the process answers as before. The same seed gives the same requests.
"""

import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import click
import httpx
import msgspec

from services.openapi.__main__ import GENERATED
from tests.parts.service import Service
from tests.scenario import OPERATOR_KEY, bearer, registry_document
from tests.verify.heavy_inputs import HEAVY, LIVEZ_S, Cost, measure, probing

CONNECTIONS: Final = 8
#: Memory at the end beside memory after the first fifth, when all caches are full.
FLAT: Final = 1.25
#: Values at the limits of parsers.
WORDS: Final = (
    "", "\0", "a", "null", "-1", "9" * 5_000, "1e999", "\ud800", "\u202e", "9999-12-31T23:59:59Z", "2016-05-08", "[]",
    "2016-05-08T24:00:00Z", "P99999999999D", "((.)|(.))*x", "../..", "%00", "http://[::1", "a@b@c", "WyJhIiwxXQ",
    "[" * 900,
)  # fmt: skip
NUMBERS: Final = (0, -1, 2**63, 10**400, 0.5, 1e308, 181)
#: It never ends.
LEFT_OUT: Final = frozenset({"/v1/alerts/stream"})


class BadInputsResult(msgspec.Struct, frozen=True):
    """The result. ``errors`` are server errors: the request and the answer."""

    sent: int
    statuses: dict[str, int]
    errors: list[str]
    memory_after_fifth: int
    memory_at_end: int
    slowest_probe_s: float
    costs: list[dict[str, Any]]

    @property
    def holds(self) -> bool:
        flat = self.memory_at_end <= self.memory_after_fifth * FLAT
        return not self.errors and flat and all(c["peak"] <= c["allowed"] and c["status"] < 500 for c in self.costs)


class Maker:
    """Makes up requests, from the published document and a seed."""

    def __init__(self, seed: int, keys: list[str]) -> None:
        self._random = random.Random(seed)
        self._keys = keys
        document = json.loads((GENERATED / "openapi.json").read_text())
        self._operations = [
            (method.upper(), path, operation)
            for path, item in sorted(document["paths"].items())
            for method, operation in sorted(item.items())
            if path not in LEFT_OUT
        ]

    def requests(self, count: int) -> Iterator[bytes]:
        for _ in range(count):
            yield self._request(*self._random.choice(self._operations))

    def _request(self, method: str, path: str, operation: dict[str, Any]) -> bytes:
        chance = self._random
        query = {}
        for parameter in operation["parameters"]:
            if parameter["in"] == "path":
                path = path.replace("{" + parameter["name"] + "}", _quoted(chance.choice(WORDS)) or "x")
            elif chance.random() < 0.5:
                query[parameter["name"]] = _quoted(chance.choice(WORDS))
        target = path + ("?" + "&".join(f"{name}={value}" for name, value in query.items()) if query else "")
        body = self._body(operation) if "requestBody" in operation else b""
        head = [f"{method} {target} HTTP/1.1", "host: localhost", f"content-length: {len(body)}"]
        if chance.random() < 0.95:
            head.append(f"authorization: Bearer {chance.choice(self._keys)}")
        head += self._headers(operation)
        return "\r\n".join([*head, "", ""]).encode("latin-1", "replace") + body

    def _headers(self, operation: dict[str, Any]) -> list[str]:
        chance = self._random
        kinds = [
            *operation.get("requestBody", {}).get("content", {"application/json": 0}),
            "text/plain",
            "application/yaml",
        ]
        found = [f"content-type: {chance.choice(kinds)}"]
        for name in ("if-match", "if-none-match", "idempotency-key", "accept", "traceparent", "content-encoding"):
            if chance.random() < 0.05:
                text = "".join(letter for letter in chance.choice(WORDS) if " " <= letter <= "~")
                found.append(f"{name}: {text}")
        return found

    def _body(self, operation: dict[str, Any]) -> bytes:
        chance = self._random
        examples = [c["example"] for c in operation["requestBody"]["content"].values() if "example" in c]
        value = json.loads(json.dumps(examples[0] if examples else {}))
        for _ in range(chance.randint(1, 3)):
            value = self._changed(value)
        body = bytearray(json.dumps(value).encode())
        if chance.random() < 0.2:
            body[chance.randrange(len(body))] = chance.randrange(256)
        return bytes(body[: chance.randrange(len(body))]) if chance.random() < 0.05 else bytes(body)

    def _changed(self, value: Any) -> Any:
        chance = self._random
        if isinstance(value, dict) and value and chance.random() < 0.8:
            name = chance.choice(sorted(value))
            return {**value, name: self._changed(value[name])}
        if isinstance(value, list) and value and chance.random() < 0.8:
            at = chance.randrange(len(value))
            return [*value[:at], self._changed(value[at]), *value[at + 1 :]]
        return self._odd(2)

    def _odd(self, depth: int) -> Any:
        chance = self._random
        kind = chance.randrange(6 if depth else 4)
        if kind == 0:
            return chance.choice(NUMBERS)
        if kind == 1:
            return chance.choice((None, True, False, float("nan"), float("inf")))
        if kind < 4:
            return chance.choice(WORDS)
        inner = [self._odd(depth - 1) for _ in range(chance.randrange(4))]
        return inner if kind == 4 else {chance.choice(WORDS): one for one in inner}


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


class RequestSender:
    """Several connections; each takes the next request where there is one left."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.statuses: Counter[str] = Counter()
        self.errors: list[str] = []

    async def send(self, requests: Iterator[bytes]) -> None:
        await asyncio.gather(*(self._connection(requests) for _ in range(CONNECTIONS)))

    async def _connection(self, requests: Iterator[bytes]) -> None:
        reader = writer = None
        for request in requests:
            if writer is None or reader is None or writer.is_closing() or reader.at_eof():
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            status = await self._ask(reader, writer, request)
            if status is None:
                writer.close()
                writer = None
        if writer is not None:
            writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> int | None:
        """The status; None where the connection is not to be used again."""
        try:
            writer.write(request)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head[9:12])
            fields = head.lower()
            body = await _read_body(reader, fields, status)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.statuses["closed"] += 1
            return None
        self.statuses[str(status)] += 1
        if status >= 500:
            self.errors.append(f"{request[:1500]!r} -> {status} {body[:500]!r}")
        return None if b"connection: close" in fields else status


async def _read_body(reader: asyncio.StreamReader, fields: bytes, status: int) -> bytes:
    if status in (204, 304):
        return b""
    if b"transfer-encoding: chunked" in fields:
        parts = []
        while size := int((await reader.readline()).strip() or b"0", 16):
            parts.append(await reader.readexactly(size))
            await reader.readline()
        await reader.readline()
        return b"".join(parts)
    length = fields.partition(b"content-length:")[2].partition(b"\r\n")[0].strip()
    return await reader.readexactly(int(length or b"0"))


def make_keys(client: httpx.Client) -> list[str]:
    """A key of each role; PUT /v1/registry comes with the operator's, so that what is valid by chance is taken."""
    made = [client.post("/v1/keys", json={"name": f"bad-{role}", "role": role}) for role in ("partner", "monitor")]
    return [OPERATOR_KEY, *(answer.raise_for_status().json()["key"] for answer in made)]


def run(directory: Path, count: int, seed: int, *, heavy: bool) -> BadInputsResult:
    env = {"TRUCEWATCH_ADMIN_KEY": OPERATOR_KEY}
    with Service("serve", ["serve", "--data", str(directory / "data")], directory, env) as service:  # noqa: SIM117
        with httpx.Client(base_url=service.url, headers=bearer(), timeout=120) as client:
            client.put("/v1/registry", json=registry_document()).raise_for_status()
            sender = RequestSender(service.port)
            requests = Maker(seed, make_keys(client)).requests(count)
            memory = []
            with probing(service.url) as waited:
                for share in (count // 5, count - count // 5):
                    asyncio.run(sender.send(islice(requests, share)))
                    memory.append(service.memory())
            costs = [measure(client, service.pid, one) for one in HEAVY] if heavy else []
    return BadInputsResult(
        sent=sum(sender.statuses.values()),
        statuses=dict(sorted(sender.statuses.items())),
        errors=sender.errors[:20],
        memory_after_fifth=memory[0],
        memory_at_end=memory[1],
        slowest_probe_s=max(waited, default=0.0),
        costs=[_told(cost) for cost in costs],
    )


def _told(cost: Cost) -> dict[str, Any]:
    return {name: getattr(cost, name) for name in ("name", "status", "size", "peak", "allowed", "waited_s")}


@click.command()
@click.option("--count", default=100_000, show_default=True, help="Generated requests.")
@click.option("--seed", default=1, show_default=True)
@click.option("--heavy/--no-heavy", default=True, help="Also send the requests that once cost too much.")
@click.option("--out", type=click.Path(path_type=Path), default=Path(".parts") / "bad_inputs.json", show_default=True)
def main(count: int, seed: int, heavy: bool, out: Path) -> None:
    """Send generated bad requests, and say whether the server holds."""
    began = time.monotonic()
    outcome = run(Path(tempfile.mkdtemp(prefix="bad-inputs-")), count, seed, heavy=heavy)
    mib = 1024 * 1024
    click.echo(f"{outcome.sent} bad inputs in {time.monotonic() - began:.0f} s: {outcome.statuses}")
    click.echo(
        f"server errors {len(outcome.errors)}, memory {outcome.memory_after_fifth // mib} MiB after a fifth, "
        f"{outcome.memory_at_end // mib} at the end, slowest probe {outcome.slowest_probe_s * 1000:.0f} ms"
    )
    for cost in outcome.costs:
        late = "  LATE" if cost["waited_s"] > LIVEZ_S else ""
        click.echo(f"{cost['name']:<36}{cost['status']:>5}{cost['size'] // 1024:>8} KiB {cost['peak'] // mib:>5} MiB "
                   f"probe {cost['waited_s'] * 1000:>5.0f} ms{late}")  # fmt: skip
    for error in outcome.errors:
        click.echo(error, err=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(msgspec.json.format(msgspec.json.encode(outcome)))
    click.echo("Everything holds" if outcome.holds else "SOMETHING BROKE")
    sys.exit(0 if outcome.holds else 1)


if __name__ == "__main__":
    main()
