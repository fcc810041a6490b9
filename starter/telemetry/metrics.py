"""Metrics: the SDK's own and the service's, through one meter and one exporter."""

import socket
from datetime import timedelta
from typing import Final

from temporalio.client import Client
from temporalio.common import MetricMeter
from temporalio.runtime import OpenTelemetryConfig, PrometheusConfig, Runtime, TelemetryConfig

from activities.measures import BUCKETS
from starter.logs import core_logging
from starter.settings import SettingsError
from starter.telemetry.configuration import Exporting, Otlp, Prometheus

# The SDK's own end at 10 s or 1 min; what waits for a worker waits longer than that.
_LATENCY: Final = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]
_SDK_BUCKETS: Final = {
    f"temporal_{name}": _LATENCY
    for name in (
        "workflow_task_schedule_to_start_latency",
        "activity_schedule_to_start_latency",
        "workflow_task_execution_latency",
        "activity_execution_latency",
        "local_activity_execution_latency",
    )
}


def runtime(exporting: Exporting) -> Runtime:
    """A runtime of the SDK whose meter leads to where ``exporting`` says.

    Both ways give the same names: seconds, and ``_total`` for counters.

    Raises:
        SettingsError: the port of ``/metrics`` is taken, or cannot be opened.
    """
    buckets = {**_SDK_BUCKETS, **BUCKETS}
    match exporting.metrics:
        case Prometheus() as at:
            config = PrometheusConfig(
                bind_address=f"{_numeric(at.host)}:{at.port}",
                counters_total_suffix=True,
                unit_suffix=True,
                durations_as_seconds=True,
                histogram_bucket_overrides=buckets,
            )
            tags = dict(exporting.build)
        case Otlp() as to:
            config = OpenTelemetryConfig(
                url=to.endpoint,
                headers=to.headers,
                http=not to.grpc,
                metric_periodicity=timedelta(milliseconds=exporting.metrics_every_ms),
                durations_as_seconds=True,
                histogram_bucket_overrides=buckets,
            )
            tags = {**exporting.resource, **exporting.build, "service.name": exporting.service}
        case None:
            config, tags = None, {}
    telemetry = TelemetryConfig(logging=core_logging(), metrics=config, global_tags=tags, attach_service_name=False)
    try:
        return Runtime(telemetry=telemetry)
    except (RuntimeError, ValueError) as error:
        variable = (
            "OTEL_EXPORTER_PROMETHEUS_PORT" if isinstance(exporting.metrics, Prometheus) else "OTEL_EXPORTER_OTLP"
        )
        raise SettingsError(f"{variable}: metrics cannot be exported: {error}") from error


def meter_of(client: Client) -> MetricMeter:
    """The meter of the runtime that a client runs on: a no-op where metrics are off."""
    return (client.service_client.config.runtime or Runtime.default()).metric_meter


def _numeric(host: str) -> str:
    """The SDK wants an address, not a name."""
    try:
        address = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0]
    except OSError as error:
        raise SettingsError(f"OTEL_EXPORTER_PROMETHEUS_HOST: {host} has no address") from error
    return f"[{address}]" if ":" in str(address) else str(address)
