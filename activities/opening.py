"""Opening a case: the request is checked against the world and written down as step 0."""

from collections.abc import Callable

import asyncpg
from temporalio import activity

from activities.deadlines import due
from activities.gateways.orders import OrderDirectory
from activities.notices import outbox
from activities.policies import Policies
from activities.postgres import allowances, casebook, ledger
from activities.postgres.connection import Connection
from workflows.messages.activities import open_case
from workflows.messages.actors import merchant
from workflows.messages.cases import LogEntry, Notice, NoticeTemplate, OpenCase, Opened, Refusal
from workflows.messages.money import Money
from workflows.messages.orders import OrderFacts
from workflows.messages.policy import Policy
from workflows.messages.requests import (
    ExpiryRequest,
    MerchantRefundRequest,
    RefundRequest,
    WithdrawalRequest,
    opener,
)
from workflows.messages.stages import CaseKind
from workflows.rules.allocation import allowance_parts, order_parts
from workflows.rules.allowance import split
from workflows.rules.identity import allowance_fund, order_fund, subject
from workflows.rules.refund import first_stage, refused_application
from workflows.rules.stages import OPENING, PAYING, RETENTION, STAGES, Stage


class Opening:
    """Opens every kind of case."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        orders: OrderDirectory,
        policies: Policies,
        wake_notices: Callable[[], None],
    ) -> None:
        self._pool = pool
        self._orders = orders
        self._policies = policies
        self._wake_notices = wake_notices

    @activity.defn(name=open_case.__name__)
    async def open_case(self, opening: OpenCase) -> Opened:
        """Check a request, take the policy's snapshot, write step 0; the same opening again changes nothing.

        A request that does not fit is a result with a refusal; only what may pass by itself is an error.
        """
        order = await self._order(opening)
        async with self._pool.acquire() as connection, connection.transaction():
            if before := await casebook.opened_before(connection, opening):
                run_id, opened = before
                return opened if run_id == opening.case.run_id else _refused(*_DUPLICATE)
            opened = await self._look(connection, opening, order)
            if opened.refusal is None:
                opened = await self._take_hold(connection, opening, opened)
            if opened.refusal is None and opened.stage:
                await self._write(connection, opening, opened)
        self._wake_notices()
        return opened

    async def foresee(self, opening: OpenCase) -> Opened:
        """What opening would find now, without writing anything: for whoever wants to know before starting."""
        order = await self._order(opening)
        async with self._pool.acquire() as connection:
            return await self._look(connection, opening, order)

    async def _order(self, opening: OpenCase) -> OrderFacts | None:
        match opening.request:
            case RefundRequest() | MerchantRefundRequest() as request:
                return await self._orders.find(request.order_no)
            case _:
                return None

    async def _look(self, connection: Connection, opening: OpenCase, order: OrderFacts | None) -> Opened:
        match opening.request:
            case RefundRequest() | MerchantRefundRequest() as request:
                return await self._look_at_order(connection, opening, request, order)
            case WithdrawalRequest() | ExpiryRequest() as request:
                return await self._look_at_allowance(connection, opening, request)

    async def _look_at_order(
        self,
        connection: Connection,
        opening: OpenCase,
        request: RefundRequest | MerchantRefundRequest,
        order: OrderFacts | None,
    ) -> Opened:
        if order is None:
            return _refused("unknown_order", "order_no", "R4", f"there is no order {request.order_no}")
        if stranger := _not_theirs(request, order.merchant_id, order.buyer_id):
            return Opened(refusal=stranger)
        policy = self._policies.get(order.marketplace)
        if policy is None:
            return _refused("unknown_policy", "order_no", "section 2", f"no profile {order.marketplace}")
        settled = {part.name: part.settled for part in await ledger.parts_of(connection, order_fund(order.order_no))}
        if refusal := refused_application(request, order, settled):
            return Opened(refusal=refusal)
        kind, stage = first_stage(request, order, policy)
        asked = Money(amount=request.amount, currency=order.currency)
        return _opened(opening, kind, stage, policy, asked).model_copy(update={"order": order})

    async def _look_at_allowance(
        self, connection: Connection, opening: OpenCase, request: WithdrawalRequest | ExpiryRequest
    ) -> Opened:
        allowance = await allowances.facts(connection, request.allowance_id, for_update=True)
        if allowance is None:
            return _refused("unknown_allowance", "allowance_id", "A4", f"there is no allowance {request.allowance_id}")
        if stranger := _not_theirs(request, allowance.merchant_id, allowance.buyer_id):
            return Opened(refusal=stranger)
        policy = self._policies.get(allowance.marketplace)
        if policy is None:
            return _refused("unknown_policy", "allowance_id", "section 2", f"no profile {allowance.marketplace}")
        left = split(allowance.principal, allowance.bonus, allowance.spent).withdrawable
        match request:
            case WithdrawalRequest():
                kind, stage = CaseKind.WITHDRAWAL, RETENTION if allowance.spent else PAYING  # A2, A3
            case ExpiryRequest():
                kind, stage = CaseKind.EXPIRY, PAYING  # A6
        asked = Money(amount=left, currency=allowance.currency)
        return _opened(opening, kind, stage, policy, asked).model_copy(update={"allowance": allowance})

    async def _take_hold(self, connection: Connection, opening: OpenCase, opened: Opened) -> Opened:
        """What opening a case changes besides its own row: the fund is opened, a balance is frozen."""
        case_id = opening.case.case_id
        if opened.order:
            order = opened.order
            await ledger.open_fund(connection, order_fund(order.order_no), order.currency, order_parts(order))
        if opened.allowance:
            allowance = opened.allowance
            fund = allowance_fund(allowance.allowance_id)
            await ledger.open_fund(connection, fund, allowance.currency, allowance_parts(allowance))
        match opening.request:
            case WithdrawalRequest() as request:  # A5
                held = await allowances.freeze(connection, request.allowance_id, case_id, opening.at)
            case ExpiryRequest() as request:  # A6: under the account's lock it is settled which case pays
                held = await allowances.end_validity(connection, request.allowance_id, case_id, opening.at)
            case RefundRequest() | MerchantRefundRequest():
                return opened
        match held:
            case allowances.Held():
                return opened
            case allowances.HeldByOther(case_id=other) if isinstance(request, ExpiryRequest):
                return opened.model_copy(update={"handed_over_to": other})
            case allowances.HeldByOther(case_id=other):
                return _refused("request_open", "allowance_id", "A5", f"{other} is open on this allowance")
            case allowances.StillValid(until=until):
                return Opened(postponed_until=until)
            case allowances.Empty() | allowances.NoSuchAllowance():
                return _refused("nothing_left", "allowance_id", "A2", "no principal is left to pay back")

    async def _write(self, connection: Connection, opening: OpenCase, opened: Opened) -> None:
        if opened.stage is None:
            return
        request = opening.request
        buyer_id = opened.order.buyer_id if opened.order else getattr(request, "buyer_id", None)
        entry = LogEntry(event="opened", by=opener(request), rule=OPENING.rule, at=opening.at)
        work_list = STAGES[opened.stage].work_list
        await casebook.write_opening(connection, opening, opened, entry=entry, work_list=work_list, buyer_id=buyer_id)
        await outbox.queue(connection, opening.case.case_id, 0, _opened_notices(opening, opened), opening.at)


_DUPLICATE = (
    "duplicate_case",
    "request_key",
    "section 11",
    "an earlier run of this case is in the case book: the same request is the same case",
)


def _opened(opening: OpenCase, kind: CaseKind, stage: Stage, policy: Policy, asked: Money) -> Opened:
    deadline = due(stage.span(policy), opening.at) if stage.span else None
    return Opened(kind=kind, stage=stage.name, due=deadline, policy=policy, asked=asked)


def _opened_notices(opening: OpenCase, opened: Opened) -> tuple[Notice, ...]:
    """The merchant is told of a request that waits for it, with the deadline (R1)."""
    if opened.due is None or opened.asked is None:
        return ()
    fields: dict[str, str | int] = {
        "subject": subject(opening.request),
        "amount": opened.asked.amount,
        "currency": opened.asked.currency,
        "due": opened.due.at.isoformat(),
    }
    return (Notice(template=NoticeTemplate.REQUEST_OPENED, to=merchant(opening.request.merchant_id), fields=fields),)


def _not_theirs(
    request: RefundRequest | MerchantRefundRequest | WithdrawalRequest | ExpiryRequest,
    merchant_id: str,
    buyer_id: str,
) -> Refusal | None:
    """A request names the merchant and the buyer that the order or allowance belongs to (SPEC section 12)."""
    if request.merchant_id != merchant_id:
        return Refusal(
            code="not_yours", field="merchant_id", rule="section 12", explanation="it belongs to another merchant"
        )
    if not isinstance(request, MerchantRefundRequest) and request.buyer_id != buyer_id:
        return Refusal(code="not_yours", field="buyer_id", rule="section 12", explanation="it belongs to another buyer")
    return None


def _refused(code: str, field: str, rule: str, explanation: str) -> Opened:
    return Opened(refusal=Refusal(code=code, field=field, rule=rule, explanation=explanation))
