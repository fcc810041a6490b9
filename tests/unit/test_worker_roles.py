"""Who carries out what: what goes outside never stands in the queue of the cases."""

from collections.abc import Callable
from typing import Any

import pytest

from starter.settings import SettingsError, load_settings
from workflows.messages import activities
from workflows.messages.clocks import find_clocks
from workflows.messages.notices import resend_notices
from workflows.messages.parcels import ask_carrier
from workflows.messages.reconciliation import reconcile
from workflows.messages.virtual_numbers import (
    bind_number,
    extend_number,
    find_number_subject,
    keep_number_facts,
    unbind_number,
)
from workflows.rules.worker_roles import WorkerRole, queue_of, role_of

BY_ROLE: dict[WorkerRole, tuple[Callable[..., Any], ...]] = {
    WorkerRole.WORKFLOWS: (
        activities.open_case,
        activities.record_step,
        find_clocks,
        find_number_subject,
        keep_number_facts,
    ),
    WorkerRole.MONEY: (activities.settle, activities.settle_manually, activities.enter_callback, reconcile),
    WorkerRole.NOTIFICATIONS: (resend_notices, ask_carrier, bind_number, extend_number, unbind_number),
}


@pytest.mark.parametrize("role", WorkerRole)
def test_each_activity_has_its_role(role: WorkerRole) -> None:
    assert {role_of(each.__name__) for each in BY_ROLE[role]} == {role}


def test_each_role_has_a_queue_of_its_own() -> None:
    assert [queue_of(role, "q") for role in WorkerRole] == ["q", "q-money", "q-notifications"]


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("all", set(WorkerRole)),
        ("money", {WorkerRole.MONEY}),
        ("workflows, money,", {WorkerRole.WORKFLOWS, WorkerRole.MONEY}),
    ],
)
def test_roles_of_a_process(text: str, roles: set[WorkerRole]) -> None:
    assert load_settings(role=text).roles == roles


@pytest.mark.parametrize("text", ["monny", "all,money", ",", "Money"])
def test_a_role_that_does_not_exist(text: str) -> None:
    with pytest.raises(SettingsError, match="^AFTERSALES_ROLE must be `all`, or some of workflows, money"):
        load_settings(role=text)


@pytest.mark.parametrize("variable", ["TEMPORAL_DEPLOYMENT_NAME", "TEMPORAL_WORKER_BUILD_ID"])
def test_a_version_has_a_name_and_a_build(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "x")
    with pytest.raises(SettingsError, match="can only be set together"):
        load_settings()


def test_a_version_does_not_say_where_temporal_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_DEPLOYMENT_NAME", "shop/aftersales")
    monkeypatch.setenv("TEMPORAL_WORKER_BUILD_ID", "1f2e")
    settings = load_settings()
    assert settings.versioned
    assert settings.embeds_temporal


def test_probes_need_host_and_port() -> None:
    with pytest.raises(SettingsError, match="AFTERSALES_HEALTH_LISTEN must be host:port"):
        load_settings(health_listen="8080")
