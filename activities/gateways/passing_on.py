"""A gateway that hands everything on to another one: what wraps a gateway overrides what it changes."""

from collections.abc import AsyncIterator
from datetime import date

from activities.gateways.callbacks import CallbackRequest, ReadCallback
from activities.gateways.payment import GatewayAnswer, NotFound, PaymentGateway, RefundInstruction, StatementLine


class PassingOn(PaymentGateway):
    """All of a `PaymentGateway`, as another one does it."""

    def __init__(self, gateway: PaymentGateway) -> None:
        self._gateway = gateway
        self.limits = gateway.limits
        self.refusal = gateway.refusal

    async def submit(self, instruction: RefundInstruction) -> GatewayAnswer:
        """As the other gateway does."""
        return await self._gateway.submit(instruction)

    async def inquire(self, instruction: RefundInstruction) -> GatewayAnswer | NotFound:
        """As the other gateway does."""
        return await self._gateway.inquire(instruction)

    async def redirect(self, instruction: RefundInstruction) -> GatewayAnswer:
        """As the other gateway does."""
        return await self._gateway.redirect(instruction)

    def statement(self, day: date) -> AsyncIterator[StatementLine]:
        """As the other gateway does."""
        return self._gateway.statement(day)

    async def read_callback(self, request: CallbackRequest) -> ReadCallback:
        """As the other gateway does."""
        return await self._gateway.read_callback(request)

    async def ping(self) -> str:
        """As the other gateway does."""
        return await self._gateway.ping()
