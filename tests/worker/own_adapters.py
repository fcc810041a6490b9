"""Adapters as an adopter writes them, in a module of its own: nothing of them is known to the service but a setting."""

import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date, datetime

from activities.gateways.payment import (
    GatewayAnswer,
    NotFound,
    NotPublished,
    PaymentGateway,
    RefundInstruction,
    StatementLine,
)
from activities.notices.channels import ChannelName, OutgoingNotice
from workflows.messages.commands import GatewayResult
from workflows.messages.parcels import CarrierEvent, Parcel

REFERENCE = "own-gateway-1"
SECRET = "OWN_GATEWAY_SECRET"
SECRET_OF_NOTICES = "OWN_CHANNELS_SECRET"


class OwnGateway(PaymentGateway):
    """Pays whatever it is told."""

    async def submit(self, instruction: RefundInstruction) -> GatewayAnswer:
        return GatewayAnswer(
            refund_no=instruction.refund_no,
            result=GatewayResult.SUCCEEDED,
            gateway_ref=REFERENCE,
        )

    async def inquire(self, instruction: RefundInstruction) -> GatewayAnswer | NotFound:
        return NotFound(refund_no=instruction.refund_no)

    async def statement(self, day: date) -> AsyncIterator[StatementLine]:
        raise NotPublished(str(day))
        yield

    async def ping(self) -> str:
        return "an adapter of the tests"


class OwnCarriers:
    async def track(self, parcel: Parcel, asked_at: datetime) -> tuple[CarrierEvent, ...]:
        del parcel, asked_at
        return ()


class OwnChannel:
    async def send(self, message: OutgoingNotice) -> None:
        del message


@asynccontextmanager
async def payments() -> AsyncGenerator[OwnGateway]:
    """One that has connections to close, and a secret."""
    assert os.environ[SECRET]
    yield OwnGateway()


async def carriers() -> OwnCarriers:
    return OwnCarriers()


def notices() -> Mapping[ChannelName, OwnChannel]:
    assert os.environ[SECRET_OF_NOTICES]
    return dict.fromkeys(ChannelName, OwnChannel())


not_a_factory = 7
