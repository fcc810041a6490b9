"""Opening a case: what is known is read, the request is checked against it and written down as step 0.

What is found is decided in ``workflows.kinds.opening_checks``, what is written in ``opening_step``.
"""

from collections.abc import Callable
from datetime import datetime

import asyncpg
from temporalio import activity

from activities.calendar.countries import works_at
from activities.gateways.limits import NO_LIMITS, Limits
from activities.measures import Measures
from activities.policies import Policies
from activities.postgres import (
    allowances,
    case_rows,
    casebook,
    evidence,
    ledger,
    lookups,
    matters,
    owed_once,
    parcels,
    pieces,
    resuming,
    standing_orders,
    statements,
)
from activities.postgres.connection import Connection
from activities.postgres.orders import PostgresOrders, find_order
from activities.postgres.payable import payable_in, refused_by_provider, refused_withdrawal
from activities.postgres.vault import is_account_of, missing_attachment
from workflows.kinds.cancellation import INTERCEPTING
from workflows.kinds.late_shipment import CLAIMABLE
from workflows.kinds.opening_checks import (
    About,
    look_at_allowance,
    look_at_application,
    look_at_compensation,
    look_at_dispute,
    look_at_shipment,
    opening_span,
    policy_for,
    time_to_ship,
)
from workflows.kinds.opening_step import first_step, funds_of, may_ship_meanwhile, shipped_meanwhile, told_who_holds
from workflows.messages.activities import open_case
from workflows.messages.cases import Due, Refusal
from workflows.messages.evidence import Evidence
from workflows.messages.openings import OpenCase, Opened
from workflows.messages.orders import OrderFacts
from workflows.messages.persons import buyer_person
from workflows.messages.policy import Policy
from workflows.messages.requests import (
    Application,
    BankTransfer,
    CompensationCause,
    CompensationRequest,
    DisputeRequest,
    ExpiryRequest,
    LateShipmentRequest,
    OrderApplication,
    OrderRequest,
    WithdrawalRequest,
    opener,
)
from workflows.messages.stages import CaseKind
from workflows.rules import owed_beside
from workflows.rules.applications import refused_words
from workflows.rules.bank_accounts import refused_account
from workflows.rules.compensation import freight_insurance_fund
from workflows.rules.evidence import refused_attachment
from workflows.rules.identity import order_fund, request_digest, subject
from workflows.rules.opening import not_opened
from workflows.rules.owed_beside import claims_of, claims_to_read
from workflows.rules.pieces import Holder, unsent_of


class Opening:
    """Opens every kind of case."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        policies: Policies,
        wake_notices: Callable[[], None],
        measures: Measures | None = None,
        limits: Limits = NO_LIMITS,
    ) -> None:
        """``limits`` are the payment provider's, which a case keeps to before it promises anything (X6)."""
        self._measures = measures or Measures()
        self._limits = limits
        self._pool = pool
        self._orders = PostgresOrders(pool)
        self._policies = policies
        self._wake_notices = wake_notices

    @activity.defn(name=open_case.__name__)
    async def open_case(self, opening: OpenCase) -> Opened:
        """Check a request, take the policy's snapshot, write step 0; the same opening again changes nothing.

        A request that does not fit is a result with a refusal; only what may pass by itself is an error.
        """
        written = False
        async with self._pool.acquire() as connection, connection.transaction():
            if before := await casebook.opened_before(connection, opening):
                run_id, opened = before
                resumed = await resuming.resumed(connection, opening.case.case_id, opening.asks_about)
                if resumed and opening.asks_about:
                    return opened.model_copy(update={"resumed": resumed})
                await resuming.a_person_has_looked(connection, opening.case.case_id)
                if run_id != opening.case.run_id:
                    if not await self._may_go_on(connection, opening):
                        return not_opened(*_DUPLICATE)
                    await resuming.take_over(connection, opening.case.case_id, opening.case.run_id)
                untold = await resuming.untold(connection, opening.case.case_id, resumed)
                opened = opened.model_copy(update={"resumed": resumed, **untold})
            else:
                opened = await self._look(connection, opening, await _order_for_itself(connection, opening))
                if opened.refusal is None:
                    opened = await self._take_hold(connection, opening, opened)
                if opened.refusal is None and opened.stage:
                    opened = await standing_orders.at_opening(connection, opening, opened)
                    await self._write(connection, opening, opened)
                    written = True
        if written and opened.kind:
            self._measures.opened(opened.kind)
        self._wake_notices()
        return await self._look_again(opening, opened)

    async def _may_go_on(self, connection: Connection, opening: OpenCase) -> bool:
        """Whether another run may take the case over: it is open, and the request is the one that opened it.

        A server starts no second run while the first one runs. Should one run elsewhere, it is fenced off.
        """
        case = await case_rows.find(connection, opening.case.case_id)
        digest = await casebook.digest_of_request(connection, opening.case.case_id)
        return case is not None and case.closed_at is None and digest == request_digest(opening.request)

    async def _look_again(self, opening: OpenCase, opened: Opened) -> Opened:
        if not may_ship_meanwhile(opening.request, opened):
            return opened
        order = await self._order(opening)
        holders = await self._holders(order, opening.case.case_id) if order else ()
        return shipped_meanwhile(opening.request, opened, order, unsent_of(holders))

    async def _holders(self, order: OrderFacts, besides: str) -> tuple[Holder, ...]:
        async with self._pool.acquire() as connection:
            return await pieces.holders(connection, order.order_no, besides=[besides])

    async def foresee(self, opening: OpenCase) -> Opened:
        """What opening would find now, without writing anything: for whoever wants to know before starting."""
        order = await self._order(opening)
        async with self._pool.acquire() as connection:
            return await self._look(connection, opening, order)

    async def _order(self, opening: OpenCase) -> OrderFacts | None:
        match opening.request:
            case WithdrawalRequest() | ExpiryRequest():
                return None
            case request:
                return await self._orders.find(request.order_no)

    async def _look(self, connection: Connection, opening: OpenCase, order: OrderFacts | None) -> Opened:
        match opening.request:
            case WithdrawalRequest() | ExpiryRequest() as request:
                opened = await self._look_at_allowance(connection, opening, request)
            case request:
                opened = await self._look_at_order(connection, opening, request, order)
        if opened.kind is None:
            return opened
        customer = await lookups.of_subject(connection, subject(opening.request))
        payable = payable_in(self._limits, opened.asked.currency) if opened.asked else None  # X6
        due: Due | None = None
        if lasts := opening_span(opened):
            due = await casebook.deadline(connection, *lasts, opening.at)
        return opened.model_copy(update={"customer": customer, "payable": payable, "due": due})

    async def _look_at_order(
        self, connection: Connection, opening: OpenCase, request: OrderRequest, order: OrderFacts | None
    ) -> Opened:
        policy = policy_for(request, order, self._policies.get)
        if isinstance(policy, Opened):
            return policy
        assert order is not None
        if refusal := await _refused_references(connection, opening, request, order):
            return Opened(refusal=refusal)
        match request:
            case DisputeRequest():
                return await self._look_at_dispute(connection, opening, request, order, policy)
            case LateShipmentRequest():
                return await _look_at_shipment(connection, opening, order, policy)
            case CompensationRequest():
                return await _look_at_compensation(connection, request, order, policy)
            case _:
                return await self._look_at_application(connection, opening, request, order, policy)

    async def _look_at_application(
        self,
        connection: Connection,
        opening: OpenCase,
        request: OrderApplication,
        order: OrderFacts,
        policy: Policy,
    ) -> Opened:
        opened = look_at_application(
            request,
            order,
            policy,
            opening.at,
            settled=await _settled(connection, order),
            holders=await pieces.holders(connection, order.order_no),
            others=await matters.of_order(connection, order.order_no, besides=[opening.case.case_id]),
            works=works_at(policy.counted_at),
        )
        if opened.kind is None:
            return opened
        if refusal := await refused_by_provider(connection, self._limits, request, order, opening.at):
            return Opened(refusal=refusal)
        if opened.stage is not INTERCEPTING.name:
            return opened
        return opened.model_copy(update={"underway": await parcels.underway(connection, order.order_no, request.lines)})

    async def _look_at_dispute(
        self, connection: Connection, opening: OpenCase, request: DisputeRequest, order: OrderFacts, policy: Policy
    ) -> Opened:
        about = await _about(connection, opening, request.about) if request.about else None
        besides = [opening.case.case_id, request.about]
        opened = look_at_dispute(
            request,
            order,
            policy,
            opening.at,
            holders=await pieces.holders(connection, order.order_no, besides=[request.about] if request.about else []),
            others=await matters.of_order(connection, order.order_no, besides=besides),
            about=about,
        )
        if opened.kind is None:
            return opened
        refusal = await refused_by_provider(connection, self._limits, request, order, opening.at)
        return Opened(refusal=refusal) if refusal else opened

    async def _look_at_allowance(
        self, connection: Connection, opening: OpenCase, request: WithdrawalRequest | ExpiryRequest
    ) -> Opened:
        allowance = await allowances.facts(connection, request.allowance_id, for_update=True)
        opened = look_at_allowance(request, allowance, self._policies.get)
        if allowance is None or opened.asked is None or not isinstance(request, WithdrawalRequest):
            return opened
        asked = opened.asked.amount
        refusal = await refused_withdrawal(connection, self._limits, allowance, asked, opening.at)
        return Opened(refusal=refusal) if refusal else opened

    async def _take_hold(self, connection: Connection, opening: OpenCase, opened: Opened) -> Opened:
        """What opening a case changes besides its own row: the fund is opened, a balance is frozen."""
        case_id, request = opening.case.case_id, opening.request
        for each in funds_of(request, opened):
            await ledger.open_fund(connection, each.fund, each.currency, each.parts)
        match request:
            case WithdrawalRequest():  # A5
                held = await allowances.freeze(connection, request.allowance_id, case_id, opening.at)
            case ExpiryRequest():  # A6: under the account's lock it is settled which case pays
                held = await allowances.end_validity(connection, request.allowance_id, case_id, opening.at)
            case _:
                return opened
        return told_who_holds(request, opened, held)

    async def _write(self, connection: Connection, opening: OpenCase, opened: Opened) -> None:
        case_id, step = opening.case.case_id, first_step(opening, opened)
        await casebook.write_opening(
            connection,
            opening,
            opened,
            entry=step.entry,
            work_list=step.work_list,
            buyer_id=step.buyer_id,
            pieces=step.pieces,
            notices=step.notices,
        )
        if step.evidence:
            await evidence.give(connection, case_id, step.evidence, opening.at)


async def _order_for_itself(connection: Connection, opening: OpenCase) -> OrderFacts | None:
    """The order as it stays until the case is opened.

    Of two that want the same piece (R13) or what is owed once (R16) one waits, and so does who changes what was paid
    on the order (X2).
    """
    match opening.request:
        case WithdrawalRequest() | ExpiryRequest():
            return None
        case request:
            await pieces.lock(connection, request.order_no)
            if isinstance(request, CompensationRequest):
                await _take_what_is_owed(connection, request, opening.at)
            return await find_order(connection, request.order_no)


_DUPLICATE = (
    "duplicate_case",
    "request_key",
    "section 11",
    "an earlier run of this case is in the case book: the same request is the same case",
)


async def _refused_references(
    connection: Connection, opening: OpenCase, request: OrderRequest, order: OrderFacts
) -> Refusal | None:
    """Why what a request refers to cannot be used: an account, attachments, a text of its sender (R10, R17, D6)."""
    match getattr(request, "method", None):
        case BankTransfer(account=account) if not await is_account_of(connection, account, order.buyer_id):
            return refused_account("method.account")  # R17, whoever names it
        case _:
            pass
    given: tuple[Evidence, ...] = getattr(request, "evidence", ())
    person = buyer_person(order.buyer_id)
    if (missing := await missing_attachment(connection, given, order.order_no, person)) is not None:
        return refused_attachment(missing)
    if isinstance(request, Application) and request.words and not await _own_words(connection, opening, request):
        return refused_words()
    return None


async def _own_words(connection: Connection, opening: OpenCase, request: Application) -> bool:
    """R10: written by whoever opens the case, about it; a dispute says what the case has said that it is about (D1)."""
    about = getattr(request, "about", None)
    return await statements.check(
        connection, str(request.words), opening.case.case_id, opener(opening.request), or_about=about
    )


async def _settled(connection: Connection, order: OrderFacts) -> dict[str, int]:
    """What was paid back of each part of an order for good, in minor units."""
    fund = order_fund(order.order_no)
    return (await ledger.settled_of(connection, [fund]))[fund]


async def _about(connection: Connection, opening: OpenCase, case_id: str) -> About | None:
    disputed = await case_rows.find(connection, case_id)
    if disputed is None:
        return None
    insured = await case_rows.find(connection, freight_insurance_fund(case_id))  # its case is called so, too
    carries_out = opening.carried_out_by == case_id
    disputes = () if carries_out else await case_rows.disputes_about(connection, case_id)
    return About(
        case=disputed,
        carries_out=carries_out,
        disputes=[each.outcome for each in disputes if each.case_id != opening.case.case_id],
        insured=insured is not None,
        falls=await case_rows.falls_of(connection, case_id) if disputed.kind is CaseKind.PRICE_PROTECTION else (),
    )


async def _look_at_shipment(connection: Connection, opening: OpenCase, order: OrderFacts, policy: Policy) -> Opened:
    span = time_to_ship(order, policy)
    return look_at_shipment(
        order,
        policy,
        opening.at,
        ships_until=(await casebook.deadline(connection, CaseKind.LATE_SHIPMENT, CLAIMABLE, span, opening.at)).at,
        settled=await _settled(connection, order),
        holders=await pieces.holders(connection, order.order_no),
    )


async def _look_at_compensation(
    connection: Connection, request: CompensationRequest, order: OrderFacts, policy: Policy
) -> Opened:
    about = await case_rows.find(connection, request.about)
    freight = request.cause is CompensationCause.RETURN_FREIGHT
    return look_at_compensation(
        request,
        order,
        policy,
        about_order=about.order_no if about else None,
        policies=await case_rows.policies_of(connection, request.about) if freight else (),
        owed=await _owed(connection, request, order),
    )


async def _take_what_is_owed(connection: Connection, request: CompensationRequest, at: datetime) -> None:
    parcel = await owed_once.parcel_of(connection, request.about)
    await owed_once.take(connection, claims_of(request, parcel), at)


async def _owed(connection: Connection, request: CompensationRequest, order: OrderFacts) -> int:
    parcel = await owed_once.parcel_of(connection, request.about)
    insurance = request.cause is CompensationCause.FREIGHT_INSURANCE
    return owed_beside.owed_once(
        request,
        order,
        parcel,
        await owed_once.claimed(connection, claims_to_read(request, parcel)),
        paid_elsewhere=insurance and await owed_once.insurance_paid_elsewhere(connection, request),
    )
