"""Which environment variables are known to whoever reads them. What is not here is a slip of the pen."""

from typing import Final

from starter.settings import Settings, variable_name
from starter.settings_of_others import TEMPORAL_VARIABLES

OPENTELEMETRY: Final = frozenset(
    {
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "OTEL_EXPORTER_PROMETHEUS_HOST",
        "OTEL_EXPORTER_PROMETHEUS_PORT",
        "OTEL_METRICS_EXPORTER",
        "OTEL_RESOURCE_ATTRIBUTES",
        "OTEL_SERVICE_NAME",
    }
)
"""Of OpenTelemetry's own specification."""

OURS: Final = frozenset(map(variable_name, Settings.model_fields)) | set(TEMPORAL_VARIABLES) | OPENTELEMETRY

THEIRS: Final = {
    "postgres": {"POSTGRES_USER", "POSTGRES_PASSWORD_FILE"},
    "temporalio/admin-tools": {
        *("SQL_PLUGIN", "SQL_HOST", "SQL_PORT", "SQL_USER"),
        *("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"),
        "RETENTION",  # our own script's
    },
    "temporalio/server": {
        *("DB", "DB_PORT", "POSTGRES_SEEDS", "POSTGRES_USER", "BIND_ON_IP"),
        *("PROMETHEUS_ENDPOINT", "DYNAMIC_CONFIG_FILE_PATH"),
    },
    "temporalio/ui": {
        *("TEMPORAL_ADDRESS", "TEMPORAL_DEFAULT_NAMESPACE"),
        *("TEMPORAL_CODEC_ENDPOINT", "TEMPORAL_CORS_ORIGINS"),
    },
    "grafana/grafana": {"GF_SECURITY_ADMIN_PASSWORD__FILE", "GF_ANALYTICS_REPORTING_ENABLED"},
}
"""By image: what is set of the variables that others' images read."""


def settings_of(environment: dict[str, str]) -> Settings:
    """The settings that a process of ours has in this environment; wrong ones are an error."""
    fields = {variable_name(field): field for field in Settings.model_fields}
    return Settings.model_validate({fields[name]: value for name, value in environment.items() if name in fields})
