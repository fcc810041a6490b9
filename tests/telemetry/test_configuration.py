"""OpenTelemetry's standard variables: what they turn on, what is refused, and that nothing costs nothing."""

import subprocess
import sys

import pytest

from starter.settings import SettingsError
from starter.settings_of_others import OTEL_VARIABLES
from starter.telemetry import exported
from starter.telemetry.configuration import Exporting, Otlp, Prometheus, configuration


def test_nothing_set_is_off() -> None:
    assert not configuration({})
    assert configuration({"OTEL_SERVICE_NAME": "", "HOME": "/"}) == Exporting()


def test_an_endpoint_turns_both_on() -> None:
    found = configuration(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/",
            "OTEL_EXPORTER_OTLP_HEADERS": "api-key=a%20b",
            "OTEL_RESOURCE_ATTRIBUTES": "service.name=shop,host.name=h",
        }
    )

    assert found.traces == Otlp("http://collector:4318/v1/traces", grpc=False, headers={"api-key": "a b"})
    assert found.metrics == Otlp("http://collector:4318/v1/metrics", grpc=False, headers={"api-key": "a b"})
    assert (found.service, found.resource["host.name"]) == ("shop", "h")
    assert "a b" not in repr(found), "headers hold secrets"


def test_each_signal_goes_its_own_way() -> None:
    found = configuration(
        {
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://traces:4317",
            "OTEL_METRICS_EXPORTER": "prometheus",
            "OTEL_EXPORTER_PROMETHEUS_HOST": "0.0.0.0",
            "OTEL_EXPORTER_PROMETHEUS_PORT": "9100",
            "OTEL_SERVICE_NAME": "money",
        }
    )

    assert found.traces == Otlp("http://traces:4317", grpc=True)
    assert found.metrics == Prometheus("0.0.0.0", 9100)
    assert found.service == "money"


def test_metrics_tell_which_version_of_the_worker_they_are_of() -> None:
    versioned = {"TEMPORAL_DEPLOYMENT_NAME": "aftersales-money", "TEMPORAL_WORKER_BUILD_ID": "1f3a"}

    assert configuration(versioned).build == {
        "temporal_worker_deployment_name": "aftersales-money",
        "temporal_worker_build_id": "1f3a",
    }
    assert configuration({"TEMPORAL_WORKER_BUILD_ID": ""}).build == {}


def test_the_exporters_can_be_turned_off() -> None:
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}

    assert configuration({**endpoint, "OTEL_TRACES_EXPORTER": "none"}).traces is None
    assert configuration({**endpoint, "OTEL_METRICS_EXPORTER": "none"}).metrics is None
    assert not configuration({**endpoint, "OTEL_SDK_DISABLED": "true"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_METRICS_EXPORTER", "console"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "token"),
        ("OTEL_EXPORTER_PROMETHEUS_PORT", "65536"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a"),
    ],
)
def test_what_cannot_be_is_refused_by_name(name: str, value: str) -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318",
        **({"OTEL_METRICS_EXPORTER": "prometheus"} if "PROMETHEUS" in name else {}),
        name: value,
    }

    with pytest.raises(SettingsError, match=name):
        configuration(environ)
    assert name in OTEL_VARIABLES


def test_a_host_without_an_address_is_named() -> None:
    taken = {"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_HOST": "no.such.host.invalid"}

    with pytest.raises(SettingsError, match="OTEL_EXPORTER_PROMETHEUS_HOST"), exported(taken):
        pass


def test_off_nothing_of_opentelemetry_is_loaded() -> None:
    program = (
        "import sys, worker, starter.commands.application\n"
        "from starter.telemetry import exported\n"
        "from starter.telemetry.interceptors import tracing_interceptors\n"
        "with exported({}): assert not tracing_interceptors()\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('opentelemetry', 'grpc')])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ended.stdout.strip() == "[]"
