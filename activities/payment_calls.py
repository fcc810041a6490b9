"""Calling the payment gateway, and what is known afterwards: an answer, surely not sent, or nothing (section 10).

Only `NotSent` means that nothing was sent. A timeout, a broken connection, an answer that makes no sense, a signature
that is not the provider's, an exception from the depths of a client library: nothing is known, and it is asked.
"""

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from activities.gateways.payment import (
    GIVE_UP_AFTER,
    GatewayAnswer,
    GatewayUnreachable,
    NotFound,
    NotSent,
    NumberConflict,
    PaymentGateway,
    RefundInstruction,
)
from activities.gateways.stub_clock import business_time
from activities.measures import Measures

LONGEST_WAIT: Final = timedelta(hours=24)
"""A provider that names a later moment is asked again after this all the same."""

_Answer = TypeVar("_Answer", bound=GatewayAnswer | NotFound)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TurnedAway:
    """Surely not sent: the provider knows nothing of this call."""

    code: str
    retry_after: timedelta | None = None
    number_is_used: bool = False
    """By another refund: a person must look."""


@dataclass(frozen=True)
class Unknown:
    """Nothing is known. The refund may have been paid, be paid yet, or never have arrived."""

    retry_after: timedelta | None = None


class PaymentCalls:
    """The gateway, each call bounded in time and measured."""

    def __init__(self, gateway: PaymentGateway, measures: Measures, seconds: float = GIVE_UP_AFTER.total_seconds()):
        self._gateway = gateway
        self._measures = measures
        self._seconds = seconds

    async def submit(self, instruction: RefundInstruction, at: datetime) -> GatewayAnswer | TurnedAway | Unknown:
        """Pay; ``at`` is the business time that a stand-in lives in."""
        return await self._heard("submit", instruction, self._gateway.submit(instruction), at)

    async def redirect(self, instruction: RefundInstruction, at: datetime) -> GatewayAnswer | TurnedAway | Unknown:
        """Send stranded money on."""
        return await self._heard("redirect", instruction, self._gateway.redirect(instruction), at)

    async def inquire(self, instruction: RefundInstruction, at: datetime) -> GatewayAnswer | NotFound | Unknown:
        """Ask. That an inquiry was not sent says nothing of the refund."""
        match await self._heard("inquire", instruction, self._gateway.inquire(instruction), at):
            case TurnedAway(retry_after=retry_after):
                return Unknown(retry_after)
            case heard:
                return heard

    async def _heard(
        self, operation: str, instruction: RefundInstruction, asked: Awaitable[_Answer], at: datetime
    ) -> _Answer | TurnedAway | Unknown:
        try:
            with self._measures.call("payment", operation) as call, business_time(at):
                async with asyncio.timeout(self._seconds):
                    answer = await asked
                call.result = answer.result if isinstance(answer, GatewayAnswer) else "not_found"
        except NotSent as error:
            return TurnedAway(error.code, _bounded(error.retry_after), isinstance(error, NumberConflict))
        except TimeoutError:
            return Unknown()
        except GatewayUnreachable as error:
            return Unknown(_bounded(error.retry_after))
        except Exception as error:  # whatever it is, the request may have been sent (R18)
            # Its text may quote what was sent.
            _log.warning("the payment gateway failed in %s, so nothing is known: %s", operation, type(error).__name__)
            return Unknown()
        if answer.refund_no != instruction.refund_no:
            _log.warning("the payment gateway has answered %s about another refund, so nothing is known", operation)
            return Unknown()
        if isinstance(answer, GatewayAnswer) and answer.attempt is None:
            return answer.model_copy(update={"attempt": instruction.attempt})
        return answer


def _bounded(wait: timedelta | None) -> timedelta | None:
    return None if wait is None else min(max(wait, timedelta(0)), LONGEST_WAIT)
