"""What goes on while workers are rolled: refunds are opened, approved, withdrawn, and left to silence."""

import asyncio
import json
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper

from activities.gateways.order_records import LineRecord, OrderRecord, TenderRecord
from activities.gateways.payment_stub import Behaviour, Mode, PaymentGatewayStub
from activities.postgres.loading import load_orders
from starter.client import Aftersales, Case
from starter.cluster.processes import until
from starter.errors import AftersalesError, Unreachable
from workflows.messages.actors import Role, buyer, merchant
from workflows.messages.cases import Outcome
from workflows.messages.commands import Approve, Withdraw
from workflows.messages.payouts import TenderKind
from workflows.messages.requests import LineAmount, RefundReason, RefundRequest
from workflows.messages.stages import OutcomeKind, StageName

AMOUNT: Final = 5900
"""Minor units of each refund."""
_SILENCE: Final = timedelta(hours=49)
"""More than a merchant has to decide (R1)."""
_GATEWAY_SECONDS: Final = 1.0
"""How long the gateway takes: money must be on its way when a worker ends."""
_AGAIN_SECONDS: Final = 0.5
_GOLDEN: Final = 0.618034
"""Multiples of it, without their whole part, spread evenly however many there are."""

_Got = TypeVar("_Got")


class Plan(StrEnum):
    """What happens to a case once it is open."""

    APPROVED = "approved"
    SIGNALLED = "approved by a signal"
    APPROVED_TWICE = "approved twice at once"
    WITHDRAWN = "withdrawn"
    SILENT = "left to silence"

    @property
    def ends(self) -> tuple[OutcomeKind, Role]:
        """How such a case must end, and who must have decided."""
        match self:
            case Plan.WITHDRAWN:
                return OutcomeKind.WITHDRAWN, Role.BUYER
            case Plan.SILENT:
                return OutcomeKind.REFUNDED, Role.CLOCK
            case _:
                return OutcomeKind.REFUNDED, Role.MERCHANT


_MIX: Final = (
    Plan.APPROVED,
    Plan.SILENT,
    Plan.SIGNALLED,
    Plan.APPROVED,
    Plan.WITHDRAWN,
    Plan.SILENT,
    Plan.APPROVED_TWICE,
)


@dataclass
class Life:
    """One case from its order to its end."""

    order_no: str
    plan: Plan
    thinks: float
    """Seconds between the opening and what the plan says."""
    case: Case | None = None
    outcome: Outcome | None = None
    problem: str = ""
    """Why it went no further."""


class Load:
    """Cases that are opened one after the other, so many at a time, until it is told to stop."""

    def __init__(self, aftersales: Aftersales, skipper: TimeSkipper, run: str, *, cases: int, thinks: float) -> None:
        """At most ``cases`` are opened, each of which is acted on within ``thinks`` seconds. ``run`` names them."""
        self._aftersales = aftersales
        self._skipper = skipper
        self._merchant = f"m-{run}"
        self._buyer = f"b-{run}"
        self._to_come = deque(
            Life(f"{run}-{number}", _MIX[number % len(_MIX)], thinks * (number * _GOLDEN % 1))
            for number in range(cases)
        )
        self.lives: list[Life] = []

    @property
    def opened(self) -> int:
        """How many cases have been opened."""
        return sum(each.case is not None for each in self.lives)

    @property
    def outcomes(self) -> Counter[str]:
        """How many have ended, by outcome and who decided."""
        return Counter(
            f"{each.outcome.outcome} by {each.outcome.decided_by}" for each in self.lives if each.outcome is not None
        )

    async def prepare(self) -> None:
        """Load the orders, and have the gateway take its time.

        Raises:
            OSError: the database cannot be reached.
        """
        now = datetime.now(UTC)
        records = [
            OrderRecord(
                order_no=life.order_no,
                marketplace="douyin",
                merchant_id=self._merchant,
                buyer_id=self._buyer,
                currency="CNY",
                lines=(LineRecord(line="1", sku="sku-1", quantity=1, paid=AMOUNT),),
                tenders=(TenderRecord(tender="t1", kind=TenderKind.WALLET, paid=AMOUNT),),
                paid_at=now - timedelta(days=1),
            )
            for life in self._to_come
        ]
        async with self._aftersales.pool.acquire() as connection:
            report = await load_orders(
                connection, [json.dumps(each.model_dump(mode="json")) for each in records], self._aftersales.vault
            )
        assert not report.problems
        await PaymentGatewayStub(self._aftersales.pool).set_behaviour(
            Behaviour(mode=Mode.ANSWER_SLOWLY, merchant_id=self._merchant, answer_after_seconds=_GATEWAY_SECONDS)
        )

    async def run(self, at_a_time: int) -> None:
        """Returns when it was told to stop, or all cases are opened, and each has ended."""
        await asyncio.gather(*(self._one_after_the_other() for _ in range(at_a_time)))

    def stop(self) -> None:
        """Open no more."""
        self._to_come.clear()

    async def paying(self) -> frozenset[int]:
        """The process ids of workers that are paying just now.

        Raises:
            RPCError: Temporal does not answer.
        """
        open_cases = [each.case for each in self.lives if each.case and not each.outcome and not each.problem]
        found = await asyncio.gather(*(case.handle.describe() for case in open_cases))
        # The SDK calls a worker by its process id and host.
        return frozenset(
            int(activity.last_worker_identity.split("@")[0])
            for each in found
            for activity in each.raw_description.pending_activities
            if activity.activity_type.name == "settle"
            and activity.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
        )

    async def _one_after_the_other(self) -> None:
        while self._to_come:
            life = self._to_come.popleft()
            self.lives.append(life)
            try:
                await self._live(life)
            except (AftersalesError, RPCError) as error:
                life.problem = f"{type(error).__name__}: {error}"

    async def _live(self, life: Life) -> None:
        request = RefundRequest(
            request_key="cluster",
            order_no=life.order_no,
            merchant_id=self._merchant,
            buyer_id=self._buyer,
            lines=(LineAmount(line="1", quantity=1, amount=AMOUNT),),
            reason=RefundReason.NO_LONGER_WANTED,
        )
        case = life.case = await _patiently(lambda: self._aftersales.open_refund(request))
        await asyncio.sleep(life.thinks)
        approve = Approve(key="approve", by=merchant(self._merchant))
        match life.plan:
            case Plan.APPROVED:
                await _patiently(lambda: case.act(approve))
            case Plan.APPROVED_TWICE:
                await asyncio.gather(*(_patiently(lambda: case.act(approve)) for _ in range(2)))
            case Plan.SIGNALLED:
                # A signal that comes before the case stands in a stage would be refused in its log.
                await self._reviewed(case)
                await _patiently(lambda: case.tell(approve))
            case Plan.WITHDRAWN:
                await _patiently(lambda: case.act(Withdraw(key="withdraw", by=buyer(self._buyer))))
            case Plan.SILENT:
                await self._reviewed(case)
                await self._pass_over_in_silence(case)
        life.outcome = await _patiently(case.outcome)

    async def _reviewed(self, case: Case) -> None:
        stage = "SELECT stage FROM casebook.cases WHERE case_id = $1"

        async def there() -> bool:
            return await self._aftersales.pool.fetchval(stage, case.id) == StageName.MERCHANT_REVIEW

        await until(there)

    async def _pass_over_in_silence(self, case: Case) -> None:
        try:
            await self._skipper.fast_forward(case.handle, _SILENCE)
        except RPCError as error:
            # It has ended on the way, and has no clock any more.
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise


async def _patiently(ask: Callable[[], Awaitable[_Got]]) -> _Got:
    """As services do: what nobody answered is sent again, under the same key."""
    while True:
        try:
            return await ask()
        except Unreachable:
            await asyncio.sleep(_AGAIN_SECONDS)


def problems(lives: Sequence[Life]) -> tuple[str, ...]:
    """Each case that did not end as it was planned."""
    found: list[str] = []
    for life in lives:
        name = f"the case on {life.order_no}, {life.plan}"
        if life.problem:
            found.append(f"{name}: {life.problem}")
        elif life.outcome is None:
            found.append(f"{name}: has not ended")
        else:
            kind, who = life.plan.ends
            paid = life.outcome.refunded.amount if life.outcome.refunded else 0
            ended = (life.outcome.outcome, life.outcome.decided_by, paid)
            if ended != (kind, who, AMOUNT if kind is OutcomeKind.REFUNDED else 0):
                found.append(f"{name}: expected {kind} by {who}, found {ended[0]} by {ended[1]}, {paid} paid back")
    return tuple(found)
