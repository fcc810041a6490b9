"""Rules and dashboards: well formed, each alert tested both ways and explained, nothing named that is not there."""

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
import yaml

from activities.gateways.payment_stub import Behaviour, Mode
from activities.gauges import OpenWorkGauges
from starter.stack import Stack, ports
from starter.telemetry.metrics import meter_of
from tests.telemetry.conftest import Watched, fetched
from tests.telemetry.incidents import cause_incidents
from tests.telemetry.promql import (
    DASHBOARDS,
    RULE_TESTS,
    RULES,
    Scraped,
    expressions,
    named,
    panels,
    rules,
)
from tests.workflow.world import until
from workflows.messages.actors import merchant
from workflows.messages.commands import Approve
from workflows.messages.reconciliation import DifferenceKind
from workflows.messages.stages import StageName

ROOT = Path(__file__).parents[2]
ALERTS_PAGE = ROOT / "docs" / "alerts.md"
NO_METRIC = {"aftersales_refund"}
"""What is named alike: a field of Stripe's."""

ONLY_IN_TROUBLE = {
    "temporal_sticky_cache_miss_total": {"namespace", "task_queue"},  # the SDK's core: a cached workflow was evicted
    "temporal_long_request_failure_total": {"namespace", "operation", "status_code"},  # the SDK's core: a poll failed
    "aftersales_events_reader_lag_seconds": {"reader"},  # activities/postgres/standing.py: somebody reads under a name
    "aftersales_callbacks_total": {"source", "result"},  # starter/http_service/counts.py: another process than a worker
    "aftersales_webhooks_waiting_oldest_seconds": {"endpoint"},  # the same: an endpoint has not taken an event
    "aftersales_webhooks_waiting": {"endpoint"},
    "aftersales_webhooks_dead": {"endpoint"},
    "aftersales_webhook_deliveries_total": {"endpoint", "result"},  # activities/measures.py: there is an endpoint
    "aftersales_gateway_circuits_total": {"gateway", "state"},  # the same: a provider was away
    "aftersales_statement_behind_seconds": set[str](),  # activities/postgres/standing.py: a day was compared
    "aftersales_callback_answer_seconds_bucket": {"source", "le"},  # starter/http_service/counts.py, as above
    "aftersales_pushed_total": {"what", "outcome"},
    "aftersales_inbox_handed_on_total": {"source", "result"},
}
"""Metrics that a sound system does not have, with their labels and where they are defined."""

_OF_A_QUEUE = {"namespace", "taskqueue", "task_type", "partition", "task_priority", "worker_version"}
BY_THE_MINUTE = {"approximate_backlog_count": _OF_A_QUEUE, "approximate_backlog_age_seconds": _OF_A_QUEUE}
"""Metrics that Temporal's matching service tells once a minute (``matching.updateAckInterval``): too late for a test,
unless its server has run for a while."""

BY_PROMETHEUS = {"up": {"job", "instance"}}
TESTED = {each["name"] for file in RULE_TESTS for each in yaml.safe_load(file.read_text())["tests"]}
CLOSE_CALLS = "".join(file.read_text() for file in RULE_TESTS)
"""What comes close to each alert stands below its name in the test ``nothing fires``."""
ALERTS = [rule for rule in rules() if "alert" in rule]
RECORDED = {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name} on this machine (on Debian: apt install prometheus)")
    return found


@pytest.mark.parametrize("words", [("check", "rules", *RULES), ("test", "rules", *RULE_TESTS)], ids=["check", "test"])
def test_promtool_is_content(words: tuple[str | Path, ...]) -> None:
    ended = subprocess.run([tool("promtool"), *words], capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("SUCCESS") == 3


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_is_tested_both_ways_and_says_what_to_do(alert: dict[str, Any]) -> None:
    name, notes = alert["alert"], alert["annotations"]

    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert {"summary", "description", "runbook_url"} <= notes.keys()
    assert f"{name} fires" in TESTED
    assert f"{name} is quiet" in TESTED or f"      # {name}\n" in CLOSE_CALLS
    assert notes["runbook_url"] == f"docs/alerts.md#{name.lower()}"
    section = section_on(name)
    for part in ("**Means.**", "**Look at.**", "**Do.**"):
        assert part in section, f"{name}: the runbook does not say: {part}"


def section_on(name: str) -> str:
    """What the runbook says of an alert."""
    _, _, section = ALERTS_PAGE.read_text().partition(f"### {name}\n")
    return section.partition("\n### ")[0]


def test_the_runbook_says_what_each_difference_between_the_books_is() -> None:
    section = section_on("AftersalesBooksDiffer")

    assert [kind for kind in DifferenceKind if f"`{kind}`" not in section] == []


def test_the_runbook_knows_no_alert_that_is_not_there() -> None:
    explained = re.findall(r"^### (\w+)$", ALERTS_PAGE.read_text(), re.MULTILINE)

    assert sorted(explained) == sorted(alert["alert"] for alert in ALERTS)


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_a_dashboard_can_be_provisioned_and_read(file: Path) -> None:
    dashboard = json.loads(file.read_text())

    assert dashboard["uid"] == f"aftersales-{file.stem}"
    assert dashboard["templating"]["list"][0]["type"] == "datasource"
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
        place = panel["gridPos"]
        squares = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not squares & taken, f"{panel['title']} lies on another panel"
        taken |= squares


def test_what_an_expression_names_is_found() -> None:
    found = named('sum by (a, le) (rate(m_total{b="x{y}", job="j"}[5m])) / on (c) n > 0 and absent(o offset 5m)')

    assert found.metrics == {"m_total": {"b"}, "n": set(), "o": set()}
    assert found.grouped == {"a", "c"}


def test_each_metric_of_ours_is_on_a_panel() -> None:
    """Also behind a rule that is recorded."""
    sources = [path.read_text() for folder in ("activities", "starter") for path in (ROOT / folder).rglob("*.py")]
    ours = {name for text in sources for name in re.findall(r'"(aftersales_[a-z_]+)"', text)} - NO_METRIC
    shown = "".join(each["expr"] for _, panel in panels() for each in panel["targets"])
    shown += "".join(expression for name, expression in RECORDED.items() if name in shown)

    assert not sorted(name for name in ours if not re.search(rf"{name}(_total|_bucket|_count)?\b", shown))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def busy(watched: Watched) -> Watched:
    """A worker that has had all sorts of work: paid, by hand and by silence, failed, and money still on its way."""
    world = watched.world
    approved, silent, underway = [await world.refund() for _ in range(3)]
    for case in (approved, silent, underway):
        await world.at(case, StageName.MERCHANT_REVIEW)
    await approved.act(Approve(key="a-1", by=merchant(world.merchant)))
    await approved.outcome()
    await world.forward(silent, hours=49)
    await silent.outcome()
    order_no = (await underway.view()).order_no
    await world.behave(Behaviour(mode=Mode.NEVER_SETTLE, merchant_id=world.merchant, order_no=order_no))
    await underway.act(Approve(key="a-1", by=merchant(world.merchant)))
    await world.at(underway, StageName.SETTLING)
    await cause_incidents(world.skipper.client)
    await OpenWorkGauges(world.pool, meter_of(world.skipper.client), every=timedelta(0)).tell()
    return watched


async def test_rules_and_dashboards_name_what_is_there(busy: Watched, stack: Stack) -> None:
    assert stack.metrics_address
    there = Scraped.of(await busy.metrics(), await fetched(stack.metrics_address))
    known = {**ONLY_IN_TROUBLE, **BY_THE_MINUTE, **there.labels, **BY_PROMETHEUS}
    missing: list[str] = []
    for where, expression in expressions().items():
        found = named(expression)
        behind = set[str]()
        for metric, matched in found.metrics.items():
            recorded = RECORDED.get(metric)
            labels = named(recorded).grouped if recorded else known.get(metric)
            if labels is None:
                missing.append(f"{where}: there is no metric {metric}")
                continue
            behind |= labels
            missing += [f"{where}: {metric} has no label {label}" for label in matched - labels]
        missing += [f"{where}: nothing has the label {label}" for label in found.grouped - behind]
    assert not missing, "\n".join(missing)
    assert not ONLY_IN_TROUBLE.keys() & there.labels.keys(), "it is there: take it off the list"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def prometheus(busy: Watched, stack: Stack, state_dirs: Path) -> AsyncIterator[str]:
    """Prometheus itself, with our rules, on the worker and on Temporal's server."""
    assert stack.metrics_address
    folder = state_dirs / "prometheus"
    folder.mkdir()
    for file in RULES:  # by the minute they would be evaluated too late for a test
        folder.joinpath(file.name).write_text(file.read_text().replace("interval: 1m", "interval: 1s"))
    targets = {"aftersales": busy.metrics_address, "temporal": stack.metrics_address}
    folder.joinpath("prometheus.yml").write_text(
        json.dumps(
            {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": [file.name for file in RULES],
                "scrape_configs": [
                    {"job_name": job, "static_configs": [{"targets": [url.split("/")[2]]}]}
                    for job, url in targets.items()
                ],
            }
        )
    )
    port = ports.choose(["prometheus"], folder / "ports.json")["prometheus"]
    process = await asyncio.create_subprocess_exec(
        tool("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def test_prometheus_scrapes_and_evaluates_everything(prometheus: str) -> None:
    async def asked(path: str) -> Any:
        try:
            return json.loads(await fetched(f"{prometheus}/api/v1/{path}"))["data"]
        except (OSError, ValueError):
            return None

    async def value(expression: str) -> list[Any]:
        answer = await asked(f"query?query={quote(expression)}")
        return answer["result"] if answer else []

    await until(lambda: value("up == 1"), lambda found: len(found) == 2)
    opened = await until(lambda: value('sum(aftersales_cases_opened_total{kind="unshipped_refund"})'), bool)
    groups = await until(
        lambda: asked("rules"),
        lambda found: bool(found) and all(r["health"] != "unknown" for g in found["groups"] for r in g["rules"]),
    )

    assert float(opened[0]["value"][1]) >= 3
    evaluated = {rule["name"]: rule.get("lastError") for group in groups["groups"] for rule in group["rules"]}
    assert len(evaluated) == len(rules())
    assert not [error for error in evaluated.values() if error]
    for where, expression in expressions().items():
        assert await asked(f"query?query={quote(expression)}") is not None, where
