"""Spans of requests for an OpenTelemetry collector, with the extra `telemetry`. They have the route, as the log has, and no
address: tokens and signatures stand in those.
"""

from fastapi.telemetry import TelemetryConfig

from domain.settings import WrongSetting

ADDRESS = ("url.path", "url.query")

OFF: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""FastAPI's own: `/metrics` counts, and what failed stands in the log."""


def telemetry(url: str | None) -> TelemetryConfig:
    """`url`: of the collector, without `/v1/traces`."""
    if not url:
        return OFF
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise WrongSetting("HEDDLE_OTLP_URL needs Heddle's extra `telemetry`: heddle[telemetry].") from None

    class WithoutAddress(SpanProcessor):
        def on_start(self, span: Span, parent_context: object = None) -> None:
            span.set_attributes({name: "REDACTED" for name in ADDRESS if name in (span.attributes or {})})

    spans = TracerProvider(resource=Resource({SERVICE_NAME: "heddle"}))
    spans.add_span_processor(WithoutAddress())
    spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{url.rstrip('/')}/v1/traces")))
    return {**OFF, "tracing": True, "operation_spans": False, "tracer_provider": spans}
