"""Nothing is told of a case, or of a number, to whoever is none of its own (section 12, P2).

What can be sent is read off the published contract: a command or a kind of case that is new is tried as well.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from starter.client import Case
from starter.contract.workflows import Contract, contracts
from starter.errors import NotYours, RefusedCommand, RefusedRequest
from starter.virtual_numbers import RefusedNumber
from tests.contract.samples import sample
from tests.workflow import disputes, repairs, resends
from tests.workflow.numbers import NumberDesk, keeping_numbers
from tests.workflow.price_protection import fallen
from tests.workflow.world import World
from workflows.messages.actors import Actor, Role, buyer, carrier, merchant
from workflows.messages.commands import Approve, Command, EnterTracking, ReportParcel, Withdraw
from workflows.messages.parcels import ParcelEvent
from workflows.messages.requests import (
    CompensationCause,
    CompensationRequest,
    ExpiryRequest,
    MerchantRefundRequest,
    RefundReason,
)
from workflows.messages.stages import StageName
from workflows.messages.virtual_numbers import NumberCommand, ObtainNumber

CONTRACTS = {each.name: each for each in contracts()}
AT_ONCE = 8


async def refund(world: World) -> Case:
    return await world.refund()


async def merchant_refund(world: World) -> Case:
    request = MerchantRefundRequest(
        request_key=world.fresh("k"),
        order_no=await world.order(lines={"1": 500_000}),
        merchant_id=world.merchant,
        lines=disputes.lines(500_000),
        reason=RefundReason.PRICE_ADJUSTMENT,
    )
    return await world.aftersales.open_merchant_refund(request)


async def dispute(world: World) -> Case:
    return await world.aftersales.open_dispute(disputes.request(world, await world.shipped_order()))


async def late_shipment(world: World) -> Case:
    return await world.aftersales.order_paid(await world.order())


async def compensation(world: World) -> Case:
    about = await world.returned(order_no=await world.shipped_order(freight_insured=1_000))
    view = await about.view()
    assert view.order_no
    request = CompensationRequest(
        about=about.id,
        order_no=view.order_no,
        merchant_id=world.merchant,
        buyer_id=world.buyer,
        cause=CompensationCause.FREIGHT_INSURANCE,
        amount=1_000,
    )
    return await world.aftersales.open(request)


async def withdrawal(world: World) -> Case:
    return await world.withdrawal(await world.allowance(spent=1_000))


async def expiry(world: World) -> Case:
    request = ExpiryRequest(
        allowance_id=await world.allowance(days=-1),
        merchant_id=world.merchant,
        buyer_id=world.buyer,
        valid_until=datetime.now(UTC) - timedelta(days=1),
    )
    return await world.aftersales.schedule_expiry(request)


async def price_protection(world: World) -> Case:
    return await fallen(world, await world.order())


OPENINGS: dict[str, Callable[[World], Awaitable[Case]]] = {
    "Refund": refund,
    "MerchantRefund": merchant_refund,
    "Return": lambda world: world.returned(),
    "PriceProtection": price_protection,
    "Resend": resends.asked,
    "Repair": repairs.asked,
    "Dispute": dispute,
    "LateShipment": late_shipment,
    "Compensation": compensation,
    "AllowanceWithdrawal": withdrawal,
    "AllowanceExpiry": expiry,
}


def strangers(world: World) -> list[Actor]:
    """With the ids of the case's own, as far as a stranger can know them."""
    return [merchant(world.buyer), buyer(world.merchant), Actor(role=Role.CARRIER, id=world.merchant)]


def commands(contract: Contract, by: Actor, **fields: Any) -> list[Command]:
    """All that the workflow takes, from ``by``, for no case by name: the address is the only one."""
    kinds = [taken.takes for taken in contract.updates.values()]
    return [
        sample(kind, by=by.model_dump(), case=None, **fields) for kind in kinds if kind and issubclass(kind, Command)
    ]


def may_tell(command: Command) -> bool:
    """The carrier's own word is taken from any carrier."""
    return isinstance(command, ReportParcel) and command.by.role is Role.CARRIER


async def heard(world: World, case: Case) -> str:
    """The key of a command that the case has obeyed."""
    parcel = world.parcel()
    key = world.fresh("used")
    told = ReportParcel(
        key=key,
        by=carrier("sf"),
        event=ParcelEvent.ON_DELIVERY_RUN,
        carrier=parcel.carrier,
        tracking_no=parcel.tracking_no,
        happened_at=datetime.now(UTC),
    )
    try:
        await case.act(told)
    except RefusedCommand:  # it has ended at once
        assert (await case.view()).stage is StageName.CLOSED
        return (await case.log())[-1].command_key or key
    return key


def test_every_published_workflow_is_tried() -> None:
    assert set(CONTRACTS) == {*OPENINGS, "VirtualNumber"}


@pytest.mark.parametrize("name", OPENINGS)
async def test_a_stranger_is_told_nothing_whatever_it_sends_and_under_whichever_key(world: World, name: str) -> None:
    case = await OPENINGS[name](world)
    key = await heard(world, case)
    slots = asyncio.Semaphore(AT_ONCE)

    async def tried(command: Command) -> None:
        async with slots:
            with pytest.raises(RefusedCommand) as refused:
                await case.act(command)
        code = refused.value.refusal.code
        may_be_sent = command.by.role is not Role.CARRIER or isinstance(command, EnterTracking)  # T13
        assert code == ("not_yours" if may_be_sent else "wrong_actor"), command
        assert isinstance(refused.value, NotYours) == (code == "not_yours")
        assert refused.value.view is None, command

    sent = [each for by in strangers(world) for each in commands(CONTRACTS[name], by, key=key) if not may_tell(each)]
    before = await case.log()
    await asyncio.gather(*map(tried, sent))

    assert await case.log() == before


async def test_after_the_end_a_stranger_is_told_nothing_either(world: World) -> None:
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    withdrawal = Withdraw(key="c1", by=buyer(world.buyer))
    ended = await case.act(withdrawal)
    await case.outcome()

    async def tried(command: Command) -> None:
        for send in (case.act, case.tell) if isinstance(command, Approve) else (case.act,):
            with pytest.raises(RefusedCommand) as refused:
                await send(command)
            assert refused.value.refusal.code in {"not_yours", "wrong_actor"}
            assert refused.value.view is None

    sent = [each for by in strangers(world) for each in commands(CONTRACTS["Refund"], by, key="c1")]
    await asyncio.gather(*(tried(each) for each in sent if not may_tell(each)))

    assert (await case.act(withdrawal)).outcome is ended.outcome  # the same command is still the same


async def test_after_the_end_a_key_stands_for_one_command(world: World) -> None:  # section 11
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)
    await case.act(Withdraw(key="c1", by=buyer(world.buyer)))
    await case.outcome()

    other = disputes.evidence(buyer(world.buyer), key="c1")

    assert (await disputes.refusal(case, other)).code == "key_reused"
    assert (await disputes.refusal(case, other.model_copy(update={"key": "c2"}))).code == "not_open"


async def test_what_cannot_be_read_is_answered_with_nothing(world: World) -> None:
    """Nobody knows who has sent it."""
    case = await world.refund()
    await world.at(case, StageName.MERCHANT_REVIEW)

    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await case.handle.execute_update("approve", {"key": "k"})  # pyright: ignore[reportUnknownMemberType]

    assert isinstance(failed.value.cause, ApplicationError)
    assert len(failed.value.cause.details) == 1


async def test_a_stranger_is_not_told_that_a_request_was_made(world: World) -> None:
    order_no = await world.order()
    request = world.refund_request(order_no)
    await world.aftersales.open_refund(request)

    for change in ({"buyer_id": "b-other"}, {"merchant_id": "m-other"}):
        with pytest.raises(RefusedRequest) as refused:
            await world.aftersales.open_refund(request.model_copy(update=change))
        assert refused.value.refusal.code == "not_yours"


# Virtual numbers -----------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def desk(world: World) -> AsyncGenerator[NumberDesk]:
    queue = world.fresh("numbers")
    client = world.skipper.client
    async with keeping_numbers(client, world.pool, world.aftersales.vault, queue):
        yield NumberDesk(world.skipper, world.pool, world.aftersales.vault, queue)


async def test_a_refusal_does_not_give_the_number_away(desk: NumberDesk) -> None:  # P2
    subject = await desk.order()
    await desk.obtain(subject, key="used")
    asks = [taken.takes for taken in CONTRACTS["VirtualNumber"].updates.values()]
    about = subject.model_dump()

    foreign = merchant("m-other")
    for by in (foreign, merchant(desk.buyer), buyer(desk.buyer), carrier(desk.merchant)):
        for kind in asks:
            assert kind
            assert issubclass(kind, NumberCommand)
            command = sample(kind, by=by.model_dump(), subject=about, key="used")
            with pytest.raises(RefusedNumber, match="not_yours|wrong_actor") as refused:
                await desk.numbers._act(command)  # pyright: ignore[reportPrivateUsage]
            assert refused.value.view is None
    other = await desk.order()
    for by, code in ((merchant(desk.merchant), "wrong_subject"), (foreign, "not_yours")):
        wrong = ObtainNumber(key="k", by=by, subject=other)
        with pytest.raises(WorkflowUpdateFailedError) as failed:  # which no client of ours would send
            await desk.handle(subject).execute_update("obtain_number", wrong)  # pyright: ignore[reportUnknownMemberType]
        assert isinstance(failed.value.cause, ApplicationError)
        assert failed.value.cause.type == f"Refused.{code}"
        assert len(failed.value.cause.details) == 1
