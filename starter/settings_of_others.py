"""Environment variables that other programs know as well, and read the same: Temporal's, OpenTelemetry's."""

from collections.abc import Mapping
from typing import Final

TEMPORAL_VARIABLES: Final[Mapping[str, str]] = {
    "TEMPORAL_ADDRESS": "Host and port of the Temporal server.",
    "TEMPORAL_NAMESPACE": "Namespace of the cases.",
    "TEMPORAL_PROFILE": "Name of the profile in Temporal's configuration file.",
    "TEMPORAL_CONFIG_FILE": "Path of that file, if it is not at Temporal's usual place.",
    "TEMPORAL_API_KEY": "API key; turns TLS on. Secret.",
    "TEMPORAL_TLS": "`true` turns TLS on, `false` off.",
    "TEMPORAL_TLS_SERVER_NAME": "Name that the server's certificate must carry.",
    "TEMPORAL_TLS_SERVER_CA_CERT_PATH": "File with the authority that signed the server's certificate.",
    "TEMPORAL_TLS_SERVER_CA_CERT_DATA": "The same, as PEM text.",
    "TEMPORAL_TLS_CLIENT_CERT_PATH": "File with the client's certificate (mutual TLS).",
    "TEMPORAL_TLS_CLIENT_CERT_DATA": "The same, as PEM text.",
    "TEMPORAL_TLS_CLIENT_KEY_PATH": "File with the client's key (mutual TLS).",
    "TEMPORAL_TLS_CLIENT_KEY_DATA": "The same, as PEM text. Secret.",
}
"""What `temporalio.envconfig` reads. One of these set means: that server, not the embedded one."""

OTEL_VARIABLES: Final[Mapping[str, str]] = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": "Where traces and metrics are sent (OTLP): `http://collector:4318`. Setting it "
    "turns both on.",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "`http/protobuf` (the default, usually port 4318) or `grpc` (4317).",
    "OTEL_EXPORTER_OTLP_HEADERS": "`name=value,name=value` to send along. Secret.",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "Where traces are sent instead; the whole address. The protocol and the "
    "headers have such variables too, and metrics likewise.",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "Where metrics are sent instead; the whole address.",
    "OTEL_TRACES_EXPORTER": "`otlp` or `none`. Without it: `otlp` if an endpoint is set.",
    "OTEL_METRICS_EXPORTER": "`prometheus`, `otlp` or `none`. Without it: `otlp` if an endpoint is set. `prometheus` "
    "serves `/metrics`.",
    "OTEL_EXPORTER_PROMETHEUS_HOST": "Interface of `/metrics`; `localhost` without it.",
    "OTEL_EXPORTER_PROMETHEUS_PORT": "Port of `/metrics`; 9464 without it.",
    "OTEL_SERVICE_NAME": "Name of the service; `aftersales` without it.",
    "OTEL_RESOURCE_ATTRIBUTES": "`key=value,key=value` that tell processes apart.",
    "OTEL_TRACES_SAMPLER": "Which traces are kept, as everywhere in OpenTelemetry; all of them without it.",
    "OTEL_METRIC_EXPORT_INTERVAL": "Milliseconds between two exports of metrics by `otlp`; 60000 without it.",
    "OTEL_SDK_DISABLED": "`true` turns everything off.",
}
"""What ``starter.telemetry`` reads."""
