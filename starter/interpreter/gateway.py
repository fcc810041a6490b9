"""A payment gateway in memory that behaves as it is told, as ``PaymentGatewayStub`` does."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from activities.gateways.payment import (
    GatewayAnswer,
    GatewayUnreachable,
    NotFound,
    NotSent,
    NumberConflict,
    RefundInstruction,
)
from activities.gateways.payment_stub_modes import COURSES, DECLINED, LATE, Behaviour, Mode
from workflows.messages.actors import GATEWAY
from workflows.messages.commands import GatewayCallback, GatewayResult
from workflows.messages.payouts import Payer
from workflows.rules.number_conflicts import OtherRefund

_FAILURES: Final = {
    GatewayResult.FAILED: DECLINED,
    GatewayResult.CANCELED: "canceled",
    GatewayResult.RETURNED: "returned",
}


@dataclass(frozen=True)
class DueCallback:
    """A callback that is to be delivered, and its number among the callbacks."""

    id: int
    callback: GatewayCallback


@dataclass(frozen=True)
class GatewayRefund:
    """One refund on the gateway's book."""

    instruction: RefundInstruction
    result: GatewayResult
    result_at: datetime
    attempts: int = 0
    failure: str | None = None
    later: GatewayResult | None = None
    later_at: datetime | None = None

    @property
    def reference(self) -> str:
        """The gateway's own number."""
        return f"GW-{self.instruction.refund_no}-{self.attempts}"

    def by(self, at: datetime) -> "GatewayRefund":
        """How it stands at ``at``."""
        if self.later is None or self.later_at is None or self.later_at > at:
            return self
        failure = _FAILURES.get(self.later)
        return replace(self, result=self.later, result_at=self.later_at, failure=failure, later=None, later_at=None)


@dataclass
class _Told:
    behaviour: Behaviour
    uses_left: int | None


@dataclass
class CallbackToCome:
    """A callback, and when it is to be delivered."""

    due_at: datetime
    callback: GatewayCallback
    delivered: bool = False


@dataclass
class MemoryGateway:
    """Pays at once, unless it was told otherwise."""

    refunds: dict[str, GatewayRefund] = field(default_factory=dict[str, GatewayRefund])
    _told: list[_Told] = field(default_factory=list[_Told])
    _callbacks: list[CallbackToCome] = field(default_factory=list[CallbackToCome])

    def behave(self, behaviour: Behaviour) -> None:
        """Treat the refunds that match like this from now on."""
        self._told.append(_Told(behaviour, behaviour.uses_left))

    def submit(self, instruction: RefundInstruction, at: datetime) -> GatewayAnswer:
        """Pay, as the behaviour that matches says. Errors as of ``PaymentGateway.submit``."""
        number = instruction.refund_no
        known = self.refunds.get(number)
        if known:
            _is_ours(known.by(at), instruction)
        row = known.by(at) if known else GatewayRefund(instruction, GatewayResult.PROCESSING, at)
        if not _is_tried_again(row, instruction):
            return _answer(row)
        behaviour = self._choose(instruction)
        if behaviour.mode not in {Mode.LOSE_REQUEST, Mode.TURN_AWAY}:
            row = self.refunds[number] = self._try(row, instruction, behaviour, at)
        match behaviour.mode:
            case Mode.LOSE_REQUEST | Mode.LOSE_ANSWER | Mode.GARBLE_ANSWER:
                raise GatewayUnreachable
            case Mode.TURN_AWAY:
                raise NotSent("TOO_MANY_REQUESTS", retry_after=timedelta(seconds=behaviour.settle_after_seconds))
            case _:
                return _answer(row)

    def inquire(self, instruction: RefundInstruction, at: datetime) -> GatewayAnswer | NotFound:
        """How the attempt stands at ``at``."""
        row = self.refunds.get(instruction.refund_no)
        if row is None:
            return NotFound(refund_no=instruction.refund_no)
        row = self.refunds[instruction.refund_no] = row.by(at)
        _is_ours(row, instruction)
        if row.instruction.attempt < instruction.attempt:
            return NotFound(refund_no=instruction.refund_no)
        return _answer(row)

    def redirect(self, instruction: RefundInstruction, at: datetime) -> GatewayAnswer:
        """Pay what is stranded to the account that is given; anything else stays as it is."""
        row = self.refunds.get(instruction.refund_no)
        if row is None:
            raise NotSent("NO_SUCH_REFUND")
        row = row.by(at)
        if row.result is GatewayResult.STRANDED:
            row = replace(row, result=GatewayResult.SUCCEEDED, result_at=at, failure=None)
        self.refunds[instruction.refund_no] = row
        return _answer(row)

    def due_callbacks(self, at: datetime) -> tuple[DueCallback, ...]:
        """The callbacks due by this moment that nobody has delivered yet, by due time."""
        due = sorted(
            (each.due_at, number)
            for number, each in enumerate(self._callbacks)
            if not each.delivered and each.due_at <= at
        )
        for _, number in due:
            refund_no = self._callbacks[number].callback.refund_no
            self.refunds[refund_no] = self.refunds[refund_no].by(at)
        return tuple(DueCallback(id=number, callback=self._callbacks[number].callback) for _, number in due)

    def next_callback_at(self) -> datetime | None:
        """When the first callback is due that nobody has delivered; None without one."""
        return min((each.due_at for each in self._callbacks if not each.delivered), default=None)

    def announce(self, callback: CallbackToCome) -> None:
        """Have a callback delivered when it is due."""
        self._callbacks.append(callback)

    def mark_delivered(self, callback: int) -> None:
        """Do not deliver this callback again."""
        self._callbacks[callback].delivered = True

    def _choose(self, instruction: RefundInstruction) -> Behaviour:
        fits = [each for each in self._told if _matches(each, instruction)]
        if not fits:
            return Behaviour(mode=Mode.SUCCEED)
        best = max(enumerate(fits), key=lambda each: (*_rank(each[1].behaviour), each[0]))[1]
        if best.uses_left is not None:
            best.uses_left -= 1
        return best.behaviour

    def _try(
        self, row: GatewayRefund, instruction: RefundInstruction, behaviour: Behaviour, at: datetime
    ) -> GatewayRefund:
        course = COURSES[behaviour.mode]
        settles_at = at + timedelta(seconds=behaviour.settle_after_seconds)
        row = GatewayRefund(
            instruction,
            course.now,
            at,
            row.attempts + 1,
            course.failure,
            course.later,
            settles_at if course.later else None,
        )
        late = timedelta(seconds=behaviour.callback_after_seconds if course.callbacks == LATE else 0)
        for _ in range(abs(course.callbacks)):
            if course.later is None:
                raise ValueError("a callback tells of what becomes of a refund")
            callback = GatewayCallback(
                key=f"CB-{instruction.refund_no}-{row.attempts}",
                by=GATEWAY,
                refund_no=instruction.refund_no,
                result=course.later,
                gateway_ref=row.reference,
                failure=_FAILURES.get(course.later),
                settled_at=settles_at,
                attempt=instruction.attempt,
            )
            self._callbacks.append(CallbackToCome(settles_at + late, callback))
        return row


def _is_tried_again(row: GatewayRefund, instruction: RefundInstruction) -> bool:
    """Whether this sending moves money: the first one, one after a failure, or one under a new number."""
    match row.result:
        case _ if row.attempts == 0:
            return True
        case GatewayResult.FAILED | GatewayResult.ABNORMAL:
            return True
        case GatewayResult.CLOSED | GatewayResult.CANCELED | GatewayResult.RETURNED:
            return instruction.attempt > row.instruction.attempt
        case _:
            return False


def _is_ours(row: GatewayRefund, instruction: RefundInstruction) -> None:
    """See ``payment_stub_book.is_ours``."""
    other = row.instruction
    if _what(other) != _what(instruction):
        raise NumberConflict(
            found=OtherRefund(
                amount=other.amount,
                currency=other.currency,
                result=row.result,
                same_payment=(other.fund, other.tender) == (instruction.fund, instruction.tender),
                gateway_ref=row.reference,
            )
        )


def _what(instruction: RefundInstruction) -> tuple[object, ...]:
    return (
        instruction.merchant_id,
        instruction.fund,
        instruction.tender,
        instruction.account,
        instruction.amount,
        instruction.currency,
        instruction.payer,
    )


def _matches(told: _Told, instruction: RefundInstruction) -> bool:
    behaviour = told.behaviour
    return (
        told.uses_left != 0
        and behaviour.merchant_id in (None, instruction.merchant_id)
        and behaviour.order_no in (None, instruction.fund.split("/")[1])
        and behaviour.amount in (None, instruction.amount)
        and (behaviour.mode is not Mode.ACCOUNT_SHORT or instruction.payer is Payer.MERCHANT)
    )


def _rank(behaviour: Behaviour) -> tuple[int, bool, bool]:
    named = (behaviour.merchant_id, behaviour.order_no, behaviour.amount)
    return (
        sum(each is not None for each in named),
        behaviour.order_no is not None,
        behaviour.amount is not None,
    )


def _answer(row: GatewayRefund) -> GatewayAnswer:
    return GatewayAnswer.made_of(
        refund_no=row.instruction.refund_no,
        attempt=row.instruction.attempt,
        result=row.result,
        gateway_ref=row.reference,
        failure=row.failure,
        raw=f"STUB_{row.failure.upper()}" if row.failure else None,
        settled_at=row.result_at if row.result in {GatewayResult.SUCCEEDED, GatewayResult.RETURNED} else None,
    )
