"""What is encrypted is read and written in Temporal's Web UI, by whoever may (P1, P2, P6)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from activities.privacy.codec import ENCODING, EncryptionCodec, encrypting_converter
from activities.privacy.keys import FixedKeys, new_key, read_keys
from starter.client import Case
from starter.codec_server import CodecServerSettings, Role, minted, ui_endpoint
from starter.settings import Settings
from starter.stack import Stack
from starter.stack.state_folder import StateFolder
from starter.vault import key_provider
from tests.browser.web_ui import PATIENCE, WorkflowPage
from tests.workflow.world import World, until
from workflows.messages.actors import buyer
from workflows.messages.persons import BankAccount
from workflows.messages.requests import BankTransfer
from workflows.messages.stages import StageName
from workflows.messages.statements import Statement, WriteStatement

if TYPE_CHECKING:
    from playwright.async_api import Page

CLEAR = ("张三丰", "6222021234567890123", "某某银行")
DECODING = re.compile(r"/decode\b")


@dataclass(frozen=True)
class Paid:
    """A refund case whose money goes to a bank account."""

    case: Case
    account: str
    page: WorkflowPage


@pytest.fixture
async def paid(browser_page: Page, stack: Stack, codec_server: CodecServerSettings, world: World) -> Paid:
    account = await world.aftersales.privacy.keep_bank_account(
        world.buyer,
        f"k-{uuid4().hex}",
        BankAccount(holder=SecretStr("张三丰"), number=SecretStr("6222021234567890123"), bank=SecretStr("某某银行")),
    )
    case = await world.refund(order_no=await world.shipped_order(), method=BankTransfer(account=account))
    await world.at(case, StageName.SHIPPED_REVIEW)
    assert stack.ui_address
    return Paid(case, account, await WorkflowPage.of(browser_page, stack.ui_address, case.handle))


def address_of(server: CodecServerSettings) -> str:
    return f"http://{server.host}:{server.port}"


async def event(case: Case, kind: EventType.ValueType) -> HistoryEvent:
    """The last event of a kind, as it is stored."""
    return [each async for each in case.handle.fetch_history_events() if each.event_type == kind][-1]


async def opened(settings: Settings, payload: Payload) -> Any:
    """What is in a stored payload, which must be encrypted."""
    assert payload.metadata["encoding"] == ENCODING
    (plain,) = await EncryptionCodec(key_provider(settings)).decode([payload])
    assert plain.metadata["encoding"] == b"json/plain"
    return json.loads(plain.data)


async def test_an_operator_reads_a_cases_page_and_sees_persons_masked(paid: Paid) -> None:
    from playwright.async_api import expect

    await paid.page.open()
    await expect(paid.page.input).to_contain_text(f"{paid.account} 〔张**, ****0123〕", timeout=PATIENCE)
    await expect(paid.page.page.get_by_text("shipped refund o-").first).to_be_visible(timeout=PATIENCE)
    # The summary of the timer that will ring when the deadline is near.
    await expect(paid.page.page.get_by_text("shipped_review (R2): ").first).to_be_visible()
    assert not [each for each in CLEAR if each in await paid.page.page.content()]

    await paid.page.open("user-metadata")
    await expect(paid.page.metadata("summary")).to_contain_text("shipped refund o-", timeout=PATIENCE)
    await expect(paid.page.metadata("details")).to_contain_text("method: bank_transfer")
    await expect(paid.page.metadata("current-details")).to_contain_text("refund only, the merchant decides")
    await expect(paid.page.metadata("current-details")).to_contain_text("approve (merchant)")


async def test_without_a_token_nothing_can_be_read(paid: Paid, codec_server: CodecServerSettings) -> None:
    from playwright.async_api import expect

    await paid.page.open()
    await paid.page.decode_by(address_of(codec_server))
    async with paid.page.page.expect_response(DECODING, timeout=PATIENCE) as answer:
        await paid.page.open()
    refused = await answer.value
    assert (refused.status, refused.status_text.partition(":")[0]) == (401, "a token is needed")
    await expect(paid.page.failed_to_decode).to_be_visible(timeout=PATIENCE)
    # As it is stored.
    await expect(paid.page.input).to_have_text(re.compile(r'^"[A-Za-z0-9+/]{100,}=*"$'), timeout=PATIENCE)
    await paid.page.open("user-metadata")
    await expect(paid.page.page.get_by_text("No Summary").first).to_be_visible(timeout=PATIENCE)


async def test_an_auditor_sees_clear_values_and_each_look_is_recorded(
    paid: Paid, codec_server: CodecServerSettings, world: World
) -> None:
    from playwright.async_api import expect

    auditor = f"a-{uuid4().hex}"
    assert codec_server.token_secret
    token = minted(
        codec_server.token_secret.get_secret_value(),
        codec_server.issuer,
        codec_server.audience,
        role=Role.AUDITOR,
        subject=auditor,
        reason="complaint 4711",
        lifetime=timedelta(minutes=30),
    )
    await paid.page.open()
    await paid.page.decode_by(f"{address_of(codec_server)}/as/{token}")
    await paid.page.open()
    await expect(paid.page.input).to_contain_text(f"{paid.account} 〔{', '.join(CLEAR)}〕", timeout=PATIENCE)
    looks = await world.pool.fetch(
        "SELECT DISTINCT role, subject, field, surface, reason FROM vault.looks WHERE actor_id = $1 ORDER BY field",
        auditor,
    )
    assert [tuple(each) for each in looks] == [
        ("auditor", paid.account, field, "codec", "complaint 4711")
        for field in ("account_name", "account_number", "bank")
    ]


async def test_a_signal_from_the_ui_is_encrypted_on_its_way_and_taken(
    paid: Paid, world: World, settings: Settings
) -> None:
    statement = await world.aftersales.desk.write_statement(
        WriteStatement(case_id=paid.case.id, by=buyer(world.buyer), text=SecretStr("箱子是空的"), key="k-1")
    )
    assert isinstance(statement, Statement)
    command = {"key": "from-the-ui", "by": {"role": "buyer", "id": world.buyer}, "statement": statement.reference}
    await paid.page.open()
    # With the note beside it, as it is copied from a page.
    noted = f"{statement.reference} 〔statement of 5 characters〕"
    await paid.page.send("Signal", "submit_evidence", command | {"statement": noted})
    signaled = await event(paid.case, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED)
    (payload,) = signaled.workflow_execution_signaled_event_attributes.input.payloads
    assert await opened(settings, payload) == command
    assert statement.reference.encode() not in signaled.SerializeToString()
    log = await until(paid.case.log, lambda entries: len(entries) > 1)
    assert (log[-1].event, log[-1].command_key) == ("evidence_submitted", "from-the-ui")


async def test_an_update_from_the_ui_is_encrypted_on_its_way_and_accepted(
    paid: Paid, world: World, settings: Settings
) -> None:
    command = {"key": "from-the-ui", "by": {"role": "merchant", "id": world.merchant}}
    await paid.page.open()
    await paid.page.send("Update", "approve", command)
    accepted = await event(paid.case, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED)
    request = accepted.workflow_execution_update_accepted_event_attributes.accepted_request
    (payload,) = request.input.args.payloads
    assert await opened(settings, payload) == command
    assert (await paid.case.view()).stage != StageName.SHIPPED_REVIEW


async def test_an_unknown_key_is_named_to_the_page(
    browser_page: Page, stack: Stack, codec_server: CodecServerSettings, client: Client
) -> None:
    from playwright.async_api import expect

    del codec_server
    config = client.config()
    config["data_converter"] = encrypting_converter(FixedKeys(read_keys(new_key("retired-2025"))))
    handle = await Client(**config).start_workflow(
        "Anything", {"secret": 1}, id=f"unknown-{uuid4().hex}", task_queue="nobody"
    )
    assert stack.ui_address
    page = await WorkflowPage.of(browser_page, stack.ui_address, handle)
    async with browser_page.expect_response(DECODING, timeout=PATIENCE) as answer:
        await page.open()
    refused = await answer.value
    assert (refused.status, refused.status_text) == (
        422,
        "this is encrypted under the key 'retired-2025', which is not in the key ring",
    )
    await expect(page.failed_to_decode).to_be_visible(timeout=PATIENCE)


async def test_the_endpoint_of_the_ui_is_what_the_stack_was_told(
    browser_page: Page, stack: Stack, settings: Settings, codec_server: CodecServerSettings
) -> None:
    response = await browser_page.request.get(f"{stack.ui_address}/api/v1/settings")
    # No secret is in it: the Web UI tells it everybody, and so does a list of processes.
    assert (await response.json())["Codec"]["Endpoint"] == ui_endpoint(codec_server.port)
    # Other processes on the machine find the server, and must bring a token of their own.
    published = StateFolder(settings.state_dir).published()
    assert published is not None
    assert published.codec_address == address_of(codec_server)
