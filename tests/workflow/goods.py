"""Goods that come back, brought to where a test begins, and the commands that move them on."""

from datetime import datetime
from typing import Any

import pytest

from starter.client import Case
from starter.errors import RefusedCommand, RefusedRequest
from tests.workflow.world import EVIDENCE, World, until
from workflows.messages.actors import buyer, carrier, merchant
from workflows.messages.cases import NoticeTemplate, Refusal
from workflows.messages.commands import (
    AgreeReturn,
    Command,
    ConfirmReceipt,
    ConvertToRefund,
    EnterTracking,
    ExtendReceipt,
    LineQuantity,
    RefundDirectly,
    RejectReason,
    ReportParcel,
)
from workflows.messages.parcels import Parcel, ParcelEvent
from workflows.messages.requests import ReturnRequest
from workflows.messages.stages import StageName

# Cases ---------------------------------------------------------------------------------------------------


async def agreed(world: World, **request: Any) -> Case:
    """A return or an exchange that the merchant has agreed to (T1, T2)."""
    await world.address()
    case = await world.returned(**request)
    await case.act(agreement(world))
    return case


async def on_its_way(world: World, *, freight_paid: int = 0, **request: Any) -> tuple[Case, Parcel]:
    """A return or an exchange whose goods are with the carrier, and the parcel that they are in (T3)."""
    case = await agreed(world, **request)
    parcel = world.parcel()
    await case.act(tracking(world, parcel, freight_paid=freight_paid))
    return case, parcel


async def signed_for(world: World, *, freight_paid: int = 0, **request: Any) -> tuple[Case, Parcel]:
    """A return or an exchange that the carrier says has been signed for (T6)."""
    case, parcel = await on_its_way(world, freight_paid=freight_paid, **request)
    await world.carrier_tells(parcel, ParcelEvent.SIGNED, await world.now(case))
    await world.at(case, StageName.RESHIPMENT if request.get("exchange") else StageName.RETURN_RECEIVED)
    return case, parcel


async def delayed(world: World, **request: Any) -> tuple[Case, Parcel]:
    """A return whose parcel is late: the merchant may extend the receipt (T7)."""
    case, parcel = await on_its_way(world, **request)
    await world.forward(case, days=5, minutes=1)
    await world.at(case, StageName.RETURN_DELAYED)
    return case, parcel


async def overdue(world: World, **request: Any) -> tuple[Case, Parcel]:
    """A return of whose parcel no carrier knows anything when the time is over (T6)."""
    case, parcel = await delayed(world, **request)
    await world.forward(case, days=5, minutes=1)
    await world.at(case, StageName.RETURN_OVERDUE)
    return case, parcel


# Commands ------------------------------------------------------------------------------------------------


def agreement(world: World, address_id: str | None = None, key: str = "agree", **changes: Any) -> AgreeReturn:
    return AgreeReturn(key=key, by=merchant(world.merchant), address_id=address_id, **changes)


def direct_refund(world: World, key: str = "direct") -> RefundDirectly:
    return RefundDirectly(key=key, by=merchant(world.merchant))


def tracking(world: World, parcel: Parcel, key: str = "tracking", **changes: Any) -> EnterTracking:
    return EnterTracking(key=key, by=buyer(world.buyer), parcel=parcel, **changes)


def extension(world: World, key: str = "extend") -> ExtendReceipt:
    return ExtendReceipt(key=key, by=merchant(world.merchant))


def receipt(world: World, key: str = "receipt", **changes: Any) -> ConfirmReceipt:
    return ConfirmReceipt(key=key, by=merchant(world.merchant), **changes)


def accepting(world: World, key: str = "receipt", **pieces: int) -> ConfirmReceipt:
    """So many pieces of each line are accepted, with what that takes: ``line_1=3`` (T11)."""
    accepted = tuple(LineQuantity(line=name.removeprefix("line_"), quantity=count) for name, count in pieces.items())
    return receipt(world, key, accepted=accepted, reason=RejectReason.OTHER, evidence=EVIDENCE)


def money_instead(world: World, *, by_buyer: bool) -> ConvertToRefund:
    by = buyer(world.buyer) if by_buyer else merchant(world.merchant)
    return ConvertToRefund(key=f"money-{by.role}", by=by)


def report(parcel: Parcel, event: ParcelEvent, at: datetime, key: str) -> ReportParcel:
    """What a carrier tells the case itself."""
    return ReportParcel(
        key=key,
        by=carrier(parcel.carrier),
        event=event,
        carrier=parcel.carrier,
        tracking_no=parcel.tracking_no,
        happened_at=at,
    )


# What came of it -----------------------------------------------------------------------------------------


async def refused(world: World, request: ReturnRequest) -> Refusal:
    """Why no case is opened."""
    with pytest.raises(RefusedRequest) as caught:
        await world.aftersales.open_return(request)
    return caught.value.refusal


async def refused_command(case: Case, command: Command) -> tuple[str, str]:
    """Why a command is refused: code and rule."""
    with pytest.raises(RefusedCommand) as caught:
        await case.act(command)
    return caught.value.refusal.code, caught.value.refusal.rule


async def sent_text(world: World, template: NoticeTemplate, recipient: str) -> str:
    """The Chinese text of this template that a channel has carried to somebody, once it has."""

    async def look() -> str | None:
        return await world.pool.fetchval(
            """
            SELECT text FROM channels.sent
            WHERE template = $1 AND recipient_id = $2 AND language = 'zh' ORDER BY sent_at LIMIT 1
            """,
            template,
            recipient,
        )

    return str(await until(look, lambda text: text is not None))
