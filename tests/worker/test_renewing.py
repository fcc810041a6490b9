"""Certificates and keys that are renewed on disk reach a worker that runs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from temporalio.client import Client
from temporalio.envconfig import ClientConnectConfig

from starter.connection import connect, temporal_config
from starter.settings import Settings
from starter.stack import Stack
from starter.worker import renewing
from starter.worker.health import what_work_needs
from starter.worker.renewing import renewed
from starter.worker.roles import Workers
from tests.worker.tls_gate import Authority, gate_to
from tests.workflow.world import World, until
from worker import running_worker
from workflows.messages.actors import merchant
from workflows.messages.commands import Approve
from workflows.messages.stages import OutcomeKind

OFTEN = 0.02


async def test_a_worker_goes_on_with_a_renewed_certificate(
    shop: World, own_settings: Settings, stack: Stack, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, certificate, key = Authority(), tmp_path / "tls.crt", tmp_path / "tls.key"
    (tmp_path / "ca.pem").write_bytes(authority.certificate)
    authority.issue("first", certificate, key)
    settings = own_settings.model_copy(update={"key_file": own_settings.state_dir / "keys"})
    async with gate_to(stack.temporal_address, authority, tmp_path) as gate:
        monkeypatch.setenv("TEMPORAL_ADDRESS", f"localhost:{gate.port}")
        monkeypatch.setenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH", str(tmp_path / "ca.pem"))
        monkeypatch.setenv("TEMPORAL_TLS_CLIENT_CERT_PATH", str(certificate))
        monkeypatch.setenv("TEMPORAL_TLS_CLIENT_KEY_PATH", str(key))
        configured = temporal_config(settings)
        client = await connect(settings)
        async with (
            running_worker(settings, client, database) as workers,
            renewed(settings, workers, configured, every=OFTEN),
        ):
            assert set(gate.passed) == {"first"}
            authority.issue("second", certificate, key)
            await until(_client_of(workers), lambda found: found is not client)
            gate.expire("first")

            case = await shop.refund()
            outcome = await case.act_and_wait(Approve(key="a", by=merchant(shop.merchant)))

            assert outcome.outcome is OutcomeKind.REFUNDED
            assert gate.passed["second"] >= 1
            assert await what_work_needs(settings, workers, database)["Temporal"]() is None


@dataclass
class Configured:
    """What the worker makes of Temporal's configuration, seen from inside."""

    refused: set[str] = field(default_factory=set[str])
    """API keys that Temporal does not take."""
    tried: list[str] = field(default_factory=list[str])
    """API keys with which it has connected, or tried to."""
    looks: int = 0

    def look(self, settings: Settings) -> ClientConnectConfig:
        self.looks += 1
        return temporal_config(settings)

    async def connect(self, settings: Settings) -> Client:
        self.tried.append(temporal_config(settings).get("api_key", ""))
        if self.tried[-1] in self.refused:
            raise ConnectionError("Temporal refuses the key")
        return MagicMock()

    async def looked_again(self) -> None:
        """Returns when it has looked at the files twice from now on: once from beginning to end."""
        before = self.looks

        async def since() -> int:
            return self.looks - before

        await until(since, lambda looks: looks >= 2)


async def test_a_renewed_key_of_a_profile_is_taken_up_once_it_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile, configured = tmp_path / "temporal.toml", Configured(refused={"not yet"})
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(profile))
    monkeypatch.setattr(renewing, "temporal_config", configured.look)
    monkeypatch.setattr(renewing, "connect", configured.connect)

    def write(key: str) -> None:
        draft = profile.with_suffix(".new")
        draft.write_text(f'[profile.default]\naddress = "t:7233"\napi_key = "{key}"\n')
        draft.replace(profile)

    write("old")
    old = MagicMock()
    workers = Workers(old, {})
    settings = Settings(state_dir=tmp_path)
    async with renewed(settings, workers, temporal_config(settings), every=OFTEN):
        await configured.looked_again()
        assert configured.tried == []
        write("not yet")
        await configured.looked_again()
        profile.write_text("half of a fi")
        await configured.looked_again()
        assert set(configured.tried) == {"not yet"}
        assert workers.client is old
        write("new")
        await configured.looked_again()
        assert workers.client is not old
        write("new")
        await configured.looked_again()
    assert configured.tried.count("new") == 1


def _client_of(workers: Workers) -> Callable[[], Awaitable[Client]]:
    async def client() -> Client:
        return workers.client

    return client
