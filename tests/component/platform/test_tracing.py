"""Spans: what a traceparent is, what a step's span hands on, and that nothing is made where traces are off."""

import subprocess
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from schemas.envelope import Event
from services.platform.bus.relay import OutboxRelay
from services.platform.settings.config import SettingsError
from services.platform.tracing import OFF, Tracing, format_traceparent, make_tracing, parse_traceparent

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-00"


def recording() -> tuple[Tracing, InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Tracing(provider), exporter


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.integers(0, 255))
def test_a_traceparent_is_read_as_it_was_written(trace: int, span: int, flags: int) -> None:
    text = f"00-{trace:032x}-{span:016x}-{flags:02x}"
    found = parse_traceparent(text)
    assert found is not None
    assert format_traceparent(found) == text


@given(st.text(max_size=80) | st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\n?"))
def test_any_text_is_a_traceparent_or_none(text: str) -> None:
    found = parse_traceparent(text)
    assert found is None or format_traceparent(found) == text


@pytest.mark.parametrize(
    "text",
    [
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        CALLER.upper(),
        CALLER + "\n",
    ],
)
def test_what_the_standard_forbids_is_none(text: str) -> None:
    assert parse_traceparent(text) is None


def test_a_span_is_a_child_of_its_cause_and_links_the_others() -> None:
    tracing, exporter = recording()
    with tracing.start("attempt", CALLER, [OTHER, None, "no traceparent"], kind="alert", alert=None) as span:
        span.set("status", 204)
    [made] = exporter.get_finished_spans()
    assert made.context is not None
    assert made.parent is not None
    assert format_traceparent(made.parent) == CALLER
    assert span.traceparent == format_traceparent(made.context)
    assert [format_traceparent(link.context) for link in made.links] == [OTHER]
    assert (made.name, made.kind) == ("attempt", SpanKind.CLIENT)
    assert dict(made.attributes or {}) == {"kind": "alert", "status": 204}


def test_an_error_marks_the_span_and_goes_on() -> None:
    tracing, exporter = recording()
    with pytest.raises(ZeroDivisionError), tracing.start("judge", None):
        raise ZeroDivisionError("secret")
    [made] = exporter.get_finished_spans()
    assert (made.status.status_code, made.status.description, made.parent) == (
        StatusCode.ERROR,
        "ZeroDivisionError",
        None,
    )


async def test_a_relayed_batch_is_one_span_with_a_link_for_each_event() -> None:
    tracing, exporter = recording()
    taken: list[Event] = []

    class Log:
        async def publish(self, events: Sequence[Event]) -> None:
            taken.extend(events)

    causes: list[tuple[int, str | None]] = [(1, CALLER), (2, OTHER), (3, None)]

    class Outbox:
        """One batch, and then the database is away for good."""

        def __init__(self) -> None:
            self.rows: list[tuple[int, Event]] = [
                (n, Event("incidents", "k", str(n), "t", "s", "", b"{}", trace)) for n, trace in causes
            ]

        def lead(self) -> bool:
            return True

        def delete_and_fetch(self, _done: Sequence[int], _limit: int, _wait_s: float) -> list[tuple[int, Event]]:
            taken, self.rows = self.rows, []
            return taken

        def hang_up(self) -> None: ...

        def close(self) -> None: ...

    async def give_up(_event: Event, _reason: str) -> None:
        raise AssertionError("nothing is to be given up")

    relay = OutboxRelay(Outbox(), Log(), give_up, tracing=tracing)
    await relay._step()
    await relay._step()
    [made] = exporter.get_finished_spans()
    assert (made.name, made.kind, len(taken)) == ("relay", SpanKind.PRODUCER, 3)
    assert [format_traceparent(link.context) for link in made.links] == [CALLER, OTHER]


def test_off_makes_no_span_and_imports_no_sdk() -> None:
    assert make_tracing({}, "me") is OFF
    assert make_tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}, "me") is OFF
    assert OFF.start("accept", CALLER) is OFF.start("judge", None)
    assert OFF.start("accept", CALLER).traceparent is None
    code = "import sys, services.start; sys.exit('opentelemetry.sdk' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_endpoint_without_the_extra_is_a_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(SettingsError, match=r"trucewatch\[otel\]"):
        make_tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, "me")
