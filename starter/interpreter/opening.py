"""Opening a case in memory: what is known is read and written, as ``activities.opening`` does it."""

from collections.abc import Callable, Sequence
from datetime import datetime

from activities.calendar.countries import works_at
from starter.interpreter.book import MemoryBook
from starter.interpreter.ledger import Ledger
from starter.interpreter.shop import Shop
from workflows.kinds.askable import Listed, ListedOrder
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
from workflows.kinds.opening_step import first_step, funds_of, shipped_meanwhile, told_who_holds
from workflows.kinds.quoting import BY_BUYER, Known, quote
from workflows.messages.message import CaseId
from workflows.messages.openings import OpenCase, Opened
from workflows.messages.orders import OrderFacts
from workflows.messages.policy import Policy
from workflows.messages.quotes import Asked, Quote
from workflows.messages.requests import (
    CompensationRequest,
    DisputeRequest,
    ExpiryRequest,
    LateShipmentRequest,
    OrderRequest,
    WithdrawalRequest,
)
from workflows.messages.stages import CaseKind
from workflows.rules.compensation import freight_insurance_fund
from workflows.rules.identity import order_fund
from workflows.rules.owed_beside import claims_of, owed_once
from workflows.rules.pieces import unsent_of


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
        if isinstance(opening.request, CompensationRequest):  # R16: whoever takes a claim first has it
            claims = claims_of(opening.request, self._shop.return_parcel(opening.request.about))
            self._book.claimed = claims | self._book.claimed
        opened = self._look(opening)
        if opened.refusal is None:
            opened = self._take_hold(opening, opened)
        if opened.refusal is None and opened.stage:
            opened = self._write(opening, opened)
        return self.shipped_meanwhile(opening, opened)

    def shipped_meanwhile(self, opening: OpenCase, opened: Opened) -> Opened:
        """R7: with what has shipped while nobody could tell the case."""
        order = self._shop.order(opened.order.order_no) if opened.order else None
        holders = self._book.holders_of(order.order_no, opening.case.case_id) if order else ()
        return shipped_meanwhile(opening.request, opened, order, unsent_of(holders))

    # What it finds --------------------------------------------------------------------------------------

    def _look(self, opening: OpenCase) -> Opened:
        match opening.request:
            case WithdrawalRequest() | ExpiryRequest() as request:
                account = self._shop.accounts.get(request.allowance_id)
                opened = look_at_allowance(request, account.facts if account else None, self._policy_now)
            case request:
                opened = self._look_at_order(opening, request)
        if lasts := opening_span(opened):
            return opened.model_copy(update={"due": self._book.deadline(*lasts, opening.at)})
        return opened

    def _look_at_order(self, opening: OpenCase, request: OrderRequest) -> Opened:
        order = self._shop.order(request.order_no)
        policy = policy_for(request, order, self._policy_now)
        if isinstance(policy, Opened):
            return policy
        assert order is not None
        match request:
            case DisputeRequest():
                return look_at_dispute(
                    request,
                    order,
                    policy,
                    opening.at,
                    holders=self._book.holders_of(order.order_no, request.about),
                    others=self._book.matters_of(order.order_no, opening.case.case_id, request.about),
                    about=self._about(opening, request.about) if request.about else None,
                )
            case LateShipmentRequest():
                span = time_to_ship(order, policy)
                return look_at_shipment(
                    order,
                    policy,
                    opening.at,
                    ships_until=self._book.deadline(CaseKind.LATE_SHIPMENT, CLAIMABLE, span, opening.at).at,
                    settled=self._settled(order),
                    holders=self._book.holders_of(order.order_no),
                )
            case CompensationRequest():
                about = self._book.cases.get(request.about)
                return look_at_compensation(
                    request,
                    order,
                    policy,
                    about_order=about.order_no if about else None,
                    policies=about.policies if about else (),
                    owed=self._owed(request, order),
                )
            case _:
                opened = look_at_application(
                    request,
                    order,
                    policy,
                    opening.at,
                    settled=self._settled(order),
                    holders=self._book.holders_of(order.order_no),
                    others=self._book.matters_of(order.order_no, opening.case.case_id),
                    works=works_at(policy.counted_at),
                )
                if opened.stage is not INTERCEPTING.name:
                    return opened
                underway = self._shop.underway(order.order_no, request.lines)
                return opened.model_copy(update={"underway": underway})

    def listed(self, case_id: CaseId) -> Listed:
        """A case of an order, and what there is beside it (D1).

        Raises:
            KeyError: there is no such case, no order of it, or no policy for that.
        """
        row = self._book.cases[case_id]
        order = self._shop.order(row.order_no or "")
        policy = self._policy_now(order.marketplace) if order else None
        if order is None or policy is None:
            raise KeyError(case_id)
        (case,) = [each for each in self._book.matters_of(order.order_no) if each.case_id == case_id]
        return Listed(
            case=case,
            closed_at=row.closed_at,
            due_at=row.due,
            order=order,
            policy=policy,
            pieces=row.pieces,
            holders=self._book.holders_of(order.order_no, case_id),
            others=self._book.matters_of(order.order_no, case_id),
        )

    def listed_order(self, order_no: str) -> ListedOrder:
        """An order, and what there is beside it (D1). Raises as ``quote``."""
        order = self._shop.order(order_no)
        policy = self._policy_now(order.marketplace) if order else None
        if order is None or policy is None:
            raise KeyError(order_no)
        holders, others = self._book.holders_of(order_no), self._book.matters_of(order_no)
        return ListedOrder(order=order, policy=policy, holders=holders, others=others)

    def quote(
        self, order_no: str, at: datetime, goods_received: bool | None, ways: Sequence[Asked] = BY_BUYER
    ) -> Quote:
        """What may be asked for on an order (G5).

        Raises:
            KeyError: there is no such order, or no policy for it.
        """
        order = self._shop.order(order_no)
        policy = self._policy_now(order.marketplace) if order else None
        if order is None or policy is None:
            raise KeyError(order_no)
        return quote(
            Known(
                order=order,
                policy=policy,
                at=at,
                settled=self._settled(order),
                holders=self._book.holders_of(order_no),
                others=self._book.matters_of(order_no),
                works=works_at(policy.counted_at),
                goods_received=goods_received,
                purses={tender: self._ledger.purse(each) for tender, each in order.allowances.items()},
            ),
            ways,
        )

    def _settled(self, order: OrderFacts) -> dict[str, int]:
        return {part.name: part.settled for part in self._ledger.parts_of(order_fund(order.order_no))}

    def _about(self, opening: OpenCase, case_id: CaseId) -> About | None:
        disputed = self._book.cases.get(case_id)
        if disputed is None:
            return None
        return About(
            case=disputed,
            carries_out=opening.carried_out_by == case_id,
            disputes=[
                row.outcome
                for row in self._book.of_order(disputed.order_no or "")
                if row.about == case_id and row.kind is CaseKind.DISPUTE and row.case_id != opening.case.case_id
            ],
            insured=freight_insurance_fund(case_id) in self._book.cases,  # its case is called so, too
            falls=disputed.falls,
        )

    def _owed(self, request: CompensationRequest, order: OrderFacts) -> int:
        elsewhere = any(
            row.kind is CaseKind.FREIGHT_INSURANCE and row.about != request.about
            for row in self._book.of_order(request.order_no)
        )
        parcel = self._shop.return_parcel(request.about)
        return owed_once(request, order, parcel, self._book.claimed, paid_elsewhere=elsewhere)

    # What it changes ------------------------------------------------------------------------------------

    def _take_hold(self, opening: OpenCase, opened: Opened) -> Opened:
        """The fund is opened, a balance is frozen."""
        case_id, request = opening.case.case_id, opening.request
        for each in funds_of(request, opened):
            self._ledger.open_fund(each.fund, each.currency, each.parts)
        match request:
            case WithdrawalRequest():  # A5
                held = self._shop.freeze(request.allowance_id, case_id, opening.at)
            case ExpiryRequest():  # A6
                held = self._shop.end_validity(request.allowance_id, case_id, opening.at)
            case _:
                return opened
        return told_who_holds(request, opened, held)

    def _write(self, opening: OpenCase, opened: Opened) -> Opened:
        row = self._book.write_opening(opening, opened, first_step(opening, opened))
        if opened.policy and row.application and row.order_no:  # G4
            by = self._book.by_standing_order(row, opened.policy, row.application, opening.at)
            row.opened = opened.model_copy(update={"standing_order": by})
        return row.opened
