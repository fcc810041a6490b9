"""Setting traces up: the provider, the exporter, and the spans of statements and of calls to the outside."""

import importlib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer
from temporalio.contrib.opentelemetry import create_tracer_provider

from activities.measures import Spans
from activities.postgres.pool import watch_statements
from starter.settings import SettingsError
from starter.telemetry.configuration import Exporting, Otlp
from starter.telemetry.spans import set_spans
from starter.telemetry.statements import StatementSpans
from starter.telemetry.temporal_traces import TemporalTraces

FLUSH_MILLISECONDS = 5_000
"""How long the end of a process waits for its last spans to leave."""


@contextmanager
def traced(exporting: Exporting, to: Otlp) -> Generator[TemporalTraces]:
    """Traces that go to an OTLP receiver; what is left is sent on leaving."""
    with recorded(BatchSpanProcessor(_exporter(to)), exporting) as (interceptor, flush):
        try:
            yield interceptor
        finally:
            flush()


@contextmanager
def recorded(processor: SpanProcessor, exporting: Exporting) -> Generator[tuple[TemporalTraces, Callable[[], object]]]:
    """Traces of this process, given to ``processor``; with what makes it send all it has."""
    provider = create_tracer_provider(
        resource=Resource.create({**exporting.resource, "service.name": exporting.service}), shutdown_on_exit=False
    )
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("aftersales")
    set_spans(_spans(tracer))
    with watch_statements(StatementSpans(tracer)):
        try:
            yield TemporalTraces(tracer), lambda: provider.force_flush(FLUSH_MILLISECONDS)
        finally:
            set_spans()


def _exporter(to: Otlp) -> SpanExporter:
    headers = dict(to.headers)
    if to.grpc:
        # Not one of our packages: once grpcio is there, every program that imports the SDK loads it, too.
        try:
            grpc = importlib.import_module("opentelemetry.exporter.otlp.proto.grpc.trace_exporter")
        except ImportError as error:
            raise SettingsError(
                "OTEL_EXPORTER_OTLP_PROTOCOL=grpc needs the package opentelemetry-exporter-otlp-proto-grpc for traces; "
                "http/protobuf needs none"
            ) from error
        exporter: SpanExporter = grpc.OTLPSpanExporter(endpoint=to.endpoint, headers=headers)
        return exporter
    return OTLPSpanExporter(endpoint=to.endpoint, headers=headers)


def _spans(tracer: Tracer) -> Spans:
    @contextmanager
    def opened(name: str, attributes: Mapping[str, str]) -> Generator[Callable[[str, str], None]]:
        with tracer.start_as_current_span(
            name, kind=SpanKind.CLIENT, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span.set_attribute
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise

    return opened
