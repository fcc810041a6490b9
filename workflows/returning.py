"""Goods that come back: the process of a return or an exchange (T1 to T11, T14, T15).

A refund whose goods have shipped meanwhile goes this way as well (R7), so that it stands apart from the workflow
``Return``.
"""

from datetime import datetime

from temporalio import workflow

from workflows.case import DisputeEnded, Happening
from workflows.compensation import owe
from workflows.incoming import WITH_MERCHANT, IncomingCase
from workflows.messages.actors import CLOCK, Role
from workflows.messages.cases import (
    AddressChoice,
    LogEntry,
    NoticeTemplate,
    Outcome,
    ParcelWatch,
    Refusal,
    Stepped,
)
from workflows.messages.commands import (
    AgreeReturn,
    Amend,
    Approve,
    CloseCase,
    Command,
    ConfirmExchange,
    ConfirmReceipt,
    ConvertToRefund,
    EnterTracking,
    ExtendReceipt,
    GiveRefundAccount,
    OpenDispute,
    RefundDirectly,
    Reject,
    ReportParcel,
    Reship,
    SendBack,
    SubmitEvidence,
    Withdraw,
)
from workflows.messages.parcels import Parcel, ParcelEvent
from workflows.messages.pieces import PieceUse
from workflows.messages.requests import CompensationCause, RefundRequest, ReturnRequest
from workflows.messages.rulings import Award, FreightBearer, Ruling
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, StageName
from workflows.outgoing import BACK, EXCHANGE
from workflows.rules.compensation import return_freight_owed
from workflows.rules.evidence import evidence_facts
from workflows.rules.parcels import DIRECTORY, came_back, signed_at
from workflows.rules.pieces import accepted_pieces, named, pieces_of
from workflows.rules.refusals import refused
from workflows.rules.returns import accepted, is_whole_order, received_parts, refused_receipt
from workflows.rules.shipping import QUALITY_FAULTS
from workflows.rules.stages import (
    ADDRESS_MISSING,
    AWAITING_RETURN,
    ESCALATED,
    EXCHANGE_UNDERWAY,
    GOODS_HELD,
    RECEIPT_REJECTED,
    RESHIP_OVERDUE,
    RESHIPMENT,
    RETURN_DELAYED,
    RETURN_RECEIVED,
    RETURN_REVIEW,
    SENT_BACK,
)

RETURN_COMMANDS: tuple[type[Command], ...] = (
    AgreeReturn,
    RefundDirectly,
    Reject,
    Withdraw,
    Amend,
    Approve,
    SubmitEvidence,
    EnterTracking,
    GiveRefundAccount,
    ConfirmReceipt,
    ExtendReceipt,
    Reship,
    SendBack,
    ConfirmExchange,
    ConvertToRefund,
    OpenDispute,
    CloseCase,
)


class ReturningCase(IncomingCase):
    """A case in which goods may come back."""

    def __init__(self, request: RefundRequest | ReturnRequest, *, exchange: bool = False) -> None:
        """See CaseWorkflow."""
        super().__init__(request)
        self._exchange = exchange
        self._insurance_paid = 0
        self._wants_money: set[Role] = set()
        self._out: list[Parcel] = []
        """Parcels on their way to the buyer with goods of this case (R3, R7, R15)."""
        self._back: list[Parcel] = []

    async def returning(self) -> Outcome:
        """Carry a return or an exchange from the merchant's decision to its outcome."""
        while True:
            event = await self.next(ReportParcel)
            match event:
                case RefundDirectly():  # T1
                    return await self._refund_directly(event)
                case AgreeReturn():  # T1, T2
                    await self._agree(event)
                case Reject() if self.stage is RETURN_REVIEW:  # T1
                    await self.reject(event)
                case Reject():  # T6: the goods are not as agreed
                    await self.reject(event, RECEIPT_REJECTED)
                case Amend():  # R6
                    await self.apply_again(event, RETURN_REVIEW)
                case Approve():  # D2: what the buyer disputes is granted
                    self.pieces = pieces_of(self.application, self._comes_to)
                    return await self.refund(self.obeyed(event, "approved"), by=event.by, rule="D2")
                case EnterTracking():  # T3
                    await self.enter_tracking(event)
                case GiveRefundAccount():  # T4
                    await self.take_account(event)
                case ConfirmReceipt():  # T5, T6, T8
                    if ended := await self._confirm_receipt(event):
                        return ended
                case ExtendReceipt():  # T7
                    await self.extend_receipt(event)
                case Reship():  # T8
                    await self.reship(event)
                    self._has_goods, self._confirmed = self.stage is not EXCHANGE_UNDERWAY, True
                case SendBack():  # T15
                    await self.send_back(event)
                    self._has_goods = self.stage is not SENT_BACK
                case ConfirmExchange():  # T8
                    return await self.exchanged(self.obeyed(event, "exchange_confirmed"))
                case ConvertToRefund():  # T9
                    if ended := await self._convert_to_refund(event):
                        return ended
                case SubmitEvidence():
                    await self.take_evidence(event)
                case Withdraw():  # R6
                    return await self.withdrawn(event, "R6")
                case CloseCase():
                    return await self.closed_by_officer(event)
                case DisputeEnded(ruling=Ruling() as ruling) if self._to_be_sent_back(ruling):  # D8, T15
                    await self._dismiss(ruling)
                case DisputeEnded(ruling=Ruling() as ruling):  # D8
                    return await self.carry_out(ruling)
                case ReportParcel():  # T6, T14
                    await self.carrier_tells(event)
                case Happening.SILENCE:
                    if ended := await self._silence():
                        return ended
                case _:
                    raise AssertionError(f"{event} does not belong to {self.stage.name}")

    async def become_return(self, entry: LogEntry, watch: ParcelWatch | None = None) -> Stepped:
        """R7: the buyer has the goods, or will: they must come back first, and the merchant decides how (T1).

        Refused, and not done, where the goods are coming back in another case already (R13).
        """
        before, self.kind = self.kind, CaseKind.RETURN
        self.pieces, self.claims = pieces_of(self.application, PieceUse.RETURN), True
        notices = self.notice_to_both(NoticeTemplate.GOODS_UNDERWAY)
        stepped = await self.enter(RETURN_REVIEW, entry, notices=notices, watch=watch)
        if stepped.refusal:
            self.kind, self.pieces, self.claims = before, None, False
        return stepped

    def follow(self, report: ReportParcel) -> None:
        """R3, R7, R15: which parcels are on their way to the buyer; one that is back is not sent again."""
        self.hear_of_parcels(report)
        match report.event:
            case ParcelEvent.RETURNED_TO_WAREHOUSE:
                self._out = [each for each in self._out if each != report.parcel]
                self._back.append(report.parcel)
            case ParcelEvent.SHIPPED | ParcelEvent.ON_DELIVERY_RUN | ParcelEvent.REFUSED:
                self.sent_in(report.parcel)
            case _:
                pass

    def sent_in(self, *parcels: Parcel) -> None:
        """Goods of this case are on their way to the buyer in these parcels."""
        known = (*self._out, *self._back)
        self._out += [each for each in parcels if each not in known and each.carrier != DIRECTORY]

    @property
    def all_back(self) -> bool:
        """Whether no parcel with goods of this case is known to be on its way to the buyer (R3, R7, R15)."""
        return not self._out

    def contradicted(self, report: ReportParcel) -> bool:
        """T14: whether a sign-off is told of a parcel that was refused, or went back to who sent it."""
        return report.event is ParcelEvent.SIGNED and came_back(self._told, report.parcel, None)

    async def ask_who_has_the_goods(self, report: ReportParcel) -> None:
        """T14: what the carrier says cannot all be true; silence decides nothing, and a person finds out."""
        await self.enter(ESCALATED, self.parcel(report), attention=Attention.GOODS_CONTRADICTED)

    async def refund_back(self, report: ReportParcel, rule: str) -> Outcome:
        """R3, R7: the goods are in the warehouse again."""
        self.pieces = pieces_of(self.application, PieceUse.BACK)
        return await self.refund(self.parcel(report), by=report.by, rule=rule)

    async def _silence(self) -> Outcome | None:
        match self.stage.name:
            case StageName.RETURN_REVIEW:  # T1: who says nothing agrees to the return, not to a refund
                await self._agree_by_silence()
            case StageName.AWAITING_RETURN:  # T3
                return await self._not_returned()
            case StageName.RETURN_IN_TRANSIT:  # T7
                notices = () if self._extended else self.notice(NoticeTemplate.EXTENSION_OFFERED, self.merchant)
                await self.enter(RETURN_DELAYED, self.silent("extension_offered"), notices=notices)
            case StageName.RETURN_DELAYED | StageName.RETURN_EXTENDED:
                await self.ask_for_return()
            case StageName.RETURN_RECEIVED:  # T6
                return await self._refund_received(self.silent("approved_by_silence"), rule="T6")
            case StageName.RESHIPMENT:  # T8: a right, and no decision
                notices = self.notice(NoticeTemplate.INTERVENTION_OPEN, self.buyer)
                entry = self.silent("reshipment_overdue")
                await self.enter(RESHIP_OVERDUE, entry, notices=notices, attention=Attention.RESHIP_OVERDUE)
            case StageName.EXCHANGE_UNDERWAY:  # T8, T14
                if await self.buyer_has_them(EXCHANGE):
                    return await self.exchanged(self.silent("exchange_confirmed_by_silence"))
                self._has_goods = True
            case StageName.RECEIPT_REJECTED:  # T15
                await self.enter(GOODS_HELD, self.silent("goods_held"), attention=Attention.GOODS_HELD)
            case StageName.SENT_BACK:  # T15
                if await self.buyer_has_them(BACK):
                    return await self.close_as_rejected(OutcomeKind.DISMISSED if self.ruling else OutcomeKind.REJECTED)
                self._has_goods = True
            case _:  # rejected before anything was sent
                return await self.close_as_rejected()
        return None

    # T1, T2: agreeing -----------------------------------------------------------------------------------

    async def _agree(self, command: AgreeReturn) -> None:
        clauses = dict.fromkeys(command.clauses, 1)
        entry = self.obeyed(command, "return_agreed", **clauses)
        if refusal := await self._await_return(entry, command.address_id, " ".join(clauses)):
            self.answer(command, refusal)

    async def _agree_by_silence(self) -> None:
        entry = self.silent("return_agreed_by_silence")
        if await self._await_return(entry, None, ""):
            await self.enter(
                ADDRESS_MISSING,
                entry,
                attention=Attention.ADDRESS_MISSING,
                notices=self.notice(NoticeTemplate.ADDRESS_WANTED, self.merchant),
            )

    async def _await_return(self, entry: LogEntry, address_id: str | None, clauses: str) -> Refusal | None:
        days = self.policy.returns.send_days
        stepped = await self.enter(
            AWAITING_RETURN,
            entry,
            address=AddressChoice(address_id=address_id),
            notices=self.notice(NoticeTemplate.RETURN_AGREED, self.buyer, clauses=clauses, days=days),
        )
        if stepped.refusal is None:
            self.return_address = stepped.address
            self._agreed_at = entry.at
        return stepped.refusal

    # T3, T6: received, or not ---------------------------------------------------------------------------

    async def goods_signed(self, entry: LogEntry, happened_at: datetime) -> None:
        """T6, T8, T10: by a sign-off."""
        self._received = self._has_goods = True
        await self._pay_insurance()
        if self._exchange:
            await self._owe_other_goods(entry, happened_at)
            return
        await self.enter(
            RETURN_RECEIVED,
            entry,
            span=self.span_from(RETURN_RECEIVED, happened_at),
            notices=self.notice(NoticeTemplate.RETURN_SIGNED, self.merchant),
        )

    async def _not_returned(self) -> Outcome:
        return await self.close(
            OutcomeKind.NOT_RETURNED,
            self.silent("not_returned"),
            rule="T3",
            by=CLOCK,
            notices=self.closed_notices(OutcomeKind.NOT_RETURNED),
        )

    # T5, T6, T10, T11: received -------------------------------------------------------------------------

    async def _confirm_receipt(self, command: ConfirmReceipt) -> Outcome | None:
        if not await self.keeps_evidence(command, "receipt_confirmed"):
            return None
        accepted = {f"accepted_{each.line}": each.quantity for each in command.accepted or ()}
        reason = {"reason": command.reason} if command.reason else {}
        entry = self.obeyed(command, "receipt_confirmed", **accepted, **reason, **evidence_facts(command.evidence))
        self._received = self._has_goods = self._confirmed = True
        if self._parcel:  # T10: who confirms it has signed for it, whatever the carrier says
            await self._pay_insurance()
        if self._exchange:  # T8
            await self._owe_other_goods(entry, workflow.now())
            return None
        rule = "T6" if self.stage in (RETURN_RECEIVED, RECEIPT_REJECTED, GOODS_HELD) else "T5"
        return await self._refund_received(entry, rule=rule, receipt=command)

    async def _refund_received(self, decided: LogEntry, *, rule: str, receipt: ConfirmReceipt | None = None) -> Outcome:
        await self._owe_freight_by_fault()
        wanted = received_parts(self.application, receipt)
        self.pieces = accepted_pieces(self.application, accepted(self.application, receipt), wanted)
        return await self.refund(decided, by=decided.by, rule=rule, wanted=wanted)

    async def _refund_directly(self, command: RefundDirectly) -> Outcome:
        """T1: without the goods, be it that they were lost on their way back, which has cost the buyer freight."""
        await self._owe_freight_by_fault()
        self.pieces = pieces_of(self.application, PieceUse.REFUND)
        return await self.refund(self.obeyed(command, "refunded_directly"), by=command.by, rule="T1")

    async def _pay_insurance(self) -> None:
        """T10: once, when the return is signed for."""
        if self.order.freight_insured and not self._insurance_paid:
            self._insurance_paid = self.order.freight_insured
            await owe(self.order, self.case_id, CompensationCause.FREIGHT_INSURANCE, self._insurance_paid)

    async def _owe_freight_by_fault(self) -> None:
        if self.application.reason in QUALITY_FAULTS:
            await self._owe_return_freight()

    async def _owe_return_freight(self) -> None:
        """T10: what the insurance has paid is not paid twice."""
        owed = return_freight_owed(self._freight_paid, self.policy.returns.most_return_freight, 0)
        insured = self._insurance_paid
        # R16: another parcel of the order may be the insured one, unless all of the order is in this one.
        if owed > insured or (owed and not is_whole_order(self.application, self.order)):
            await owe(self.order, self.case_id, CompensationCause.RETURN_FREIGHT, owed, insured)

    async def carry_out(self, ruling: Ruling) -> Outcome:
        """D8: also who bears what sending the goods back has cost, and what a sign-off under the lock owes (T10)."""
        await self._owe_by(ruling)
        if ruling.lines:
            self.pieces = named(ruling.lines, self._comes_to)
        return await super().carry_out(ruling)

    def _to_be_sent_back(self, ruling: Ruling) -> bool:
        """T15: the merchant has goods, be it since the case was locked, of which nothing is granted.

        All of a claim to goods that cost nothing is granted without a payment (R13).
        """
        if ruling.amount or ruling.award is Award.FULL:
            return False
        confirmed = any(isinstance(each, ConfirmReceipt) for each in self._kept)
        return confirmed or self._has_goods or self._signed_under_the_lock()

    async def _dismiss(self, ruling: Ruling) -> None:
        """D8, T15: the merchant sends back what it need not pay for; silence calls a person."""
        await self._owe_by(ruling)
        self._kept.clear()
        self.ruling = ruling
        self._has_goods = True
        await self.enter(RECEIPT_REJECTED, self.ruling_entry(ruling))

    async def _owe_by(self, ruling: Ruling) -> None:
        if self._signed_under_the_lock():
            await self._pay_insurance()
        if ruling.return_freight is FreightBearer.MERCHANT:
            await self._owe_return_freight()

    def _signed_under_the_lock(self) -> bool:
        kept = [each for each in self._kept if isinstance(each, ReportParcel)]
        signed = signed_at([*self._told, *kept], self._parcel, None)
        return signed is not None and any(each.event is ParcelEvent.SIGNED for each in kept)

    @property
    def _comes_to(self) -> PieceUse:
        """What a refund that is granted makes of the pieces: they stay where they are (R13)."""
        return PieceUse.BACK if self._received else PieceUse.REFUND

    # T8, T9: exchange -----------------------------------------------------------------------------------

    async def _owe_other_goods(self, entry: LogEntry, received_at: datetime) -> None:
        """T8: 72 hours from receiving the goods on."""
        await self.enter(
            RESHIPMENT,
            entry,
            span=self.span_from(RESHIPMENT, received_at),
            notices=self.notice(NoticeTemplate.RETURN_SIGNED, self.merchant),
        )

    async def _convert_to_refund(self, command: ConvertToRefund) -> Outcome | None:
        """T9: agreed on once both sides have said so; goods that the merchant has are paid back at once."""
        self._wants_money.add(command.by.role)
        if self._wants_money < {Role.BUYER, Role.MERCHANT}:
            await self.note(self.obeyed(command, "refund_wanted"))
            return None
        entry = self.obeyed(command, "converted_to_refund")
        self._exchange = False
        self.kind = CaseKind.RETURN
        self.pieces = pieces_of(self.application, PieceUse.RETURN)  # R13: refunded, and not exchanged
        if self.stage in WITH_MERCHANT:
            return await self._refund_received(entry, rule="T9")
        await self.note(entry)
        return None

    def content_refusal(self, command: Command) -> Refusal | None:
        """T4, T6, T7, T9, T11: what a receipt, an extension, a tracking number or a conversion must fit."""
        match command:
            case ConfirmReceipt() if self.kind not in (CaseKind.RETURN, CaseKind.EXCHANGE):
                return refused("nothing_to_receive", "command", "T5", "no goods come back in this case")
            case ConfirmReceipt() if (
                refusal := refused_receipt(command, self.application, exchange=self._exchange)
            ) is not None:
                return refusal
            case ExtendReceipt() if self._extended:
                return refused("extended_before", "command", "T7", "the receipt has been extended, which is for once")
            case EnterTracking() if command.refund_account and not self.order.cash_on_delivery:
                return refused("not_cash_on_delivery", "refund_account", "T4", "the order was paid in advance")
            case ConvertToRefund() if not self._exchange:
                return refused("no_exchange", "command", "T9", "the case is not an exchange (any more)")
            case ConvertToRefund() if command.by.role in self._wants_money:
                return refused("said_before", "by.role", "T9", "the other side has not agreed yet")
            case _:
                return super().content_refusal(command)
