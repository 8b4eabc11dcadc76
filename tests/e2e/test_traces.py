"""One report traced from its POST to its webhook, against a real OTLP/HTTP sink."""

import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.e2e.conftest import worked_example
from tests.parts.receiver import Receiver
from tests.scenario import bearer, expected, reports

TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
CALLER: Final = "b7ad6b7169203331"


class Sink:
    """Takes spans by OTLP/HTTP in protobuf."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.services: set[str] = set()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                sink.take(self.path, body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def take(self, path: str, body: bytes) -> None:
        assert path == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services |= {a.value.string_value for a in resource.resource.attributes if a.key == "service.name"}
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)

    def of_trace(self, trace: str) -> dict[str, Span]:
        return {span.name: span for span in list(self.spans) if span.trace_id.hex() == trace}


@pytest.fixture
def sink() -> Iterator[Sink]:
    made = Sink()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@contextmanager
def desk(directory: Path, receiver: Receiver, **env: str) -> Iterator[httpx.Client]:
    """A partner of a system with one subscriber, in whose requests a trace goes on."""
    with worked_example(directory, TRUCEWATCH_WEBHOOK_ALLOW="127.0.0.0/8", **env) as service:
        headers = bearer() | {"traceparent": f"00-{TRACE}-{CALLER}-01"}
        with httpx.Client(base_url=service.url, headers=headers, timeout=30) as client:
            channel = {"type": "webhook", "url": receiver.url("/desk")}
            wanted = {"name": "desk", "channel": channel, "verified": True}
            client.post("/v1/subscriptions", json=wanted).raise_for_status()
            yield client


def test_one_report_is_one_trace_up_to_the_webhook(tmp_path: Path, receiver: Receiver, sink: Sink) -> None:
    violation = next(row["external_id"] for row in expected() if row["verdict"] == "violation")
    report = next(one for one in reports() if one["external_id"] == violation)
    with desk(tmp_path, receiver, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url, OTEL_BSP_SCHEDULE_DELAY="100") as client:
        client.post("/v1/incidents", json=report).raise_for_status()
        [webhook] = receiver.wait_for(lambda found: len(found) == 1, within_s=30, path="/desk")
        deadline = time.monotonic() + 30
        while len(sink.of_trace(TRACE)) < 4 and time.monotonic() < deadline:
            time.sleep(0.05)
    spans = sink.of_trace(TRACE)
    assert set(spans) == {"accept", "judge", "decide", "attempt"}
    chain = [spans[name] for name in ("accept", "judge", "decide", "attempt")]
    assert [span.parent_span_id.hex() for span in chain] == [CALLER, *(span.span_id.hex() for span in chain[:-1])]
    assert webhook.headers["traceparent"] == f"00-{TRACE}-{chain[-1].span_id.hex()}-01"
    assert sink.services == {"trucewatch"}


def test_without_a_collector_the_callers_trace_still_reaches_the_webhook(tmp_path: Path, receiver: Receiver) -> None:
    with desk(tmp_path, receiver) as client:
        client.post("/v1/incidents/batch", json=reports()).raise_for_status()
        found = receiver.wait_for(lambda found: len(found) >= 10, within_s=30, path="/desk")
    assert {one.headers["traceparent"] for one in found} == {f"00-{TRACE}-{CALLER}-01"}
