import os
import subprocess
import sys
from pathlib import Path

import pytest

from starter.connection import temporal_config
from starter.settings import Settings, SettingsError, load_settings, variable_name
from starter.settings_of_others import TEMPORAL_VARIABLES
from starter.settings_page import documentation

PASSWORD = "hunter2-geheim"
KEY = "k" * 40


def test_nothing_set_means_development_on_embedded_servers() -> None:
    settings = load_settings()
    assert settings.development
    assert settings.sandboxed
    assert settings.embeds_postgres
    assert settings.embeds_temporal
    assert settings.state_dir == Path(".aftersales")


@pytest.mark.parametrize("name", TEMPORAL_VARIABLES)
def test_any_of_temporals_variables_means_a_real_server(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "x")
    assert not load_settings().embeds_temporal


def test_production_needs_keys_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERSALES_ENVIRONMENT", "production")
    for name, value in (
        ("AFTERSALES_LOOKUP_KEY", KEY),
        ("AFTERSALES_KEY_FILE", "/run/secrets/keys"),
        ("AFTERSALES_KEY_STORE_URL", "postgresql://keys/keys"),
    ):
        with pytest.raises(SettingsError, match=f"^{name} (or AFTERSALES_KEYS )?must be set in production"):
            load_settings()
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert not settings.development
    assert not settings.sandboxed


def test_the_sandbox_can_be_kept_in_production() -> None:
    keys = {"lookup_key": KEY, "keys": f"a:{KEY}", "key_store_url": "postgresql://keys/keys"}
    assert load_settings(environment="production", workflow_sandbox=True, **keys).sandboxed


def test_persons_keys_are_not_beside_the_texts() -> None:
    url = "postgresql://h/d"
    with pytest.raises(SettingsError, match="KEY_STORE_URL must be another database than DATABASE_URL"):
        load_settings(database_url=url, key_store_url=url)


def test_there_is_one_key_ring(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="only one of AFTERSALES_KEYS and AFTERSALES_KEY_FILE"):
        load_settings(keys=f"a:{KEY}", key_file=tmp_path / "keys")


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        (
            "AFTERSALES_LOG_LEVEL",
            "loud",
            "AFTERSALES_LOG_LEVEL must be `debug`, `info`, `warning` or `error`",
        ),
        (
            "AFTERSALES_DATABASE_POOL_SIZE",
            "many",
            "AFTERSALES_DATABASE_POOL_SIZE must be a whole number from 1 to 1000",
        ),
        (
            "AFTERSALES_DATABASE_POOL_SIZE",
            "0",
            "AFTERSALES_DATABASE_POOL_SIZE must be a whole number from 1 to 1000",
        ),
        ("AFTERSALES_WORKFLOW_SANDBOX", "perhaps", "AFTERSALES_WORKFLOW_SANDBOX must be `true` or `false`"),
        ("AFTERSALES_LOOKUP_KEY", PASSWORD, "AFTERSALES_LOOKUP_KEY must be at least 32 characters long"),
        ("DATABASE_URL", f"mysql://u:{PASSWORD}@h/d", "DATABASE_URL must start with postgresql://"),
        (
            "AFTERSALES_LOGLEVEL",
            "info",
            "AFTERSALES_LOGLEVEL is not a setting: did you mean AFTERSALES_LOG_LEVEL?",
        ),
        (
            "AFTERSALES_DATABASE_URL",
            "postgresql://h/d",
            "AFTERSALES_DATABASE_URL is not a setting: did you mean DATABASE_URL?",
        ),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(
    name: str, value: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refusal:
        load_settings()
    assert str(refusal.value) == line
    assert refusal.value.__context__ is None


@pytest.mark.parametrize(
    "url",
    [
        *(f"postgresql://u:12{character}{PASSWORD}@h/d" for character in "/#?[]%@"),
        f"postgresql://u:{PASSWORD}@h:port/d",
        f"postgresql://u:{PASSWORD}@h:99999/d",
        f"postgresql://u:{PASSWORD}@h/d#{PASSWORD}",
    ],
)
@pytest.mark.parametrize("name", ["DATABASE_URL", "AFTERSALES_KEY_STORE_URL"])
def test_a_database_url_that_would_be_read_otherwise_is_refused_without_quoting_it(
    url: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, url)
    with pytest.raises(SettingsError) as refusal:
        load_settings()
    assert str(refusal.value).startswith(f"{name} must be postgresql://user:password@host:port/database; ")
    assert PASSWORD not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://postgres@/postgres?host=%2Fsome%2Ffolder",
        "postgresql://u:p%2F%23%40@db.example.com:5432/aftersales?sslmode=require",
        "postgres://u:p@[::1]:5432/d",
        "postgresql://u:p@first:5432,second:5433/d",
        "postgresql://h/d",
    ],
)
def test_a_database_url_may_have_every_usual_form(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    given = load_settings().database_url
    assert given is not None
    assert given.get_secret_value() == url


def test_all_wrong_settings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERSALES_LOG_LEVEL", "loud")
    monkeypatch.setenv("AFTERSALES_LANGUAGE", "fr")
    with pytest.raises(SettingsError) as refusal:
        load_settings()
    assert "AFTERSALES_LOG_LEVEL" in str(refusal.value)
    assert "AFTERSALES_LANGUAGE" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_what_kubernetes_sets_for_a_service_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERSALES_WORKER_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("AFTERSALES_WORKER_PORT_9464_TCP", "tcp://10.0.0.1:9464")
    load_settings()


def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://u:{PASSWORD}@h/d")
    monkeypatch.setenv("AFTERSALES_LOOKUP_KEY", KEY)
    settings = load_settings()
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert PASSWORD not in text
        assert KEY not in text


def test_a_traceback_of_a_wrong_setting_shows_no_secret() -> None:
    url = f"mysql://u:{PASSWORD}@h/d"
    ended = subprocess.run(
        [sys.executable, "-c", "from starter.settings import load_settings; load_settings()"],
        env={**os.environ, "DATABASE_URL": url, "AFTERSALES_LOOKUP_KEY": PASSWORD},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "DATABASE_URL must start with" in ended.stderr
    assert PASSWORD not in ended.stdout + ended.stderr


def test_every_setting_is_documented() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert f"`{variable_name(name)}`" in documentation()


def test_every_variable_of_the_page_has_its_meaning() -> None:
    tables = [line.split(" |") for line in documentation().splitlines() if line.startswith("| `")]
    assert len(tables) > len(Settings.model_fields)
    assert [cells[0] for cells in tables if cells[-2].strip() in {"", "Secret."}] == []


def test_the_page_on_settings_is_up_to_date(pytestconfig: pytest.Config) -> None:
    page = pytestconfig.rootpath / "docs" / "settings.md"
    assert page.read_text() == documentation(), "run `make docs`"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TEMPORAL_PROFILE", "nowhere"),
        ("TEMPORAL_CONFIG_FILE", "secret.toml"),
        ("TEMPORAL_TLS_SERVER_CA_CERT_PATH", "nowhere.pem"),
    ],
)
def test_a_wrong_temporal_configuration_is_one_line_without_secrets(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("secret.toml").write_text(f'[profile.default]\napi_key = "{PASSWORD}')
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match="Temporal's environment configuration is wrong") as refusal:
        temporal_config(load_settings())
    assert "\n" not in str(refusal.value)
    assert PASSWORD not in str(refusal.value)
    assert refusal.value.__context__ is None


def test_temporals_own_configuration_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "shop")
    assert temporal_config(load_settings()) == {"target_host": "localhost:7233", "namespace": "shop"}
    monkeypatch.setenv("TEMPORAL_ADDRESS", "temporal.example:7233")
    monkeypatch.setenv("TEMPORAL_API_KEY", PASSWORD)
    config = temporal_config(load_settings())
    assert config.get("target_host") == "temporal.example:7233"
    assert config.get("tls") is True


def test_a_configuration_file_that_would_be_passed_over_is_told_in_production(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "temporalio" / "temporal.toml"
    file.parent.mkdir()
    file.write_text('[profile.default]\naddress = "temporal.example.com:7233"\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    keys = {"lookup_key": KEY, "keys": f"a:{KEY}", "key_store_url": "postgresql://keys/keys"}

    assert temporal_config(load_settings()) == {}
    with pytest.raises(SettingsError, match="TEMPORAL_CONFIG_FILE must be set for .*temporal.toml to count"):
        temporal_config(load_settings(environment="production", **keys))
