"""What is published of the contract is what the code says now."""

import json
import re
from itertools import chain

import jsonschema_rs
import pytest

from starter.contract import refusals
from starter.contract.files import FOLDER, files
from starter.contract.workflows import WORKFLOWS, contracts
from tests.contract.schemas import bundle
from worker import WORKFLOWS as WORKING
from workflows.closed_cases import ClosedCases
from workflows.late_callback import LateCallback
from workflows.notices import NoticeResend
from workflows.pauses import PauseReach
from workflows.reconciliation import Reconciliation

EXAMPLE = FOLDER.parent / "examples" / "typescript"
OUR_OWN = {ClosedCases, LateCallback, NoticeResend, PauseReach, Reconciliation}
"""Workflows that nobody else starts or speaks to."""


@pytest.fixture(scope="module")
def written_now() -> dict[str, str]:
    return files()


SCHEMAS = ["messages.schema.json", "events.schema.json", "http.schema.json", "nexus.schema.json"]
PUBLISHED = [*SCHEMAS, "workflows.json", "reference.md", "../client-reference.md"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_file_is_what_the_code_says(name: str, written_now: dict[str, str]) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == written_now[name], "run make docs"


def test_every_workflow_is_published_or_our_own() -> None:
    assert set(WORKFLOWS) | OUR_OWN == set(WORKING)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_bundle_is_a_schema(name: str) -> None:
    assert jsonschema_rs.meta.is_valid(dict(bundle(name)))


@pytest.mark.parametrize("name", SCHEMAS)
def test_whatever_a_schema_refers_to_is_in_its_bundle(name: str) -> None:
    referred = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(bundle(name))))

    known = bundle(name)["$defs"]
    assert referred == {f"#/$defs/{each}" for each in known}, "and nothing is there that nobody refers to"


def test_a_signal_is_an_update_too() -> None:
    for contract in contracts():
        assert set(contract.signals) <= set(contract.updates)


def test_every_amount_says_that_it_is_in_minor_units() -> None:
    amounts = re.compile(r"amount|freight")
    properties = chain.from_iterable(each.get("properties", {}).items() for each in bundle()["$defs"].values())
    integers = [(name, each) for name, each in properties if amounts.search(name) and "integer" in json.dumps(each)]

    assert integers
    assert [name for name, each in integers if "minor units" not in json.dumps(each)] == []


def test_the_example_is_locked_to_packages_and_to_no_registry() -> None:
    lock = json.loads((EXAMPLE / "package-lock.json").read_text(encoding="utf-8"))
    packages = [each for name, each in lock["packages"].items() if name]

    assert packages
    assert all("integrity" in each and "resolved" not in each for each in packages)


def test_refusals_are_found_where_they_are_made() -> None:
    found = refusals.codes()

    assert found["wrong_actor"].fields == {"by.role"}
    assert {"freight", "lines.N.amount"} <= found["amount_too_high"].fields
    assert found["duplicate_case"].fields == {"request_key"}, "its words stand in a constant"
    assert found["already_paid"].rules == {"section 10"}, "which is a default of the function that makes it"
