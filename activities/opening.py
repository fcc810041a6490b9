"""Opening a case: the request is checked against the world and written down as step 0."""

from collections.abc import Callable
from datetime import timedelta

import asyncpg
from temporalio import activity

from activities.gateways.limits import NO_LIMITS, Limits
from activities.gateways.orders import OrderDirectory
from activities.measures import Measures
from activities.notices import outbox
from activities.policies import Policies
from activities.postgres import (
    allowances,
    casebook,
    evidence,
    ledger,
    lookups,
    matters,
    owed_once,
    parcels,
    pieces,
    resuming,
    statements,
)
from activities.postgres.connection import Connection
from activities.postgres.orders import PostgresOrders, confirm_paid
from activities.postgres.payable import payable_in, refused_by_provider, refused_withdrawal
from activities.postgres.vault import is_account_of, missing_attachment
from workflows.kinds.cancellation import INTERCEPTING
from workflows.kinds.first_stage import first_stage
from workflows.kinds.late_shipment import CLAIMABLE
from workflows.kinds.payment_stages import PAYING
from workflows.kinds.stage import OPENING, STAGES, Stage
from workflows.kinds.withdrawal import RETENTION
from workflows.messages.activities import open_case
from workflows.messages.cases import LogEntry, OpenCase, Opened, Span
from workflows.messages.evidence import Evidence
from workflows.messages.money import Money
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
    MerchantRefundRequest,
    OrderRequest,
    PriceProtectionRequest,
    RefundRequest,
    ReturnRequest,
    WithdrawalRequest,
    opener,
)
from workflows.messages.stages import CaseKind
from workflows.messages.statements import EvidenceGiven
from workflows.rules.allocation import allowance_parts, compensation_parts, order_parts
from workflows.rules.allowance import split
from workflows.rules.applications import opening_facts, refused_words
from workflows.rules.bank_accounts import refused_account
from workflows.rules.compensation import (
    freight_insurance_fund,
    late_shipment_owed,
    return_freight_owed,
)
from workflows.rules.dispute import DISPUTABLE, refused_dispute
from workflows.rules.evidence import refused_attachment, refused_evidence
from workflows.rules.identity import allowance_fund, order_fund, request_digest, subject
from workflows.rules.matters import (
    approved_at_once,
    refused_dispute_of_case,
    refused_dispute_of_order,
)
from workflows.rules.opening import (
    UNSHIPPED,
    compensates,
    not_opened,
    not_theirs,
    opened_notices,
    pieces_named,
    refused_beside_others,
    window_over,
)
from workflows.rules.pieces import not_to_ship, unsent_of
from workflows.rules.price_protection import refused_protection
from workflows.rules.refund import refused_application, refused_worthless
from workflows.rules.shipping import is_shipped, refused_unsent, shipped_by, shipped_since

"""Where a case opens whose goods have not shipped (R1, R3)."""


class Opening:
    """Opens every kind of case."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        orders: OrderDirectory,
        policies: Policies,
        wake_notices: Callable[[], None],
        measures: Measures | None = None,
        limits: Limits = NO_LIMITS,
    ) -> None:
        """``limits`` are the payment provider's, which a case keeps to before it promises anything (X6)."""
        self._measures = measures or Measures()
        self._limits = limits
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
        written = False
        async with self._pool.acquire() as connection, connection.transaction():
            if before := await casebook.opened_before(connection, opening):
                run_id, opened = before
                await resuming.a_person_has_looked(connection, opening.case.case_id)
                resumed = await resuming.resumed(connection, opening.case.case_id)
                if run_id != opening.case.run_id:
                    if not await self._may_go_on(connection, opening):
                        return not_opened(*_DUPLICATE)
                    await resuming.take_over(connection, opening.case.case_id, opening.case.run_id)
                if resumed:
                    return opened.model_copy(update={"resumed": resumed})
            else:
                if isinstance(opening.request, Application):  # R13: of two that want the same piece, one waits
                    await pieces.lock(connection, opening.request.order_no)
                if isinstance(opening.request, CompensationRequest):  # R16: of two that want the same, one gets it
                    await pieces.lock(connection, opening.request.order_no)
                    await owed_once.take(connection, opening.request, opening.at)
                opened = await self._look(connection, opening, order)
                if opened.refusal is None:
                    opened = await self._take_hold(connection, opening, opened)
                if opened.refusal is None and opened.stage:
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
        case = await casebook.find(connection, opening.case.case_id)
        digest = await casebook.digest_of_request(connection, opening.case.case_id)
        return case is not None and case.closed_at is None and digest == request_digest(opening.request)

    async def _look_again(self, opening: OpenCase, opened: Opened) -> Opened:
        """R7: who ships from now on finds the case and tells it; who shipped a moment before could not."""
        request = opening.request
        if not isinstance(request, RefundRequest) or opened.stage not in UNSHIPPED:
            return opened
        now = await self._order(opening)
        if now is None or not is_shipped(now, request):
            return opened
        return opened.model_copy(update={"shipped_since": shipped_since(now, request)})

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
        return opened.model_copy(update={"customer": customer, "payable": payable})

    async def _look_at_order(
        self, connection: Connection, opening: OpenCase, request: OrderRequest, order: OrderFacts | None
    ) -> Opened:
        if order is None:
            return not_opened("unknown_order", "order_no", "R4", f"there is no order {request.order_no}")
        if stranger := not_theirs(request, order.merchant_id, order.buyer_id):
            return Opened(refusal=stranger)
        policy = self._policies.get(order.marketplace)
        if policy is None:
            return not_opened("unknown_policy", "order_no", "section 2", f"no profile {order.marketplace}")
        if refusal := refused_evidence(getattr(request, "evidence", ()), policy.dispute):
            return Opened(refusal=refusal)
        match getattr(request, "method", None):
            case BankTransfer(account=account) if not await is_account_of(connection, account, order.buyer_id):
                return Opened(refusal=refused_account("method.account"))  # R17, whoever names it
            case _:
                pass
        given: tuple[Evidence, ...] = getattr(request, "evidence", ())
        person = buyer_person(order.buyer_id)
        if (missing := await missing_attachment(connection, given, order.order_no, person)) is not None:
            return Opened(refusal=refused_attachment(missing))
        if isinstance(request, Application) and request.words and not await _own_words(connection, opening, request):
            return Opened(refusal=refused_words())
        match request:
            case RefundRequest() | MerchantRefundRequest() | ReturnRequest() | PriceProtectionRequest():
                opened = await self._look_at_application(connection, opening, request, order, policy)
            case DisputeRequest():
                opened = await self._look_at_dispute(connection, opening, request, order, policy)
            case LateShipmentRequest():
                opened = await self._look_at_shipment(connection, opening, order, policy)
            case CompensationRequest():
                opened = await self._look_at_compensation(connection, opening, request, order, policy)
        return opened.model_copy(update={"order": order}) if opened.kind else opened

    async def _look_at_application(
        self,
        connection: Connection,
        opening: OpenCase,
        request: RefundRequest | MerchantRefundRequest | ReturnRequest | PriceProtectionRequest,
        order: OrderFacts,
        policy: Policy,
    ) -> Opened:
        settled = {part.name: part.settled for part in await ledger.parts_of(connection, order_fund(order.order_no))}
        others = await pieces.holders(connection, order.order_no)
        by_pieces = policy.refund.by_pieces
        if refusal := refused_application(request, order, settled, others, by_pieces=by_pieces):
            return Opened(refusal=refusal)
        if isinstance(request, ReturnRequest) and (refusal := refused_unsent(request.lines, order)):
            return Opened(refusal=refusal)
        prices = policy.price_protection
        if isinstance(request, PriceProtectionRequest) and (
            refusal := refused_protection(request, order, others, prices)
        ):
            return Opened(refusal=refusal)
        besides = await matters.of_order(connection, order.order_no, besides=[opening.case.case_id])
        if refusal := refused_beside_others(request, order, policy, besides):
            return Opened(refusal=refusal)
        kind, stage = first_stage(request, order, policy, unsent_of(others), at_once=approved_at_once(besides))
        if refusal := refused_worthless(request, kind):
            return Opened(refusal=refusal)
        if refusal := await refused_by_provider(connection, self._limits, request, order, opening.at):
            return Opened(refusal=refusal)
        opened = await _opened(connection, opening, kind, stage, policy, _money(request.amount, order))
        if stage is not INTERCEPTING:
            return opened
        return opened.model_copy(update={"underway": await parcels.underway(connection, order.order_no, request.lines)})

    async def _look_at_dispute(
        self, connection: Connection, opening: OpenCase, request: DisputeRequest, order: OrderFacts, policy: Policy
    ) -> Opened:
        """D1: on an ended case within its window, on one whose money is under way, or on an order without a case."""
        besides = [request.about] if request.about else []
        others = await pieces.holders(connection, order.order_no, besides=besides)
        if refusal := refused_application(request, order, {}, others, by_pieces=policy.refund.by_pieces):
            return Opened(refusal=refusal)
        kind, stage = first_stage(request, order, policy)
        if refusal := refused_worthless(request, kind):
            return Opened(refusal=refusal)
        if refusal := await refused_by_provider(connection, self._limits, request, order, opening.at):
            return Opened(refusal=refusal)
        opened = await _opened(connection, opening, kind, stage, policy, _money(request.amount, order))
        matters_of_others = await matters.of_order(
            connection, order.order_no, besides=[opening.case.case_id, request.about]
        )
        if request.about is None:
            window = timedelta(days=policy.dispute.order_window_days)
            if opening.at > order.paid_at + window:
                return window_over("order_no", policy.dispute.order_window_days)
            if refusal := refused_dispute_of_order(request, matters_of_others):  # D10
                return Opened(refusal=refusal)
            return opened
        disputed = await casebook.find(connection, request.about)
        if disputed is None or disputed.order_no != order.order_no or disputed.kind not in DISPUTABLE:
            return not_opened("unknown_case", "about", "D1", f"{request.about} is no case of this order to dispute")
        if opening.carried_out_by != request.about:
            others = await casebook.disputes_about(connection, request.about)
            refusal = refused_dispute(
                disputed.stage,
                disputed.closed_at,
                [each.outcome for each in others if each.case_id != opening.case.case_id],
                opening.at,
                policy.dispute,
            )
            if refusal:
                return Opened(refusal=refusal)
        if refusal := refused_dispute_of_case(request, request.about, order, matters_of_others):  # D10
            return Opened(refusal=refusal)
        insured = await casebook.find(connection, freight_insurance_fund(request.about))  # its case is called so, too
        return opened.model_copy(
            update={
                "counts": request.about,
                "return_freight": disputed.return_freight,
                "insurance_paid": order.freight_insured if insured else 0,
            }
        )

    async def _look_at_shipment(
        self, connection: Connection, opening: OpenCase, order: OrderFacts, policy: Policy
    ) -> Opened:
        """L1: 48 hours after payment, pauses aside, the order must have shipped."""
        late = policy.late_shipment
        span = Span(minutes=late.ship_hours * 60, since=order.paid_at)
        ships_until = (await casebook.deadline(connection, CaseKind.LATE_SHIPMENT, CLAIMABLE, span, opening.at)).at
        # Goods that have been paid back by now need not ship any more.
        settled = {part.name: part.settled for part in await ledger.parts_of(connection, order_fund(order.order_no))}
        not_needed = not_to_ship(order, settled, await pieces.holders(connection, order.order_no))
        if shipped_by(order, ships_until, not_needed):  # R15: all of its lines
            return Opened(nothing_owed=True)
        if opening.at < ships_until:
            return Opened(postponed_until=ships_until)
        paid_back = sum(amount for part, amount in settled.items() if part.startswith("line:"))
        owed = late_shipment_owed(order.goods_paid - paid_back, late.percent, late.fixed)
        if not owed or paid_back == order.goods_paid:
            return Opened(nothing_owed=True)
        kind = CaseKind.LATE_SHIPMENT
        opened = await _opened(connection, opening, kind, CLAIMABLE, policy, _money(owed, order))
        return opened.model_copy(update={"ships_until": ships_until})

    async def _look_at_compensation(
        self, connection: Connection, opening: OpenCase, request: CompensationRequest, order: OrderFacts, policy: Policy
    ) -> Opened:
        """T10: for a case of this order, and no more than is insured or the policy lets the merchant owe."""
        about = await casebook.find(connection, request.about)
        if about is None or about.order_no != order.order_no:
            return not_opened("unknown_case", "about", "T10", f"{request.about} is no case of this order")
        match request.cause:
            case CompensationCause.FREIGHT_INSURANCE:
                kind, most = CaseKind.FREIGHT_INSURANCE, order.freight_insured
            case CompensationCause.RETURN_FREIGHT:
                kind, most = CaseKind.RETURN_FREIGHT, await self._most_return_freight(connection, request.about, policy)
        if request.amount > most:
            return not_opened("amount_too_high", "amount", "T10", f"at most {most} is owed")
        owed = await self._owed_once(connection, request, order)
        if not owed:
            return not_opened(
                "owed_once", "cause", "R16", "it is paid for another return of the order, or in the parcel"
            )
        return await _opened(connection, opening, kind, PAYING, policy, _money(owed, order))

    async def _owed_once(self, connection: Connection, request: CompensationRequest, order: OrderFacts) -> int:
        """R16: insurance once an order, freight once a parcel, less what the insurance pays for that parcel (T10)."""
        insured = await owed_once.insured_for(connection, request)
        if request.cause is CompensationCause.FREIGHT_INSURANCE:
            elsewhere = await owed_once.insurance_paid_elsewhere(connection, request)
            return 0 if elsewhere or insured is False else request.amount
        if await owed_once.freight_paid_elsewhere(connection, request):
            return 0
        paid = order.freight_insured if insured else request.insured if insured is None else 0
        return return_freight_owed(request.amount, request.amount, paid)

    async def _most_return_freight(self, connection: Connection, about: str, policy: Policy) -> int:
        """Section 2: the debt was worked out under the policy of the case that owes it, or of its dispute."""
        own = await casebook.policies_of(connection, about)
        return max(each.returns.most_return_freight for each in (policy, *own))

    async def _look_at_allowance(
        self, connection: Connection, opening: OpenCase, request: WithdrawalRequest | ExpiryRequest
    ) -> Opened:
        allowance = await allowances.facts(connection, request.allowance_id, for_update=True)
        if allowance is None:
            return not_opened(
                "unknown_allowance", "allowance_id", "A4", f"there is no allowance {request.allowance_id}"
            )
        if stranger := not_theirs(request, allowance.merchant_id, allowance.buyer_id):
            return Opened(refusal=stranger)
        policy = self._policies.get(allowance.marketplace)
        if policy is None:
            return not_opened("unknown_policy", "allowance_id", "section 2", f"no profile {allowance.marketplace}")
        left = split(allowance.principal, allowance.bonus, allowance.spent).withdrawable
        match request:
            case WithdrawalRequest():
                kind, stage = CaseKind.WITHDRAWAL, RETENTION if allowance.spent else PAYING  # A2, A3
                if refusal := await refused_withdrawal(connection, self._limits, allowance, left, opening.at):
                    return Opened(refusal=refusal)
            case ExpiryRequest():
                kind, stage = CaseKind.EXPIRY, PAYING  # A6
        asked = Money(amount=left, currency=allowance.currency)
        opened = await _opened(connection, opening, kind, stage, policy, asked)
        return opened.model_copy(update={"allowance": allowance})

    async def _take_hold(self, connection: Connection, opening: OpenCase, opened: Opened) -> Opened:
        """What opening a case changes besides its own row: the fund is opened, a balance is frozen."""
        case_id = opening.case.case_id
        if opened.order:
            order = opened.order
            fund = order_fund(order.order_no)
            is_new = await ledger.open_fund(connection, fund, order.currency, order_parts(order))
            if is_new and isinstance(self._orders, PostgresOrders):  # X2: from here on what was paid stands
                await pieces.lock(connection, order.order_no)
                await confirm_paid(connection, order)
        if opened.allowance:
            allowance = opened.allowance
            fund = allowance_fund(allowance.allowance_id)
            await ledger.open_fund(connection, fund, allowance.currency, allowance_parts(allowance))
        if (fund := compensates(opening.request)) and opened.asked and opened.stage:  # L3, T10: booked apart
            parts = compensation_parts(opened.asked.amount)
            await ledger.open_fund(connection, fund, opened.asked.currency, parts)
        match opening.request:
            case WithdrawalRequest() as request:  # A5
                held = await allowances.freeze(connection, request.allowance_id, case_id, opening.at)
            case ExpiryRequest() as request:  # A6: under the account's lock it is settled which case pays
                held = await allowances.end_validity(connection, request.allowance_id, case_id, opening.at)
            case _:
                return opened
        match held:
            case allowances.Held():
                return opened
            case allowances.HeldByOther(case_id=other) if isinstance(request, ExpiryRequest):
                return opened.model_copy(update={"handed_over_to": other})
            case allowances.HeldByOther(case_id=other):
                return not_opened("request_open", "allowance_id", "A5", f"{other} is open on this allowance")
            case allowances.StillValid(until=until):
                return Opened(postponed_until=until)
            case allowances.Empty() | allowances.NoSuchAllowance():
                return not_opened("nothing_left", "allowance_id", "A2", "no principal is left to pay back")

    async def _write(self, connection: Connection, opening: OpenCase, opened: Opened) -> None:
        if opened.stage is None:
            return
        request = opening.request
        buyer_id = opened.order.buyer_id if opened.order else getattr(request, "buyer_id", None)
        facts = opening_facts(request, opening.at)
        entry = LogEntry(event="opened", by=opener(request), rule=OPENING.rule, at=opening.at, facts=facts)
        work_list = STAGES[opened.stage].work_list
        await casebook.write_opening(
            connection,
            opening,
            opened,
            entry=entry,
            work_list=work_list,
            buyer_id=buyer_id,
            pieces=pieces_named(opening),
        )
        if attachments := getattr(request, "evidence", ()):  # R10; of a dispute it is a draft (D6)
            given = EvidenceGiven(
                key="step-0",
                by=opener(request),
                attachments=attachments,
                adds=not isinstance(request, DisputeRequest),
                event=entry.event,
            )
            await evidence.give(connection, opening.case.case_id, given, opening.at)
        await outbox.queue(connection, opening.case.case_id, 0, opened_notices(opening, opened), opening.at)


_DUPLICATE = (
    "duplicate_case",
    "request_key",
    "section 11",
    "an earlier run of this case is in the case book: the same request is the same case",
)


async def _own_words(connection: Connection, opening: OpenCase, request: Application) -> bool:
    """R10: written by whoever opens the case, about it; a dispute says what the case has said that it is about (D1)."""
    about = getattr(request, "about", None)
    return await statements.check(
        connection, str(request.words), opening.case.case_id, opener(opening.request), or_about=about
    )


async def _opened(
    connection: Connection, opening: OpenCase, kind: CaseKind, stage: Stage, policy: Policy, asked: Money
) -> Opened:
    span = stage.span(policy) if stage.span else None
    deadline = await casebook.deadline(connection, kind, stage, span, opening.at) if span else None
    return Opened(kind=kind, stage=stage.name, due=deadline, policy=policy, asked=asked)


def _money(amount: int, order: OrderFacts) -> Money:
    return Money(amount=amount, currency=order.currency)
