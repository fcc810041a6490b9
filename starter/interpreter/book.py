"""The case book in memory: a row and a log for each case, and what is written together with a step (section 12).

It reads and writes as ``activities.postgres.casebook`` and ``requirements`` do. Here a step comes
once: nothing is lost and done again. There is no vault: what a reference stands for counts as its sender's own.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from activities.deadlines import due, left
from starter.interpreter.ledger import Beside, Ledger
from starter.interpreter.shop import Shop
from workflows.kinds.opening_step import FirstStep
from workflows.kinds.stage import STAGES, Stage
from workflows.kinds.steps import not_decided_before, span_of
from workflows.messages.addresses import ReturnAddress
from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import Due, LogEntry, Notice, Refusal, Resumed, Span, Step, StepAnswer, Stepped
from workflows.messages.message import CaseId
from workflows.messages.openings import OpenCase, Opened
from workflows.messages.parcels import CarrierEvent, ParcelPurpose
from workflows.messages.payouts import Payout, Reservation, ReserveResult
from workflows.messages.pieces import CasePieces
from workflows.messages.policy import Policy
from workflows.messages.proposals import Talk
from workflows.messages.requests import PriceFall
from workflows.messages.scores import ScoreChange
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, StageName, WorkList
from workflows.messages.standing_orders import ByStandingOrder
from workflows.messages.statements import EvidenceGiven
from workflows.messages.step_parts import BalanceChange, ParcelWatch, ShipmentClaim, Thaw
from workflows.rules.allocation import waits_for
from workflows.rules.balances import Voiding
from workflows.rules.identity import allowance_fund
from workflows.rules.legs import AlertKind
from workflows.rules.matters import Matter
from workflows.rules.pieces import Holder
from workflows.rules.refusals import refused
from workflows.rules.standing_orders import NOT_THE_BUYERS, Known, day_began, deciding, fitting
from workflows.rules.step_checks import (
    refused_claim_of_pieces,
    refused_exemption,
    refused_leaving,
    refused_parcel,
    refused_policy,
    refused_shipment,
    refused_step_beside_others,
)
from workflows.rules.written_steps import addressed, dated


@dataclass(frozen=True)
class Decided:
    """What a standing order has decided."""

    by: ByStandingOrder
    amount: int
    at: datetime


@dataclass
class CaseRow:
    """A case as work lists and other cases see it."""

    case_id: CaseId
    kind: CaseKind
    stage: StageName
    merchant_id: str
    buyer_id: str | None
    order_no: str | None
    allowance_id: str | None
    about: CaseId | None
    opened: Opened
    opened_at: datetime
    asked: int
    policies: list[Policy]
    """The one it was opened under, and those that it was moved to."""
    due: datetime | None
    work_list: WorkList | None
    application: ApplicationVersion | None = None
    pieces: CasePieces | None = None
    talk: Talk | None = None
    attention: Attention | None = None
    outcome: OutcomeKind | None = None
    refunded: int = 0
    compensated: int = 0
    return_freight: int = 0
    closed_at: datetime | None = None
    resumed: Resumed | None = None
    """From where another run goes on, once the case was opened again."""
    steps: int = 0
    state: dict[str, Any] | None = None
    """As the last step has left it, where the case's host wants its state kept."""
    last: StepAnswer | None = None
    """What that step gave."""
    log: list[LogEntry] = field(default_factory=list[LogEntry])
    notices: list[Notice] = field(default_factory=list[Notice])
    evidence: list[EvidenceGiven] = field(default_factory=list[EvidenceGiven])
    by_standing_orders: list[Decided] = field(default_factory=list[Decided])
    """What a standing order has decided, application by application (G4)."""
    falls: tuple[PriceFall, ...] = ()
    """The prices that have fallen, of a case of price protection (B1)."""
    charges: list[ScoreChange] = field(default_factory=list[ScoreChange])
    """Score points that its merchant has lost over it, once a cause (D9)."""


class MemoryBook:
    """Writes what cases decide. ``policy_now`` gives a profile as it is in force."""

    def __init__(self, shop: Shop, ledger: Ledger, policy_now: Callable[[str], Policy | None]) -> None:
        self._shop = shop
        self._ledger = ledger
        ledger.beside = lambda order_no, case: Beside(self.matters_of(order_no, case), self.holders_of(order_no, case))
        self._policy_now = policy_now
        self.cases: dict[CaseId, CaseRow] = {}
        self._of_order: dict[str, list[CaseRow]] = {}
        self.claimed: dict[str, str] = {}
        """What is owed once: each claim, and who has it (R16, T10)."""

    def write_opening(self, opening: OpenCase, opened: Opened, step: FirstStep) -> CaseRow:
        """Step 0: the case's row, the pieces that it names (R13), and the first line of its log."""
        request, at = opening.request, opening.at
        if opened.kind is None or opened.stage is None or opened.asked is None or opened.policy is None:
            raise ValueError("a refused request is not written down")
        row = CaseRow(
            case_id=opening.case.case_id,
            kind=opened.kind,
            stage=opened.stage,
            merchant_id=request.merchant_id,
            buyer_id=step.buyer_id,
            order_no=getattr(request, "order_no", None),
            allowance_id=getattr(request, "allowance_id", None),
            about=getattr(request, "about", None),
            opened=opened,
            opened_at=at,
            asked=opened.asked.amount,
            policies=[opened.policy],
            due=opened.due.at if opened.due else None,
            work_list=step.work_list,
            application=step.application,
            pieces=step.pieces,
            falls=getattr(request, "falls", ()),
            log=[step.entry],
            notices=list(step.notices),
            evidence=[step.evidence] if step.evidence else [],
        )
        self.cases[row.case_id] = row
        if row.order_no:
            self._of_order.setdefault(row.order_no, []).append(row)
        return row

    def write_step(self, step: Step) -> Stepped:
        """Write a step down, unless something that it needs stands against it.

        Raises:
            ValueError: it is not the next one.
        """
        row = self.cases[step.case.case_id]
        if step.step != row.steps + 1:
            raise ValueError(f"{row.case_id} is at step {row.steps}, not before step {step.step}")
        policy = self._policy_now(row.policies[-1].name) if step.policy_version else None
        needed = self._needed(row, step, policy)
        if isinstance(needed, Refusal):
            return Stepped(refusal=needed, step=step.step)
        if needed:
            step = addressed(step, needed)
        reserved = self._reserve(step.reserve, step.at) if step.reserve else None
        if step.only_with_room and reserved and reserved.reservation is not Reservation.RESERVED:
            return Stepped(reserved=reserved, written=False, step=step.step)
        ends = self._deadline_of(step, policy)
        row.log.extend(step.entries)
        row.notices.extend(dated(step.notices, ends))
        self._keep(row, step)
        stepped = Stepped.made_of(
            step=step.step,
            due=ends,
            left=self._left(step, step.stops) if step.stops else None,
            reserved=reserved,
            thaw=self._change_balance(row, step),
            address=needed,
            parcel_events=self._watch(row, step),
            policy=policy,
            standing_order=self._asked_again(row, step),
        )
        self._update(row, step, ends, policy)
        if step.state is not None:
            row.state, row.last = step.state, stepped
        return stepped

    def deadline(self, kind: CaseKind, stage: Stage, span: Span, at: datetime) -> Due:
        """When a stage that begins at ``at`` ends: moved by pause windows where silence decides (section 9)."""
        movable = stage.pausable and span.until is None
        return due(span, at, self._windows(kind, span, at) if movable else ())

    def matters_of(self, order_no: str, *besides: CaseId | None) -> tuple[Matter, ...]:
        """What the cases of an order are about, open and ended, without ``besides`` these (D10, R16)."""
        return tuple(
            Matter(
                case_id=row.case_id,
                kind=row.kind,
                stage=row.stage,
                opened_in=row.opened.stage or row.stage,
                outcome=row.outcome,
                about=row.about,
                asked=row.asked,
                refunded=row.refunded,
                application=row.application,
            )
            for row in self.of_order(order_no)
            if row.case_id not in besides
        )

    def holders_of(self, order_no: str, *besides: CaseId | None) -> tuple[Holder, ...]:
        """The cases of an order that name pieces, without ``besides`` these (R13)."""
        return tuple(
            Holder(case_id=row.case_id, kind=row.kind, stage=row.stage, outcome=row.outcome, pieces=row.pieces)
            for row in self.of_order(order_no)
            if row.pieces and row.case_id not in besides
        )

    def of_order(self, order_no: str) -> Iterator[CaseRow]:
        """The cases of an order, open and ended, by their ids."""
        found = self._of_order.get(order_no, ())
        return iter(found if len(found) < 2 else sorted(found, key=lambda row: row.case_id))

    def by_standing_order(
        self, row: CaseRow, policy: Policy, version: ApplicationVersion, at: datetime
    ) -> ByStandingOrder | None:
        """G4: the merchant's standing order that decides an application of a case; it counts from now on."""
        mine = (
            each
            for each in self._shop.standing_orders
            if (each.merchant_id, each.profile) == (row.merchant_id, policy.name)
        )
        orders = fitting(mine, policy, row.kind, version)
        if not orders:
            return None
        others = [each for each in self.cases.values() if each.merchant_id == row.merchant_id]
        began, by_number = day_began(at, policy.place), Counter[int]()
        for each in others:
            if each.policies[0].name == policy.name:
                by_number.update({one.by.number: one.amount for one in each.by_standing_orders if one.at >= began})
        own = [
            each.opened_at
            for each in others
            if each.buyer_id == row.buyer_id and each is not row and each.kind not in NOT_THE_BUYERS
        ]
        cases = {
            days: sum(opened > at - timedelta(days=days) for opened in own)
            for days in {each.terms.days for each in orders}
        }
        by = deciding(orders, policy, version.amount, Known(by_number=by_number, cases=cases))
        if by:
            row.by_standing_orders.append(Decided(by, version.amount, at))
        return by

    def _asked_again(self, row: CaseRow, step: Step) -> ByStandingOrder | None:
        if not step.asks_standing_orders or step.application is None:
            return None
        return self.by_standing_order(row, row.policies[-1], step.application, step.at)

    # What a step needs ----------------------------------------------------------------------------------

    def _needed(self, row: CaseRow, step: Step, policy: Policy | None) -> ReturnAddress | Refusal | None:
        """The address that the step is to go with, or why it cannot be written."""
        checks = (
            step.policy_version and refused_policy(step.policy_version, policy, _name(row.policies[-1])),
            step.exemption and self._exemption(row, step.exemption),
            step.watch and self._parcel(row, step.watch),
            step.claims and step.pieces and self._claim(row, step.pieces),
            step.proof and self._no_proof(row, step.proof),
            (step.application or step.disputes) and self._beside_others(row, step),
        )
        if refusal := next((each for each in checks if isinstance(each, Refusal)), None):
            return refusal
        if step.address is None:
            return None
        asked = step.address.address_id
        for address in self._shop.addresses.get(row.merchant_id, ()):
            if asked in (None, address.address_id):
                return address
        explanation = f"there is no address {asked} in the address book" if asked else "there is no default address"
        return refused("unknown_address", "address_id", "T2", explanation)

    def _exemption(self, row: CaseRow, exemption_id: str) -> Refusal | None:
        return refused_exemption(exemption_id, self._shop.exemptions.get(exemption_id), row.merchant_id, row.opened)

    def _parcel(self, row: CaseRow, watch: ParcelWatch) -> Refusal | None:
        refusal = refused_parcel(watch, row.case_id, row.order_no, self._shop.watchers(watch.parcel))
        order = self._shop.orders.get(row.order_no or "")
        if refusal or watch.shipped_at is None or order is None:
            return refusal
        contents = self._shop.carried(order.order_no, watch.parcel)
        return refused_leaving(
            watch.shipped_at, row.kind, row.pieces, order, contents, self._shop.history(watch.parcel)
        )

    def _claim(self, row: CaseRow, pieces: CasePieces) -> Refusal | None:
        if row.opened.order is None or row.order_no is None:
            return None
        return refused_claim_of_pieces(pieces, row.opened.order, self.holders_of(row.order_no, row.case_id))

    def _no_proof(self, row: CaseRow, claim: ShipmentClaim) -> Refusal | None:
        order = self._shop.orders.get(row.order_no or "")
        if order is None:
            return None
        contents = self._shop.carried(order.order_no, claim.parcel)
        return refused_shipment(claim, order, contents, self._shop.history(claim.parcel))

    def _beside_others(self, row: CaseRow, step: Step) -> Refusal | None:
        if row.application is None or row.order_no is None:
            return None
        others = self.matters_of(row.order_no, row.case_id)
        return refused_step_beside_others(step, row.opened, row.application, others)

    # What goes with a step ------------------------------------------------------------------------------

    def _windows(self, kind: CaseKind, span: Span, at: datetime):
        return () if span.until else self._shop.windows_for(kind, span.since or at)

    def _left(self, step: Step, stopped: Span) -> timedelta:
        return left(stopped, step.stopped_at or step.at, self._windows(step.kind, stopped, step.at))

    def _deadline_of(self, step: Step, policy: Policy | None) -> Due | None:
        if (span := span_of(step, policy)) is None:
            return None
        return not_decided_before(step, policy, self.deadline(step.kind, STAGES[step.stage], span, step.at))

    def _reserve(self, payout: Payout, at: datetime) -> ReserveResult:
        if counts := waits_for(payout):
            counted = self.cases.get(counts)
            if counted is None or counted.closed_at is None:
                return ReserveResult(reservation=Reservation.CONTENDED)
        return self._ledger.reserve(payout, at)

    def _keep(self, row: CaseRow, step: Step) -> None:
        """Evidence (D6) and score points (D9)."""
        if step.evidence:
            row.evidence.append(step.evidence)
        for charge in step.charges:
            if all(each.cause is not charge.cause for each in row.charges):
                row.charges.append(charge)

    def _change_balance(self, row: CaseRow, step: Step) -> Thaw | None:
        """A5: a balance is thawed or voided together with the step that says so."""
        if step.balance is None or row.allowance_id is None:
            return None
        if step.balance is BalanceChange.THAW:
            paid_back = self._ledger.refunded(allowance_fund(row.allowance_id))
            return self._shop.thaw(row.allowance_id, row.case_id, step.at, paid_back=paid_back)
        voiding = self._shop.void(row.allowance_id, row.case_id, step.at)
        if voiding is not Voiding.VOIDED:  # the money has moved: a person must look
            for leg in self._ledger.legs_of(row.case_id):
                self._ledger.alert(AlertKind.BALANCE_NOT_HELD, row.case_id, leg.refund_no, voiding, step.at)
        return None

    def _watch(self, row: CaseRow, step: Step) -> tuple[CarrierEvent, ...]:
        """R15, T3, T8: from now on the case is told of the parcel."""
        if step.watch is None:
            return ()
        if step.watch.instead_of:
            self._shop.unwatch(step.watch.instead_of, row.case_id)
        return self._shop.watch(step.watch.parcel, step.watch.purpose, case_id=row.case_id)

    def _update(self, row: CaseRow, step: Step, ends: Due | None, policy: Policy | None) -> None:
        row.kind, row.stage, row.work_list = step.kind, step.stage, step.work_list
        row.attention, row.outcome = step.attention, step.outcome
        row.refunded, row.compensated = step.refunded, step.compensated
        row.due = ends.at if ends else None
        row.steps = step.step
        if step.stage is StageName.CLOSED and row.closed_at is None:
            row.closed_at = step.at
        elif step.stage is not StageName.CLOSED:
            row.closed_at = None
        if step.watch and step.watch.purpose is ParcelPurpose.RETURN:
            row.return_freight = step.watch.freight_paid
        if policy:
            row.policies.append(policy)
        if step.application:
            row.asked, row.application = step.application.amount, step.application
        if step.pieces:
            row.pieces = step.pieces
        if step.talk:
            row.talk = step.talk


def _name(policy: Policy) -> str:
    return f"{policy.name}/{policy.version}"
