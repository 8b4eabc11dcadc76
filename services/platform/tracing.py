"""Spans of OpenTelemetry along the way of a report: accept, relay, judge, decide, attempt.

Parents are handed on as ``traceparent`` headers (W3C Trace Context, version 00), since each step is another
process's, or a later one of this process. Without an endpoint no span is made, and the SDK is not even imported.
"""

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Final, Protocol, Self

from msgspec.structs import replace
from opentelemetry import trace
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from schemas.envelope import Event
from services.platform.settings.extras import require_extra

#: https://www.w3.org/TR/trace-context/#traceparent-header, version 00
_TRACEPARENT: Final = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
#: Most links of one span; a batch may be larger.
MAX_LINKS: Final = 128
#: How long the end of a process waits for spans to be sent, seconds.
FLUSH_S: Final = 1.0
_KINDS: Final = {
    "accept": SpanKind.SERVER,
    "relay": SpanKind.PRODUCER,
    "judge": SpanKind.CONSUMER,
    "decide": SpanKind.CONSUMER,
    "attempt": SpanKind.CLIENT,
}

Value = str | int | float | bool


class TraceSpan:
    """One span, or nothing where traces are off. ``traceparent`` is handed on to what it causes."""

    __slots__ = ("_span", "traceparent")

    def __init__(self, span: trace.Span | None, traceparent: str | None) -> None:
        self._span, self.traceparent = span, traceparent

    def set(self, name: str, value: Value | None) -> None:
        if self._span is not None and value is not None:
            self._span.set_attribute(name, value)

    def fail(self, reason: str) -> None:
        """Mark the span as failed. ``reason`` holds no secret and no text of others."""
        if self._span is not None:
            self._span.set_status(Status(StatusCode.ERROR, reason))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        if self._span is not None:
            if kind is not None:
                self.fail(kind.__name__)
            self._span.end()


_NO_SPAN: Final = TraceSpan(None, None)


class Provider(Protocol):
    """The part of the SDK's tracer provider that is used."""

    def get_tracer(self, name: str) -> trace.Tracer: ...

    def force_flush(self, timeout_millis: int = ...) -> bool: ...

    def shutdown(self) -> None: ...


class Tracing:
    """The spans of one process. Without a provider every span is the same empty one."""

    def __init__(self, provider: Provider | None = None) -> None:
        self._provider = provider
        self._tracer = None if provider is None else provider.get_tracer("trucewatch")

    @property
    def on(self) -> bool:
        return self._tracer is not None

    def start(
        self, name: str, parent: str | None, links: Iterable[str | None] = (), **attributes: Value | None
    ) -> TraceSpan:
        """A span named after its step, a child of ``parent`` if that is a traceparent.

        It ends with its context. Attributes that are None are left out.
        """
        if self._tracer is None:
            return _NO_SPAN
        above = parse_traceparent(parent)
        span = self._tracer.start_span(
            name,
            context=trace.set_span_in_context(trace.INVALID_SPAN if above is None else trace.NonRecordingSpan(above)),
            kind=_KINDS[name],
            links=[Link(found) for link in list(links)[:MAX_LINKS] if (found := parse_traceparent(link)) is not None],
            attributes={key: value for key, value in attributes.items() if value is not None},
        )
        return TraceSpan(span, format_traceparent(span.get_span_context()))

    @contextmanager
    def each(self, name: str, events: Sequence[Event]) -> Iterator[Sequence[Event]]:
        """A span of its own for each event of a batch; the events name it as the parent of what they cause."""
        if not self.on:
            yield events
            return
        with ExitStack() as spans:
            started = [spans.enter_context(self.start(name, e.traceparent, event=e.id)) for e in events]
            yield [replace(e, traceparent=s.traceparent) for e, s in zip(events, started, strict=True)]

    async def close(self) -> None:
        """Send what is left, within a second; what the collector does not take by then is dropped."""
        provider = self._provider
        if provider is None:
            return
        ending = asyncio.get_running_loop().run_in_executor(None, provider.force_flush, int(FLUSH_S * 1000))
        await asyncio.wait([ending], timeout=FLUSH_S)
        if ending.done():
            provider.shutdown()


OFF: Final = Tracing()


def parse_traceparent(text: str | None) -> SpanContext | None:
    """The context that a ``traceparent`` names; None for text that is none of version 00."""
    found = None if text is None else _TRACEPARENT.fullmatch(text)
    if found is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))


def format_traceparent(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def make_tracing(environ: Mapping[str, str], instance: str) -> Tracing:
    """Traces to the OTLP/HTTP endpoint that OpenTelemetry's own variables name; off where none does.

    Sampler, headers, timeouts and certificates are read by the SDK from its ``OTEL_…`` variables. Raises SettingsError
    where an endpoint is named and the extra ``otel`` is not installed.
    """
    named = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if not named or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return OFF
    require_extra("otel", "OTEL_EXPORTER_OTLP_ENDPOINT")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    names = {"service.instance.id": instance} | (
        {} if environ.get("OTEL_SERVICE_NAME") else {"service.name": "trucewatch"}
    )
    provider = TracerProvider(resource=Resource.create(names), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)
