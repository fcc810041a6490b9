"""deploy/compose.yaml is a compose file, starts things in an order that works, and what it names is there."""

import re
import stat
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema  # pyright: ignore[reportMissingTypeStubs]
from jsonschema.validators import validator_for
from typer.core import TyperGroup

from starter.commands.application import application
from tests.deploy.settings_known import OURS, THEIRS, settings_of
from workflows.rules.worker_roles import WorkerRole

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OUR_SERVICES = {name: service for name, service in SERVICES.items() if "aftersales:" in service["image"]}


def test_it_is_a_compose_file() -> None:
    schema = get_builtin_schema("vendor.compose-spec")
    validator = validator_for(schema)(schema)
    validator.validate(COMPOSE)
    misspelt: dict[str, Any] = {"services": {"temporal": {"image": "temporalio/server", "heathcheck": {}}}}
    assert not validator.is_valid(misspelt)


@pytest.mark.parametrize("name", SERVICES)
def test_every_variable_is_known_to_its_reader(name: str) -> None:
    service = SERVICES[name]
    known = OURS if name in OUR_SERVICES else THEIRS.get(service["image"].rpartition(":")[0], set())
    assert set(service.get("environment", {})) <= known


def test_our_processes_get_settings_that_are_right() -> None:
    secrets = secrets_of_a_first_run()
    for service in OUR_SERVICES.values():
        environment = service["environment"]
        settings = settings_of(environment | secrets)
        assert settings.key_file is not None
        assert set(secrets) <= OURS
        grace = service.get("stop_grace_period")
        assert grace is None or int(grace.removesuffix("s")) > settings.graceful_shutdown_seconds + 10
    assert {"DATABASE_URL", "AFTERSALES_KEY_STORE_URL"} <= set(secrets)


def secrets_of_a_first_run() -> dict[str, str]:
    """The settings that `make-secrets` writes, with passwords of the tests' own."""
    script = (DEPLOY / "compose" / "make-secrets").read_text()
    written = re.findall(r'echo "([A-Z_]+)=(\S+?)"$', script, flags=re.MULTILINE)
    return {name: value.replace("$(random)", "r" * 32).replace("$password", "p") for name, value in written}


def test_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    script = tmp_path / "make-secrets"
    script.write_bytes((DEPLOY / "compose" / "make-secrets").read_bytes())
    subprocess.run(["bash", str(script)], check=True, capture_output=True)
    first = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    subprocess.run(["bash", str(script)], check=True, capture_output=True)
    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == first
    assert {Path(each["file"]).name for each in COMPOSE["secrets"].values()} == set(first)
    assert first["aftersales-password"] in first["aftersales.env"]
    assert len(set(first.values())) == len(first)
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700


def test_what_the_server_is_told_lets_clocks_be_moved() -> None:
    told = yaml.safe_load((DEPLOY / "compose" / "temporal-dynamic-config.yaml").read_text())

    assert told["frontend.WorkflowTimeSkippingEnabled"] == [{"value": True}]


def test_no_secret_is_in_the_file() -> None:
    for service in SERVICES.values():
        for name in service.get("environment", {}):
            assert name.endswith(("_FILE", "__FILE")) or not re.search("PASSWORD|PWD|SECRET|TOKEN|DATABASE_URL", name)
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
    assert "/deploy/compose/secrets/" in (DEPLOY.parent / ".gitignore").read_text().splitlines()


def test_every_file_that_is_named_exists() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source, _, _ = volume.partition(":")
            if source.startswith("."):
                # Dashboards and rules are a part of their own.
                assert (DEPLOY / source).exists(), source
                assert volume.endswith(":ro")
            else:
                assert source in COMPOSE["volumes"]
        if build := service.get("build"):
            assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()


def test_scripts_are_shell_that_a_shell_reads() -> None:
    for path in (DEPLOY / "compose").iterdir():
        if path.suffix == ".sh" or path.name == "make-secrets":
            subprocess.run(["bash", "-n", str(path)], check=True)
    assert (DEPLOY / "compose" / "make-secrets").stat().st_mode & stat.S_IXUSR


def test_all_is_published_on_the_loopback_only_and_no_port_twice() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    hosts = [port.split(":")[:2] for port in published]
    assert {host for host, _ in hosts} == {"127.0.0.1"}
    assert len({port for _, port in hosts}) == len(published)


def test_each_waits_for_what_it_needs() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            needed = SERVICES[other]
            match how["condition"]:
                case "service_healthy":
                    assert needed.get("healthcheck", {}).get("test"), f"{name} waits for {other}, which has no check"
                case "service_completed_successfully":
                    assert needed["restart"] == "no", f"{name} waits for {other}, which does not end"
                case condition:
                    assert condition == "service_started"
    order = ["worker-money", "setup", "temporal-namespace", "temporal", "temporal-schema", "postgresql"]
    for name, other in pairwise(order):
        assert other in SERVICES[name]["depends_on"]


def test_every_role_has_a_service_and_a_command_that_exists() -> None:
    roles: set[str | None] = {service["environment"].get("AFTERSALES_ROLE") for service in OUR_SERVICES.values()}
    assert roles == {None, *WorkerRole}
    for service in OUR_SERVICES.values():
        command = typer.main.get_command(application())
        for word in service["command"]:
            assert isinstance(command, TyperGroup)
            command = command.commands[word]


def test_our_containers_can_write_nowhere_but_in_memory() -> None:
    for service in OUR_SERVICES.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["tmpfs"] == ["/tmp:size=64m,mode=1777"]


def test_addresses_lead_to_services_that_listen_there() -> None:
    prometheus = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    ours, temporal = prometheus["scrape_configs"]
    (lookup,) = ours["dns_sd_configs"]
    assert {name for name, each in SERVICES.items() if "AFTERSALES_ROLE" in each.get("environment", {})} == set(
        lookup["names"]
    )
    for name in lookup["names"]:
        assert SERVICES[name]["environment"]["OTEL_EXPORTER_PROMETHEUS_PORT"] == str(lookup["port"])
    (target,) = temporal["static_configs"][0]["targets"]
    assert target == f"temporal:{SERVICES['temporal']['environment']['PROMETHEUS_ENDPOINT'].rpartition(':')[2]}"

    collector = yaml.safe_load((DEPLOY / "otel-collector.yaml").read_text())
    endpoint = SERVICES["worker-money"]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"]
    listening = collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"].rpartition(":")[2]
    assert endpoint == f"http://otel-collector:{listening}"
    assert collector["exporters"]["otlp"]["endpoint"].partition(":")[0] in SERVICES

    sources = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/datasources.yaml").read_text())["datasources"]
    for source in sources:
        assert source["url"].removeprefix("http://").partition(":")[0] in SERVICES
    (provider,) = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/dashboards.yaml").read_text())["providers"]
    mounted = {volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"] if ":" in volume}
    assert provider["options"]["path"] in mounted

    ui, codec = SERVICES["temporal-ui"], SERVICES["codec"]
    port = codec["environment"]["AFTERSALES_CODEC_LISTEN"].rpartition(":")[2]
    assert codec["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert ui["environment"]["TEMPORAL_CODEC_ENDPOINT"] == f"http://localhost:{port}"
    origin = f"http://localhost:{ui['ports'][0].split(':')[1]}"
    assert codec["environment"]["AFTERSALES_CODEC_UI_ORIGINS"] == ui["environment"]["TEMPORAL_CORS_ORIGINS"] == origin
