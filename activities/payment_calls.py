"""Calling the payment gateway, and what is known afterwards: an answer, surely not sent, or nothing (section 10).

Only `NotSent` means that nothing was sent. A timeout, a broken connection, an answer that makes no sense, a signature
that is not the provider's, an exception from the depths of a client library: nothing is known, and it is asked.

An account at the provider that does not answer is left alone for a while, and none is called faster than it takes.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, TypeVar

from activities.gateway_answers import NumberTaken, TurnedAway, Unknown, bounded
from activities.gateways.circuit import Admitted, Circuit
from activities.gateways.pace import Pace
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

SHORT_WAIT: Final = 1.0
"""Seconds that a call waits for its turn; one that would wait for longer is not made."""
RESTING: Final = "resting"

_Answer = TypeVar("_Answer", bound=GatewayAnswer | NotFound)
_log = logging.getLogger(__name__)


class PaymentCalls:
    """The gateway, each call bounded in time and measured, and each account at the provider spared where it is down.

    Args:
        gateway: Who is called.
        measures: Counts calls.
        seconds: That one call may take.
        per_second: Calls a second of one account by this process; None for as many as come.
        clock: Monotonic, in seconds.
    """

    def __init__(
        self,
        gateway: PaymentGateway,
        measures: Measures,
        seconds: float = GIVE_UP_AFTER.total_seconds(),
        *,
        per_second: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gateway = gateway
        self._measures = measures
        self._seconds = seconds
        self._per_second = per_second
        self._clock = clock
        self._circuits: dict[str, Circuit] = {}
        self._paces: dict[str, Pace] = {}

    @property
    def unhindered(self) -> bool:
        """Whether every call can be made at once, whichever account it is of."""
        return not self._per_second and all(circuit.closed for circuit in self._circuits.values())

    def rest(self, instruction: RefundInstruction) -> timedelta | None:
        """For how long the provider is not to be called for this account; None where a call can be made now."""
        account, now = _account(instruction), self._clock()
        circuit, pace = self._circuits.get(account), self._paces.get(account)
        wait = max(circuit.rest(now) if circuit else 0.0, pace.wait(now) if pace else 0.0)
        resting = circuit is not None and not circuit.closed
        return timedelta(seconds=wait) if wait > (0.0 if resting else SHORT_WAIT) else None

    async def submit(
        self, instruction: RefundInstruction, at: datetime
    ) -> GatewayAnswer | TurnedAway | NumberTaken | Unknown:
        """Pay; ``at`` is the business time that a stand-in lives in."""
        return await self._heard("submit", instruction, self._gateway.submit, at)

    async def redirect(
        self, instruction: RefundInstruction, at: datetime
    ) -> GatewayAnswer | TurnedAway | NumberTaken | Unknown:
        """Send stranded money on."""
        return await self._heard("redirect", instruction, self._gateway.redirect, at)

    async def inquire(
        self, instruction: RefundInstruction, at: datetime, *, pressing: bool = False
    ) -> GatewayAnswer | NotFound | NumberTaken | Unknown:
        """Ask. That an inquiry was not sent says nothing of the refund; a ``pressing`` one is sent whatever rests."""
        match await self._heard("inquire", instruction, self._gateway.inquire, at, pressing=pressing):
            case TurnedAway(retry_after=retry_after):
                return Unknown(retry_after)
            case heard:
                return heard

    async def _heard(
        self,
        operation: str,
        instruction: RefundInstruction,
        ask: Callable[[RefundInstruction], Awaitable[_Answer]],
        at: datetime,
        *,
        pressing: bool = False,
    ) -> _Answer | TurnedAway | NumberTaken | Unknown:
        circuit = self._circuits.setdefault(_account(instruction), Circuit())
        rest = self.rest(instruction)
        admitted = Admitted() if pressing else None if rest else circuit.admit(self._clock())
        if admitted is None:
            return TurnedAway(RESTING, rest)
        try:
            await self._turn(instruction)
            heard, answers = await self._asked(operation, instruction, ask, at)
        except BaseException:
            circuit.not_made(admitted)
            raise
        self._learn(circuit, admitted, instruction, heard, answers=answers)
        return heard

    async def _turn(self, instruction: RefundInstruction) -> None:
        if self._per_second:
            pace = self._paces.setdefault(_account(instruction), Pace(self._per_second))
            await asyncio.sleep(pace.take(self._clock()))

    def _learn(
        self,
        circuit: Circuit,
        admitted: Admitted,
        instruction: RefundInstruction,
        heard: object,
        *,
        answers: bool | None,
    ) -> None:
        """Keep in mind whether the account answers, and tell an operator when that changes."""
        match answers:
            case None:
                circuit.not_made(admitted)
            case True:
                if circuit.answered(admitted):
                    self._measures.circuit("payment", "closed")
                    _log.warning("the payment provider answers again")
            case False:
                wait = getattr(heard, "retry_after", None) or timedelta(0)
                if circuit.failed(admitted, instruction.refund_no, self._clock(), wait.total_seconds()):
                    self._measures.circuit("payment", "opened")
                    rest = circuit.rest(self._clock())
                    _log.warning("the payment provider does not answer: it is not called for %.0f seconds", rest)

    async def _asked(
        self,
        operation: str,
        instruction: RefundInstruction,
        ask: Callable[[RefundInstruction], Awaitable[_Answer]],
        at: datetime,
    ) -> tuple[_Answer | TurnedAway | NumberTaken | Unknown, bool | None]:
        """What is known afterwards, and whether the provider has answered; None where it was not called."""
        try:
            with self._measures.call("payment", operation) as call, business_time(at):
                async with asyncio.timeout(self._seconds):
                    answer = await ask(instruction)
                call.result = answer.result if isinstance(answer, GatewayAnswer) else "not_found"
        except NumberConflict as error:
            return NumberTaken(error.found), True
        except NotSent as error:
            return TurnedAway(error.code, bounded(error.retry_after)), None if error.unasked else False
        except TimeoutError:
            return Unknown(), False
        except GatewayUnreachable as error:
            return Unknown(bounded(error.retry_after)), False
        except Exception as error:  # whatever it is, the request may have been sent (R18)
            # Its text may quote what was sent.
            _log.warning("the payment gateway failed in %s, so nothing is known: %s", operation, type(error).__name__)
            return Unknown(), False
        if not isinstance(answer, GatewayAnswer | NotFound):  # pyright: ignore[reportUnnecessaryIsInstance]
            _log.warning("the payment gateway has answered %s with none of our answers, so nothing is known", operation)
            return Unknown(), False
        if answer.refund_no != instruction.refund_no:
            _log.warning("the payment gateway has answered %s about another refund, so nothing is known", operation)
            return Unknown(), False
        if isinstance(answer, GatewayAnswer) and answer.attempt is None:
            return answer.model_copy(update={"attempt": instruction.attempt}), True
        return answer, True


def _account(instruction: RefundInstruction) -> str:
    """Whose account at the provider is called; empty for the platform's only one, and for bank transfers."""
    return (instruction.charge and instruction.charge.account) or ""
