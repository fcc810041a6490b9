"""How one leg of a payout is brought forward: what is asked, what is sent, what is written down of it (section 10).

What keeps a payout from being paid twice:

- Each leg has one refund number for life, and the gateway takes a number once. Two attempts at the same
  time, or one after a crash, therefore pay once, whatever they do.
- ``submitted`` is committed before the gateway is called. Whoever finds a leg submitted that it has not marked
  itself asks first, and sends again, under the same number, only what the gateway does not know.
- No answer is written down as ``unknown``. It is never taken for a failure, so its room stays taken (R8).
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from activities.gateway_answers import NumberTaken, TurnedAway, Unknown, answered
from activities.gateways.limits import Objection
from activities.gateways.payment import GatewayAnswer, NotFound
from workflows.messages.cases import Step
from workflows.messages.payouts import Ask, LegState, LegStatus
from workflows.messages.policy import PaymentPolicy
from workflows.messages.settlements import Settled
from workflows.rules.legs import Change, LegEvent
from workflows.rules.number_conflicts import number_in_use
from workflows.rules.paying import Move, is_ended, lost, next_move, not_taken, sending, unanswered

Heard: TypeAlias = GatewayAnswer | TurnedAway | NumberTaken | Unknown
"""What is known after the gateway was told to pay."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """Under what is entered what becomes of a payout."""

    case_id: str
    number: int = 1
    """Which of the case's payouts."""
    at: datetime
    """The moment, in UTC."""
    arrival: PaymentPolicy | None = None
    """How long money takes to arrive (R5); None after the case has ended."""
    closing: Step | None = None
    """What to record when the last leg succeeds; None where the case has ended, or decides it later."""
    account: str | None = None
    """Where an officer has stranded money sent on to."""
    waits: list[timedelta] = field(default_factory=list[timedelta])
    """What the gateway has said of when to ask again."""


class Desk(Protocol):
    """The gateway and the ledger, as whoever brings legs forward uses them."""

    async def rest(self, leg: LegStatus) -> timedelta | None:
        """For how long the gateway is not to be called about this leg; None where it can be called."""
        ...

    async def objection(self, leg: LegStatus, at: datetime) -> Objection | None:
        """What the provider is known not to take is not sent to it, and gives its room back (X6)."""
        ...

    async def inquire(self, leg: LegStatus, at: datetime) -> GatewayAnswer | NotFound | NumberTaken | Unknown:
        """Ask how it stands."""
        ...

    async def submit(self, leg: LegStatus, at: datetime) -> Heard:
        """Tell the gateway to pay it."""
        ...

    async def redirect(self, attempt: Attempt, leg: LegStatus, account: str) -> Heard:
        """Tell the gateway where to send the money that it holds (R17)."""
        ...

    async def record(self, attempt: Attempt, leg: LegStatus, event: LegEvent) -> tuple[Change, Settled | None]:
        """Enter an event; with the last success the closing step, and what it came to."""
        ...

    async def report_conflict(self, attempt: Attempt, leg: LegStatus, event: LegEvent) -> None:
        """Enter that the number is another refund's, and raise the alert about it."""
        ...


async def bring_forward(desk: Desk, attempt: Attempt, leg: LegStatus, ask: Ask) -> Settled | None:
    """Do with a leg what ``ask`` means for it; what the payout came to, where its case was closed with it.

    A leg whose provider rests stays as it is: nothing was sent, and no number is used up.
    """
    if not is_ended(leg) and (rest := await desk.rest(leg)):
        attempt.waits.append(rest)
        return None
    match next_move(leg, ask):
        case Move.ASK_BEFORE_SENDING:
            return await _ask_before_sending(desk, attempt, leg)
        case Move.SEND:
            return await _submit(desk, attempt, leg)
        case Move.FIND_OUT:
            return await _find_out(desk, attempt, leg)
        case Move.SEND_ON:
            return await _redirect(desk, attempt, leg)
        case Move.LEAVE:
            return None


async def _ask_before_sending(desk: Desk, attempt: Attempt, leg: LegStatus) -> Settled | None:
    match await desk.inquire(leg, attempt.at):
        case NotFound():
            return await _submit(desk, attempt, leg)
        case heard:
            await desk.record(attempt, leg, sending(attempt.at))
            return await _take(desk, attempt, leg, heard)


async def _submit(desk: Desk, attempt: Attempt, leg: LegStatus) -> Settled | None:
    if leg.state is LegState.RESERVED and (against := await desk.objection(leg, attempt.at)):
        await desk.record(attempt, leg, not_taken(against.code, attempt.at))
        return None
    match await desk.record(attempt, leg, sending(attempt.at)):
        case Change(moved=True), _:
            return await _send(desk, attempt, leg)
        case Change(standing=standing), _ if standing.state is LegState.SUBMITTED:
            # Another attempt was quicker, and may be sending at this moment.
            return await _find_out(desk, attempt, leg)
        case _:
            return None


async def _find_out(desk: Desk, attempt: Attempt, leg: LegStatus) -> Settled | None:
    match await desk.inquire(leg, attempt.at):
        case NotFound() if leg.state is LegState.PROCESSING:  # nothing is guessed
            await desk.record(attempt, leg, lost(attempt.at))
            return None
        case NotFound():
            change, _ = await desk.record(attempt, leg, sending(attempt.at))
            return await _send(desk, attempt, leg) if change.standing.state is LegState.SUBMITTED else None
        case heard:
            return await _take(desk, attempt, leg, heard)


async def _send(desk: Desk, attempt: Attempt, leg: LegStatus) -> Settled | None:
    return await _take(desk, attempt, leg, await desk.submit(leg, attempt.at))


async def _redirect(desk: Desk, attempt: Attempt, leg: LegStatus) -> Settled | None:
    """Send money on that the gateway holds; where nobody has said where to, only ask how it stands."""
    if attempt.account is None:
        return await _find_out(desk, attempt, leg)
    match await desk.redirect(attempt, leg, attempt.account):
        case GatewayAnswer() as answer:
            return await _take(desk, attempt, leg, answer)
        case _:  # the money lies where it lay: nothing is put down, and it is asked about
            return await _find_out(desk, attempt, leg)


async def _take(desk: Desk, attempt: Attempt, leg: LegStatus, heard: Heard) -> Settled | None:
    """Write down what was heard, and keep in mind when to ask again."""
    if heard.retry_after:
        attempt.waits.append(heard.retry_after)
    match heard:
        case GatewayAnswer():
            event = answered(attempt, leg, heard)
        case NumberTaken(other=other):
            await desk.report_conflict(attempt, leg, number_in_use(attempt.at, other))
            return None
        case TurnedAway():  # it stays marked as sent, and whoever comes next asks first
            return None
        case Unknown():
            event = unanswered(attempt.at)
    _, closed = await desk.record(attempt, leg, event)
    return closed
