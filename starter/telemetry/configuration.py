"""What OpenTelemetry's standard variables say: where traces and metrics go. Nothing set: nowhere, and at no cost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import unquote

from starter.settings import SettingsError

SERVICE: Final = "aftersales"
_DEFAULT_ENDPOINT: Final = {"http/protobuf": "http://localhost:4318", "grpc": "http://localhost:4317"}
_BUILD: Final = {
    "TEMPORAL_DEPLOYMENT_NAME": "temporal_worker_deployment_name",
    "TEMPORAL_WORKER_BUILD_ID": "temporal_worker_build_id",
}
_PATHS: Final = {"traces": "/v1/traces", "metrics": "/v1/metrics"}


@dataclass(frozen=True)
class Otlp:
    """An OTLP receiver of one signal."""

    endpoint: str
    """The whole address, with the signal's path where it is HTTP."""
    grpc: bool
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


@dataclass(frozen=True)
class Prometheus:
    """Where ``/metrics`` is served."""

    host: str
    port: int


@dataclass(frozen=True)
class Exporting:
    """Where each signal goes; None for nowhere."""

    traces: Otlp | None = None
    metrics: Otlp | Prometheus | None = None
    service: str = SERVICE
    resource: Mapping[str, str] = field(default_factory=dict[str, str])
    build: Mapping[str, str] = field(default_factory=dict[str, str])
    """Which version of the worker tells a metric, where there are versions."""
    metrics_every_ms: int = 60_000

    def __bool__(self) -> bool:
        return self.traces is not None or self.metrics is not None


def configuration(environ: Mapping[str, str]) -> Exporting:
    """Read the variables.

    Raises:
        SettingsError: one has a value that cannot be used here; the text names it and what it may be.
    """
    set_ = {name: value for name, value in environ.items() if name.startswith("OTEL_") and value}
    if set_.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return Exporting()
    resource = _pairs("OTEL_RESOURCE_ATTRIBUTES", set_)
    metrics: Otlp | Prometheus | None
    match _exporter("metrics", set_, ("prometheus", "otlp", "none")):
        case "prometheus":
            metrics = Prometheus(
                set_.get("OTEL_EXPORTER_PROMETHEUS_HOST", "localhost"),
                _number("OTEL_EXPORTER_PROMETHEUS_PORT", set_, 9464, most=65535),
            )
        case "otlp":
            metrics = _otlp("metrics", set_)
        case _:
            metrics = None
    return Exporting(
        traces=_otlp("traces", set_) if _exporter("traces", set_, ("otlp", "none")) == "otlp" else None,
        metrics=metrics,
        service=set_.get("OTEL_SERVICE_NAME") or resource.get("service.name") or SERVICE,
        resource=resource,
        build={tag: environ[name] for name, tag in _BUILD.items() if environ.get(name)},
        metrics_every_ms=_number("OTEL_METRIC_EXPORT_INTERVAL", set_, 60_000),
    )


def _exporter(signal: Literal["traces", "metrics"], set_: Mapping[str, str], known: tuple[str, ...]) -> str:
    name = f"OTEL_{signal.upper()}_EXPORTER"
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
    chosen = set_.get(name) or ("otlp" if any(each in set_ for each in endpoints) else "none")
    if chosen not in known:
        *others, last = (f"`{each}`" for each in known)
        raise SettingsError(f"{name} must be {', '.join(others)} or {last}")
    return chosen


def _otlp(signal: Literal["traces", "metrics"], set_: Mapping[str, str]) -> Otlp:
    def own_or_shared(what: str) -> str | None:
        return set_.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_{what}") or set_.get(f"OTEL_EXPORTER_OTLP_{what}")

    protocol = own_or_shared("PROTOCOL") or "http/protobuf"
    if protocol not in _DEFAULT_ENDPOINT:
        raise SettingsError("OTEL_EXPORTER_OTLP_PROTOCOL must be `http/protobuf` or `grpc`")
    endpoint = set_.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
    if endpoint is None:
        shared = set_.get("OTEL_EXPORTER_OTLP_ENDPOINT") or _DEFAULT_ENDPOINT[protocol]
        endpoint = shared if protocol == "grpc" else shared.rstrip("/") + _PATHS[signal]
    if not endpoint.startswith(("http://", "https://")):
        raise SettingsError("OTEL_EXPORTER_OTLP_ENDPOINT must begin with http:// or https://")
    own = f"OTEL_EXPORTER_OTLP_{signal.upper()}_HEADERS"
    headers = _pairs(own if own in set_ else "OTEL_EXPORTER_OTLP_HEADERS", set_)
    return Otlp(endpoint, grpc=protocol == "grpc", headers=headers)


def _pairs(name: str, set_: Mapping[str, str]) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in set_.get(name, "").split(",") if pair.strip()]
    if not all(separator and key.strip() for key, separator, _ in pairs):
        raise SettingsError(f"{name} must be key=value, with commas between")
    return {key.strip(): unquote(value.strip()) for key, _, value in pairs}


def _number(name: str, set_: Mapping[str, str], default: int, *, most: int = 86_400_000) -> int:
    text = set_.get(name, str(default))
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise SettingsError(f"{name} must be a whole number from 1 to {most}")
    return int(text)
