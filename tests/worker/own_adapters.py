"""Adapters as an adopter writes them, in a module of its own: nothing of them is known to the service but a setting."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

from activities.gateways.payment import GatewayAnswer, NotFound, RefundInstruction, StatementLine
from activities.notices.channels import ChannelName, OutgoingNotice
from workflows.messages.commands import GatewayResult
from workflows.messages.parcels import CarrierEvent, Parcel

REFERENCE = "own-gateway-1"


class OwnGateway:
    """Pays whatever it is told."""

    async def submit(self, instruction: RefundInstruction) -> GatewayAnswer:
        return GatewayAnswer(
            refund_no=instruction.refund_no,
            result=GatewayResult.SUCCEEDED,
            gateway_ref=REFERENCE,
            settled_at=instruction.requested_at,
        )

    async def inquire(self, refund_no: str, asked_at: datetime) -> GatewayAnswer | NotFound:
        del asked_at
        return NotFound(refund_no=refund_no)

    async def statement(self, after: str, limit: int, as_of: datetime) -> tuple[StatementLine, ...]:
        del after, limit, as_of
        return ()


class OwnCarriers:
    async def track(self, parcel: Parcel, asked_at: datetime) -> tuple[CarrierEvent, ...]:
        del parcel, asked_at
        return ()


class OwnChannel:
    async def send(self, message: OutgoingNotice) -> None:
        del message


@asynccontextmanager
async def payments() -> AsyncGenerator[OwnGateway]:
    """One that has connections to close."""
    yield OwnGateway()


async def carriers() -> OwnCarriers:
    return OwnCarriers()


def notices() -> Mapping[ChannelName, OwnChannel]:
    return dict.fromkeys(ChannelName, OwnChannel())


not_a_factory = 7
