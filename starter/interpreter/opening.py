"""Opening a case in memory: the request is checked against the world, as ``activities.opening`` does it."""

from collections.abc import Callable
from datetime import datetime, timedelta

from starter.interpreter.book import MemoryBook
from starter.interpreter.ledger import Ledger
from starter.interpreter.shop import Shop
from workflows.kinds.cancellation import INTERCEPTING
from workflows.kinds.first_stage import first_stage
from workflows.kinds.late_shipment import CLAIMABLE
from workflows.kinds.payment_stages import PAYING
from workflows.kinds.stage import OPENING, Stage
from workflows.kinds.withdrawal import RETENTION
from workflows.messages.cases import LogEntry, OpenCase, Opened, Span
from workflows.messages.money import Money
from workflows.messages.orders import OrderFacts
from workflows.messages.policy import Policy
from workflows.messages.requests import (
    Application,
    CompensationCause,
    CompensationRequest,
    DisputeRequest,
    ExpiryRequest,
    LateShipmentRequest,
    MerchantRefundRequest,
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
from workflows.rules.applications import version_facts, version_of
from workflows.rules.compensation import freight_insurance_fund, late_shipment_owed, return_freight_owed
from workflows.rules.dispute import DISPUTABLE, refused_dispute
from workflows.rules.evidence import refused_evidence
from workflows.rules.identity import allowance_fund, order_fund
from workflows.rules.matters import approved_at_once, refused_dispute_of_case, refused_dispute_of_order
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


class MemoryOpening:
    """Opens every kind of case."""

    def __init__(
        self, book: MemoryBook, shop: Shop, ledger: Ledger, policy_now: Callable[[str], Policy | None]
    ) -> None:
        self._book = book
        self._shop = shop
        self._ledger = ledger
        self._policy_now = policy_now

    def open_case(self, opening: OpenCase) -> Opened:
        """Check a request, take the policy's snapshot, write step 0; or say why not, or how far the case has come."""
        row = self._book.cases.get(opening.case.case_id)
        if row and row.resumed:
            return row.opened.model_copy(update={"resumed": row.resumed, "opened_at": row.opened_at})
        if isinstance(opening.request, CompensationRequest):
            self._take_what_is_owed(opening.request)
        opened = self._look(opening)
        if opened.refusal is None:
            opened = self._take_hold(opening, opened)
        if opened.refusal is None and opened.stage:
            self._write(opening, opened)
        order, request = opened.order, opening.request
        if isinstance(request, RefundRequest) and opened.stage in UNSHIPPED and order and is_shipped(order, request):
            return opened.model_copy(update={"shipped_since": shipped_since(order, request)})
        return opened

    # What it finds --------------------------------------------------------------------------------------

    def _look(self, opening: OpenCase) -> Opened:
        request = opening.request
        if isinstance(request, WithdrawalRequest | ExpiryRequest):
            return self._look_at_allowance(opening, request)
        order = self._shop.orders.get(request.order_no)
        if order is None:
            return not_opened("unknown_order", "order_no", "R4", f"there is no order {request.order_no}")
        if stranger := not_theirs(request, order.merchant_id, order.buyer_id):
            return Opened(refusal=stranger)
        policy = self._policy_now(order.marketplace)
        if policy is None:
            return not_opened("unknown_policy", "order_no", "section 2", f"no profile {order.marketplace}")
        if refusal := refused_evidence(getattr(request, "evidence", ()), policy.dispute):
            return Opened(refusal=refusal)
        match request:
            case RefundRequest() | MerchantRefundRequest() | ReturnRequest() | PriceProtectionRequest():
                opened = self._look_at_application(opening, request, order, policy)
            case DisputeRequest():
                opened = self._look_at_dispute(opening, request, order, policy)
            case LateShipmentRequest():
                opened = self._look_at_shipment(opening, order, policy)
            case CompensationRequest():
                opened = self._look_at_compensation(opening, request, order, policy)
        return opened.model_copy(update={"order": order}) if opened.kind else opened

    def _look_at_application(
        self,
        opening: OpenCase,
        request: RefundRequest | MerchantRefundRequest | ReturnRequest | PriceProtectionRequest,
        order: OrderFacts,
        policy: Policy,
    ) -> Opened:
        settled = {part.name: part.settled for part in self._ledger.parts_of(order_fund(order.order_no))}
        others = self._book.holders_of(order.order_no)
        if refusal := refused_application(request, order, settled, others, by_pieces=policy.refund.by_pieces):
            return Opened(refusal=refusal)
        if isinstance(request, ReturnRequest) and (refusal := refused_unsent(request.lines, order)):
            return Opened(refusal=refusal)
        prices = policy.price_protection
        if isinstance(request, PriceProtectionRequest) and (
            refusal := refused_protection(request, order, others, prices)
        ):
            return Opened(refusal=refusal)
        besides = self._book.matters_of(order.order_no, opening.case.case_id)
        if refusal := refused_beside_others(request, order, policy, besides):
            return Opened(refusal=refusal)
        kind, stage = first_stage(request, order, policy, unsent_of(others), at_once=approved_at_once(besides))
        if refusal := refused_worthless(request, kind):
            return Opened(refusal=refusal)
        opened = self._opened(opening, kind, stage, policy, _money(request.amount, order))
        if stage is not INTERCEPTING:
            return opened
        return opened.model_copy(update={"underway": self._shop.underway(order.order_no, request.lines)})

    def _look_at_dispute(self, opening: OpenCase, request: DisputeRequest, order: OrderFacts, policy: Policy) -> Opened:
        """D1: on an ended case within its window, on one whose money is under way, or on an order without a case."""
        others = self._book.holders_of(order.order_no, request.about)
        if refusal := refused_application(request, order, {}, others, by_pieces=policy.refund.by_pieces):
            return Opened(refusal=refusal)
        kind, stage = first_stage(request, order, policy)
        if refusal := refused_worthless(request, kind):
            return Opened(refusal=refusal)
        opened = self._opened(opening, kind, stage, policy, _money(request.amount, order))
        matters = self._book.matters_of(order.order_no, opening.case.case_id, request.about)
        if request.about is None:
            if opening.at > order.paid_at + timedelta(days=policy.dispute.order_window_days):
                return window_over("order_no", policy.dispute.order_window_days)
            if refusal := refused_dispute_of_order(request, matters):  # D10
                return Opened(refusal=refusal)
            return opened
        disputed = self._book.cases.get(request.about)
        if disputed is None or disputed.order_no != order.order_no or disputed.kind not in DISPUTABLE:
            return not_opened("unknown_case", "about", "D1", f"{request.about} is no case of this order to dispute")
        if opening.carried_out_by != request.about:
            before = [
                row.outcome
                for row in self._book.of_order(order.order_no)
                if row.about == request.about and row.kind is CaseKind.DISPUTE and row.case_id != opening.case.case_id
            ]
            refusal = refused_dispute(disputed.stage, disputed.closed_at, before, opening.at, policy.dispute)
            if refusal:
                return Opened(refusal=refusal)
        if refusal := refused_dispute_of_case(request, request.about, order, matters):  # D10
            return Opened(refusal=refusal)
        insured = freight_insurance_fund(request.about) in self._book.cases  # its case is called so, too
        return opened.model_copy(
            update={
                "counts": request.about,
                "return_freight": disputed.return_freight,
                "insurance_paid": order.freight_insured if insured else 0,
            }
        )

    def _look_at_shipment(self, opening: OpenCase, order: OrderFacts, policy: Policy) -> Opened:
        """L1: 48 hours after payment, pauses aside, the order must have shipped."""
        late = policy.late_shipment
        span = Span(minutes=late.ship_hours * 60, since=order.paid_at)
        ships_until = self._book.deadline(CaseKind.LATE_SHIPMENT, CLAIMABLE, span, opening.at).at
        settled = {part.name: part.settled for part in self._ledger.parts_of(order_fund(order.order_no))}
        not_needed = not_to_ship(order, settled, self._book.holders_of(order.order_no))
        if shipped_by(order, ships_until, not_needed):  # R15: all of its lines
            return Opened(nothing_owed=True)
        if opening.at < ships_until:
            return Opened(postponed_until=ships_until)
        paid_back = sum(amount for part, amount in settled.items() if part.startswith("line:"))
        owed = late_shipment_owed(order.goods_paid - paid_back, late.percent, late.fixed)
        if not owed or paid_back == order.goods_paid:
            return Opened(nothing_owed=True)
        opened = self._opened(opening, CaseKind.LATE_SHIPMENT, CLAIMABLE, policy, _money(owed, order))
        return opened.model_copy(update={"ships_until": ships_until})

    def _look_at_compensation(
        self, opening: OpenCase, request: CompensationRequest, order: OrderFacts, policy: Policy
    ) -> Opened:
        """T10: for a case of this order, and no more than is insured or the policy lets the merchant owe."""
        about = self._book.cases.get(request.about)
        if about is None or about.order_no != order.order_no:
            return not_opened("unknown_case", "about", "T10", f"{request.about} is no case of this order")
        match request.cause:
            case CompensationCause.FREIGHT_INSURANCE:
                kind, most = CaseKind.FREIGHT_INSURANCE, order.freight_insured
            case CompensationCause.RETURN_FREIGHT:
                kind = CaseKind.RETURN_FREIGHT
                most = max(each.returns.most_return_freight for each in (policy, *about.policies))
        if request.amount > most:
            return not_opened("amount_too_high", "amount", "T10", f"at most {most} is owed")
        owed = self._owed_once(request, order)
        if not owed:
            explanation = "it is paid for another return of the order, or in the parcel"
            return not_opened("owed_once", "cause", "R16", explanation)
        return self._opened(opening, kind, PAYING, policy, _money(owed, order))

    def _take_what_is_owed(self, request: CompensationRequest) -> None:
        """R16: whoever takes a claim first has it."""
        parcel, claimed = self._shop.return_parcel(request.about), self._book.claimed
        if request.cause is CompensationCause.FREIGHT_INSURANCE or request.insured:
            claimed.setdefault(f"freight-insurance/{request.order_no}", parcel or request.about)
        if request.cause is CompensationCause.RETURN_FREIGHT and parcel:
            claimed.setdefault(f"return-freight/{parcel}", request.about)

    def _owed_once(self, request: CompensationRequest, order: OrderFacts) -> int:
        """R16: insurance once an order, freight once a parcel, less what the insurance pays for that parcel (T10)."""
        parcel, claimed = self._shop.return_parcel(request.about), self._book.claimed
        claimant = claimed.get(f"freight-insurance/{request.order_no}")
        insured = None if claimant is None else claimant == (parcel or request.about)
        if request.cause is CompensationCause.FREIGHT_INSURANCE:
            elsewhere = any(
                row.kind is CaseKind.FREIGHT_INSURANCE and row.about != request.about
                for row in self._book.of_order(request.order_no)
            )
            return 0 if elsewhere or insured is False else request.amount
        if parcel and claimed.get(f"return-freight/{parcel}") not in (None, request.about):
            return 0
        paid = order.freight_insured if insured else request.insured if insured is None else 0
        return return_freight_owed(request.amount, request.amount, paid)

    def _look_at_allowance(self, opening: OpenCase, request: WithdrawalRequest | ExpiryRequest) -> Opened:
        account = self._shop.accounts.get(request.allowance_id)
        if account is None:
            explanation = f"there is no allowance {request.allowance_id}"
            return not_opened("unknown_allowance", "allowance_id", "A4", explanation)
        allowance = account.facts
        if stranger := not_theirs(request, allowance.merchant_id, allowance.buyer_id):
            return Opened(refusal=stranger)
        policy = self._policy_now(allowance.marketplace)
        if policy is None:
            return not_opened("unknown_policy", "allowance_id", "section 2", f"no profile {allowance.marketplace}")
        unspent = split(allowance.principal, allowance.bonus, allowance.spent).withdrawable
        match request:
            case WithdrawalRequest():
                kind, stage = CaseKind.WITHDRAWAL, RETENTION if allowance.spent else PAYING  # A2, A3
            case ExpiryRequest():
                kind, stage = CaseKind.EXPIRY, PAYING  # A6
        asked = Money(amount=unspent, currency=allowance.currency)
        return self._opened(opening, kind, stage, policy, asked).model_copy(update={"allowance": allowance})

    def _opened(self, opening: OpenCase, kind: CaseKind, stage: Stage, policy: Policy, asked: Money) -> Opened:
        span = stage.span(policy) if stage.span else None
        due = self._book.deadline(kind, stage, span, opening.at) if span else None
        return Opened.made_of(kind=kind, stage=stage.name, due=due, policy=policy, asked=asked)

    # What it changes ------------------------------------------------------------------------------------

    def _take_hold(self, opening: OpenCase, opened: Opened) -> Opened:
        """The fund is opened, a balance is frozen."""
        case_id, request = opening.case.case_id, opening.request
        if order := opened.order:
            self._ledger.open_fund(order_fund(order.order_no), order.currency, order_parts(order))
        if allowance := opened.allowance:
            fund = allowance_fund(allowance.allowance_id)
            self._ledger.open_fund(fund, allowance.currency, allowance_parts(allowance))
        if (fund := compensates(request)) and opened.asked and opened.stage:  # L3, T10: booked apart
            self._ledger.open_fund(fund, opened.asked.currency, compensation_parts(opened.asked.amount))
        match request:
            case WithdrawalRequest():  # A5
                held = self._shop.freeze(request.allowance_id, case_id)
            case ExpiryRequest():  # A6
                held = self._shop.end_validity(request.allowance_id, case_id, opening.at)
            case _:
                return opened
        if held is None:
            return not_opened("nothing_left", "allowance_id", "A2", "no principal is left to pay back")
        if isinstance(held, datetime):
            return Opened(postponed_until=held)
        if held == case_id:
            return opened
        if isinstance(request, ExpiryRequest):
            return opened.model_copy(update={"handed_over_to": held})
        return not_opened("request_open", "allowance_id", "A5", f"{held} is open on this allowance")

    def _write(self, opening: OpenCase, opened: Opened) -> None:
        request, at = opening.request, opening.at
        buyer_id = opened.order.buyer_id if opened.order else getattr(request, "buyer_id", None)
        version = version_of(request, at) if isinstance(request, Application) else None
        facts = version_facts(version) if version else {}
        entry = LogEntry.made_of(event="opened", by=opener(request), rule=OPENING.rule, at=at, facts=facts)
        row = self._book.write_opening(opening, opened, entry, version, buyer_id, pieces_named(opening))
        if attachments := getattr(request, "evidence", ()):  # R10; of a dispute it is a draft (D6)
            adds = not isinstance(request, DisputeRequest)
            given = EvidenceGiven(
                key="step-0", by=opener(request), attachments=attachments, adds=adds, event=entry.event
            )
            row.evidence.append(given)
        row.notices.extend(opened_notices(opening, opened))


def _money(amount: int, order: OrderFacts) -> Money:
    return Money.made_of(amount=amount, currency=order.currency)
