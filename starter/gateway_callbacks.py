"""From the payment gateway's stub to the case: what a gateway does over HTTPS, done by a loop (section 10)."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from activities.gateways.payment import GatewayUnreachable
from activities.gateways.payment_stub import PaymentGatewayStub
from starter.client import Aftersales
from starter.errors import UnknownCase, Unreachable
from workflows.messages.commands import GatewayCallback

_log = logging.getLogger(__name__)


@dataclass
class Delivered:
    """What came of delivering callbacks."""

    taken: list[GatewayCallback] = field(default_factory=list[GatewayCallback])
    unknown: list[GatewayCallback] = field(default_factory=list[GatewayCallback])
    """Nothing was ever paid under their numbers; they are not delivered again."""


class CallbackPump:
    """Hands the stub's callbacks on when they are due."""

    def __init__(self, gateway: PaymentGatewayStub, aftersales: Aftersales) -> None:
        self._gateway = gateway
        self._aftersales = aftersales

    async def deliver(self, at: datetime, *, refund_nos: Sequence[str] | None = None) -> Delivered:
        """Hand on every callback that is due at this moment of business time, and mark it delivered.

        ``refund_nos`` leaves out all others. A callback that was handed on and not marked is handed on again:
        the case knows it by its key.

        Raises:
            Unreachable: Temporal or the database does not answer; what is left stays due.
            GatewayUnreachable: the stub does not answer.
        """
        delivered = Delivered()
        while due := await self._gateway.due_callbacks(at, refund_nos=refund_nos):
            for each in due:
                try:
                    await self._aftersales.gateway_callback(each.callback)
                except UnknownCase:
                    delivered.unknown.append(each.callback)
                else:
                    delivered.taken.append(each.callback)
                await self._gateway.mark_delivered(each.id, at)
        return delivered

    async def run(self, *, every: float = 1.0) -> None:
        """Deliver by the wall clock, every so many seconds, until cancelled; outages are waited out."""
        while True:
            try:
                await self.deliver(datetime.now(UTC))
            except (Unreachable, GatewayUnreachable, OSError) as error:
                _log.warning("callbacks wait: %s", type(error).__name__)
            await asyncio.sleep(every)
