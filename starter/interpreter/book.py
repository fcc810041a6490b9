"""The case book in memory: a row and a log for each case, and what is written together with a step (section 12).

What a step needs, and what it comes to, is as in ``activities.postgres.casebook`` and ``requirements``. Here a step
comes once: nothing is lost and done again. There is no vault: what a reference stands for counts as its sender's own.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from activities.deadlines import due, left
from starter.interpreter.ledger import Ledger
from starter.interpreter.shop import Shop
from workflows.kinds.opening_step import FirstStep
from workflows.kinds.stage import STAGES, Stage
from workflows.messages.addresses import ReturnAddress
from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import (
    BalanceChange,
    Due,
    LogEntry,
    Notice,
    OpenCase,
    Opened,
    ParcelWatch,
    Refusal,
    Resumed,
    ShipmentClaim,
    Span,
    Step,
    Stepped,
    Thaw,
)
from workflows.messages.message import CaseId
from workflows.messages.parcels import CarrierEvent, ParcelPurpose
from workflows.messages.payouts import Payout, Reservation, ReserveResult
from workflows.messages.pieces import CasePieces
from workflows.messages.policy import Policy
from workflows.messages.requests import LineAmount
from workflows.messages.scores import ScoreChange
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, StageName, WorkList
from workflows.messages.statements import EvidenceGiven
from workflows.rules.balances import Voiding
from workflows.rules.legs import AlertKind
from workflows.rules.matters import Matter, refused_application_again, refused_dispute_of_case
from workflows.rules.moments import refused_claim, refused_proof
from workflows.rules.pieces import Holder, refused_pieces
from workflows.rules.refusals import refused
from workflows.rules.shipping import parcel_concerns, pieces_sent
from workflows.rules.written_steps import addressed, dated


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
    attention: Attention | None = None
    outcome: OutcomeKind | None = None
    refunded: int = 0
    compensated: int = 0
    return_freight: int = 0
    closed_at: datetime | None = None
    resumed: Resumed | None = None
    """From where another run goes on, once the case was opened again."""
    steps: int = 0
    log: list[LogEntry] = field(default_factory=list[LogEntry])
    notices: list[Notice] = field(default_factory=list[Notice])
    evidence: list[EvidenceGiven] = field(default_factory=list[EvidenceGiven])
    charges: list[ScoreChange] = field(default_factory=list[ScoreChange])
    """Score points that its merchant has lost over it, once a cause (D9)."""


class MemoryBook:
    """Writes what cases decide. ``policy_now`` gives a profile as it is in force."""

    def __init__(self, shop: Shop, ledger: Ledger, policy_now: Callable[[str], Policy | None]) -> None:
        self._shop = shop
        self._ledger = ledger
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
            left=left(step.stops, step.at, self._windows(step.kind, step.stops, step.at)) if step.stops else None,
            reserved=reserved,
            thaw=self._change_balance(row, step),
            address=needed,
            parcel_events=self._watch(row, step),
            policy=policy,
        )
        self._update(row, step, ends, policy)
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

    # What a step needs ----------------------------------------------------------------------------------

    def _needed(self, row: CaseRow, step: Step, policy: Policy | None) -> ReturnAddress | Refusal | None:
        """The address that the step is to go with, or why it cannot be written."""
        checks = (
            step.policy_version and _policy(step.policy_version, policy, row.policies[-1]),
            step.exemption and self._exemption(row, step.exemption),
            step.watch and self._other_parcel(row, step.watch),
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
        exemption, opened = self._shop.exemptions.get(exemption_id), row.opened
        if exemption is None or opened.order is None or opened.ships_until is None:
            return refused("unknown_exemption", "exemption", "L2", f"no exemption {exemption_id} is declared")
        if exemption.merchants and row.merchant_id not in exemption.merchants:
            return refused("exemption_of_others", "exemption", "L2", "the exemption is for other merchants")
        if exemption.starts_at >= opened.ships_until or exemption.ends_at <= opened.order.paid_at:
            return refused("exemption_elsewhen", "exemption", "L2", "it does not touch the time in which to ship")
        return None

    def _other_parcel(self, row: CaseRow, watch: ParcelWatch) -> Refusal | None:
        """T3, T6, T14: why the sign-off of one parcel would pass for that of another one."""
        proves = watch.purpose is ParcelPurpose.ORDER
        if any(
            (each.purpose is ParcelPurpose.ORDER and each.order_no == row.order_no and not proves)
            or (each.case_id == row.case_id and each.purpose is not watch.purpose)
            for each in self._shop.watchers(watch.parcel)
        ):
            field = "shipping.tracking_no" if proves else "parcel"
            return refused("own_parcel", field, "T3", "this parcel has carried other goods of this order")
        order = self._shop.orders.get(row.order_no or "")
        if watch.shipped_at is None or order is None:
            return None
        contents = self._shop.carried(order.order_no, watch.parcel)
        held = row.pieces.lines if row.pieces else ()
        unshipped = row.kind is CaseKind.UNSHIPPED_REFUND
        in_it = parcel_concerns(held, order, contents, {}) if unshipped else any(each.line in contents for each in held)
        if contents and held and not in_it:
            explanation = "this parcel is known to carry other goods of the order"
            return refused("not_in_it", "shipping.tracking_no", "R15", explanation)
        return refused_proof(watch.shipped_at, order, self._shop.history(watch.parcel))

    def _claim(self, row: CaseRow, pieces: CasePieces) -> Refusal | None:
        """R13: why the case cannot have the pieces that it claims."""
        if row.opened.order is None or row.order_no is None:
            return None
        others = self.holders_of(row.order_no, row.case_id)
        lines = [LineAmount(line=each.line, quantity=each.quantity, amount=each.amount) for each in pieces.lines]
        return refused_pieces(lines, pieces.use, row.opened.order, others, by_pieces=False)

    def _no_proof(self, row: CaseRow, claim: ShipmentClaim) -> Refusal | None:
        """L2: what is known of the order and of the parcel stands against the claim that it has shipped."""
        order = self._shop.orders.get(row.order_no or "")
        if order is None:
            return None
        contents = self._shop.carried(order.order_no, claim.parcel)
        if contents and any(
            max(contents.get(line.line, 0), pieces_sent(order, line)) < line.quantity for line in order.lines
        ):
            return refused("not_all_of_it", "parcel", "L2", "this parcel is known to carry a part of the order only")
        return refused_claim(claim.shipped_at, order, self._shop.history(claim.parcel))

    def _beside_others(self, row: CaseRow, step: Step) -> Refusal | None:
        """R16, D10: what other cases of the order have to do with what is applied for anew, or disputed."""
        opened = row.opened
        if opened.order is None or row.application is None or opened.policy is None:
            return None
        others = self.matters_of(opened.order.order_no, row.case_id)
        if step.application:
            most = opened.policy.refund.most_applications
            return refused_application_again(step.application, step.application.version, others, most)
        return refused_dispute_of_case(row.application, row.case_id, opened.order, others)

    # What goes with a step ------------------------------------------------------------------------------

    def _windows(self, kind: CaseKind, span: Span, at: datetime):
        return () if span.until else self._shop.windows_for(kind, span.since or at)

    def _deadline_of(self, step: Step, policy: Policy | None) -> Due | None:
        stage, span = STAGES[step.stage], step.span
        if policy and span and span.until is None and stage.span:
            span = stage.span(policy).model_copy(update={"since": span.since})
        if span is None:
            return None
        ends = self.deadline(step.kind, stage, span, step.at)
        # A new version of the policy does not decide in the past.
        return ends.model_copy(update={"at": max(ends.at, step.at)}) if policy else ends

    def _reserve(self, payout: Payout, at: datetime) -> ReserveResult:
        """R8, D8: what a ruling still has to pay is not known before the case that counts has ended."""
        counts = payout.remainder.counts if payout.remainder else None
        if counts and counts != payout.case_id and payout.waits:
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
            return self._shop.thaw(row.allowance_id, row.case_id)
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


def _policy(version: int, policy: Policy | None, moves_from: Policy) -> Refusal | None:
    if policy is None or policy.version != version:
        in_force = f"version {policy.version}" if policy else "no version"
        return refused("version_not_in_force", "version", "section 2", f"{in_force} is in force")
    if (moves_from.name, moves_from.version) == (policy.name, version):
        return refused("same_version", "version", "section 2", "the case goes by this version already")
    return None
