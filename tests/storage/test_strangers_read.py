"""Whoever reads through the client by its own name is given nothing of others (section 12, P2).

Each public method of the client's parts stands here: as one that names who asks, which is tried as strangers; as one
that the platform's own services call, who have made sure; or as one that gives nothing to read. A new one has to be put
where it belongs.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio
from temporalio.client import Client

from activities.postgres.pool import open_pool
from activities.postgres.vault import Vault
from activities.postgres.work_lists import WorkQuery
from starter.allowance_lists import AllowanceLists
from starter.cases import Case
from starter.client import Aftersales
from starter.disclosures import Disclosures
from starter.errors import RefusedStatement, UnknownCase, UnknownOrder
from starter.merchant_desk import MerchantDesk
from starter.privacy import Privacy
from starter.virtual_numbers import VirtualNumbers
from tests.storage.money import open_case
from workflows.messages.actors import Actor, Role, buyer, carrier, merchant, officer
from workflows.messages.disclosures import ExportKind, Reveal, RevealField, StartExport, StartOrderExport
from workflows.messages.evidence import MediaType
from workflows.messages.flags import AddRemark
from workflows.messages.statements import WriteStatement
from workflows.messages.surfaces import Surface

PARTS: Final = (Aftersales, AllowanceLists, Case, MerchantDesk, Disclosures, Privacy, VirtualNumbers)
PICTURE: Final = b"\x89PNG\r\n\x1a\n"
SENDS: Final = "Case.act Case.act_and_wait Case.tell VirtualNumbers.obtain VirtualNumbers.renew VirtualNumbers.release"
"""Commands: tried in ``tests/workflow/test_strangers.py``."""
WRITES: Final = """
    Aftersales.open Aftersales.open_refund Aftersales.open_merchant_refund Aftersales.open_return
    Aftersales.open_price_protection Aftersales.open_resend Aftersales.open_repair
    Aftersales.open_dispute Aftersales.open_withdrawal Aftersales.order_paid Aftersales.schedule_expiry
    Aftersales.gateway_callback
    Aftersales.check MerchantDesk.save_address MerchantDesk.remove_address MerchantDesk.set_flag MerchantDesk.add_remark
    MerchantDesk.set_standing_order MerchantDesk.end_standing_order
    MerchantDesk.in_words
    Disclosures.buy_quota Privacy.keep_attachment Privacy.keep_bank_account Privacy.keep_contact Privacy.keep_reach
    Privacy.forget
    Privacy.rewrap VirtualNumbers.became_subscription VirtualNumbers.order_completed
"""
WRITES_ABOUT: Final = {"Privacy.forget", "Privacy.keep_reach"}
"""Of those, what names the person that it is about, not one who asks."""
MADE_SURE: Final = """
    Aftersales.case Aftersales.take_up Aftersales.request Aftersales.currency_of Aftersales.escalation_ladder
    Aftersales.quote Aftersales.askable Aftersales.disputable Aftersales.late_shipment_of
    Aftersales.time_zone_of Case.view Case.log Case.timeline Case.outcome Case.now MerchantDesk.evidence
    MerchantDesk.address_book MerchantDesk.score
    MerchantDesk.standing_orders MerchantDesk.score_changes Disclosures.quota VirtualNumbers.view
"""
"""They name nobody, or one merchant whose own all of it is: whoever calls has made sure who that is."""


@dataclass
class Known:
    """An order and a case that strangers know the ids and the references of."""

    pool: asyncpg.Pool
    vault: Vault
    client: Client
    case_id: str
    order_no: str
    merchant: str
    buyer: str
    attachment: str = ""
    statement: str = ""

    @property
    def desk(self) -> MerchantDesk:
        return MerchantDesk(self.pool, self.vault)

    @property
    def disclosures(self) -> Disclosures:
        unused: Any = None
        return Disclosures(self.pool, self.vault, unused, 60)

    @property
    def privacy(self) -> Privacy:
        return Privacy(self.pool, self.vault, VirtualNumbers(self.client, "unused"))

    @property
    def aftersales(self) -> Aftersales:
        return Aftersales(self.client, "unused", self.pool, self.vault)


async def export(known: Known, by: Actor) -> list[Any]:
    wish = StartExport(key=f"e-{by.id}", merchant_id=by.id, by=by, kind=ExportKind.MASKED_CONTACT)
    return [row async for row in known.disclosures.export(wish)]


async def start_export(known: Known, by: Actor) -> int:
    wish = StartExport(key=f"s-{by.id}", merchant_id=by.id, by=by, kind=ExportKind.WITHOUT_CONTACT)
    return (await known.disclosures.start_export(wish)).rows


async def export_orders(known: Known, by: Actor) -> list[Any]:
    wish = StartOrderExport(key=f"oe-{by.id}", merchant_id=by.id, by=by, kind=ExportKind.MASKED_CONTACT)
    return [row async for row in known.disclosures.export_orders(wish)]


async def start_order_export(known: Known, by: Actor) -> int:
    wish = StartOrderExport(key=f"os-{by.id}", merchant_id=by.id, by=by, kind=ExportKind.WITHOUT_CONTACT)
    return (await known.disclosures.start_order_export(wish)).rows


async def work_counts(known: Known, by: Actor) -> Any:
    return (await known.aftersales.work_counts(WorkQuery(merchant_id=by.id, order_no=known.order_no))).lists


async def reveal(known: Known, by: Actor) -> Any:
    fields = (RevealField.NAME, RevealField.ADDRESS)
    return await known.disclosures.reveal(Reveal(key="r", by=by, subject=known.case_id, fields=fields, why="to_call"))


async def write_statement(known: Known, by: Actor) -> Any:
    wish = {"case_id": known.case_id, "by": by, "text": "48小时内处理", "key": "other"}
    return await known.desk.write_statement(WriteStatement.model_validate(wish))


async def remarks(known: Known, by: Actor) -> Any:
    return await known.desk.remarks(by.id, known.order_no)


async def work(known: Known, by: Actor) -> Any:
    return (await known.aftersales.work_list(WorkQuery(merchant_id=by.id, order_no=known.order_no))).items


ASKS: Final[dict[str, Callable[[Known, Actor], Awaitable[Any]]]] = {
    "Disclosures.show": lambda known, by: known.disclosures.show(known.order_no, Surface.WAYBILL, by),
    "Disclosures.reveal": reveal,
    "Disclosures.return_address": lambda known, by: known.disclosures.return_address(known.case_id, by),
    "Disclosures.looks": lambda known, by: known.disclosures.looks(by, subject=known.case_id),
    "Disclosures.export": export,
    "Disclosures.start_export": start_export,
    "Disclosures.export_orders": export_orders,
    "Disclosures.start_order_export": start_order_export,
    "Privacy.read_attachment": lambda known, by: known.privacy.read_attachment(known.case_id, known.attachment, by),
    "MerchantDesk.read_statement": lambda known, by: known.desk.read_statement(known.statement, by),
    "MerchantDesk.write_statement": write_statement,
    "MerchantDesk.thread": lambda known, by: known.desk.thread(known.case_id, by),
    "MerchantDesk.dossier": lambda known, by: known.desk.dossier(known.case_id, by),
    "MerchantDesk.remarks": remarks,
    "MerchantDesk.flag": lambda known, by: known.desk.flag(by.id, known.order_no),
    "AllowanceLists.campaigns": lambda known, by: AllowanceLists(known.pool).campaigns(by, known.merchant),
    "AllowanceLists.of_buyer": lambda known, by: AllowanceLists(known.pool).of_buyer(by, known.buyer),
    "Aftersales.orders_of_buyer": lambda known, by: known.aftersales.orders_of_buyer(by.id, known.buyer),
    "Aftersales.work_list": work,
    "Aftersales.work_counts": work_counts,
}
REFUSED: Final = (UnknownCase, UnknownOrder, RefusedStatement, ValueError)


@pytest_asyncio.fixture(loop_scope="session")
async def known(database: str, vault: Vault, client: Client) -> AsyncIterator[Known]:
    async with await open_pool(database, max_size=5) as pool:
        case_id = (await open_case(pool)).case_id
        row = await pool.fetchrow("SELECT * FROM casebook.cases WHERE case_id = $1", case_id)
        assert row
        made = Known(pool, vault, client, case_id, row["order_no"], row["merchant_id"], row["buyer_id"])
        made.attachment = (await made.privacy.keep_attachment(case_id, "k", MediaType.PNG, PICTURE)).uri
        wish = {"case_id": case_id, "by": officer("o-1"), "text": "箱子是空的", "key": "k"}
        made.statement = (await made.desk.write_statement(WriteStatement.model_validate(wish))).reference
        by = merchant(made.merchant)
        remark = {"key": "k", "merchant_id": made.merchant, "subject": made.order_no, "by": by, "text": "急"}
        await made.desk.add_remark(AddRemark.model_validate(remark))
        yield made


def public() -> set[str]:
    return {
        f"{part.__name__}.{name}"
        for part in PARTS
        for name, _ in inspect.getmembers(part, inspect.isfunction)
        if not name.startswith("_")
    }


def test_every_method_of_the_client_is_one_of_these() -> None:
    groups = [set(SENDS.split()), set(WRITES.split()), set(MADE_SURE.split()), set(ASKS)]

    assert public() == set().union(*groups)
    assert sum(map(len, groups)) == len(public()), "each in one group"


def test_who_can_be_named_is_asked() -> None:
    """A method that takes an actor takes it for a reason."""
    named = {
        f"{part.__name__}.{name}"
        for part in PARTS
        for name, method in inspect.getmembers(part, inspect.isfunction)
        if any(each.annotation is Actor for each in inspect.signature(method).parameters.values())
    }

    assert {each for each in named if not each.rpartition(".")[2].startswith("_")} - WRITES_ABOUT <= set(ASKS)


@pytest.mark.parametrize("name", ASKS)
async def test_a_stranger_reads_nothing(known: Known, name: str) -> None:
    strangers = [
        merchant(f"{known.merchant}-2"),
        merchant(known.buyer),
        buyer(f"{known.buyer}-2"),
        buyer(known.merchant),
        carrier(known.merchant),
        Actor(role=Role.CLOCK, id=known.merchant),
    ]
    for by in strangers:
        if by.id == known.merchant and name in {"MerchantDesk.remarks", "MerchantDesk.flag"}:
            continue  # they name a merchant, and no role
        if by.id == known.merchant and name.startswith("Aftersales."):
            continue
        try:
            found = await ASKS[name](known, by)
        except REFUSED:
            continue
        assert not found, (name, by)


async def test_its_own_read_what_a_stranger_does_not(known: Known) -> None:
    own = merchant(known.merchant)

    assert await ASKS["Privacy.read_attachment"](known, own) == PICTURE
    assert await ASKS["MerchantDesk.read_statement"](known, own)
    assert await ASKS["MerchantDesk.read_statement"](known, buyer(known.buyer))
    for name in ("MerchantDesk.remarks", "Disclosures.export", "Disclosures.looks", "Disclosures.start_export"):
        assert await ASKS[name](known, own), name
    assert await ASKS["Aftersales.work_list"](known, own)
