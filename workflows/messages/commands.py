"""What an actor asks of an open case.

Each command is sent as an update (the caller gets the new view, or a refusal) or as a signal (fire and
forget), under the same name. ``key`` makes it one command however often it is sent. The module is long because it is
the whole vocabulary, a class a command, in the order of the rulebook.
"""

import re
from functools import cache
from typing import Annotated, ClassVar, Final, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from workflows.messages.actors import Actor, Role
from workflows.messages.addresses import ReturnClause
from workflows.messages.evidence import EvidenceList, SomeEvidence
from workflows.messages.message import (
    CarrierCode,
    CaseId,
    Code,
    Identifier,
    Input,
    Moment,
    ProviderCode,
    Reference,
    TrackingNo,
)
from workflows.messages.money import Minor, PositiveMinor
from workflows.messages.parcels import Parcel, ParcelEvent
from workflows.messages.pieces import LineQuantity
from workflows.messages.proposals import Terms
from workflows.messages.requests import Application, DisputeReason, LineAmount, Lines
from workflows.messages.rulings import Award, Fault, FreightBearer, Ruling
from workflows.messages.seen import Deciding
from workflows.messages.words import Word


class Command(Input):
    """What every command says: its key, and who sends it."""

    fact: ClassVar[bool] = False
    """True for what has happened in the world: it is taken whenever it comes, and never refused for coming late."""
    ours: ClassVar[bool] = False
    """True for what workflows of ours tell each other: a field of a newer release is passed over."""

    key: Identifier
    by: Actor
    case: CaseId | None = None
    """The case that it is meant for, where the sender cannot bind what it encrypts to it; another one refuses it."""

    @classmethod
    def command_name(cls) -> str:
        """The name of the update and of the signal: ``PayInAdvance`` is ``pay_in_advance``."""
        return _in_snake_case(cls.__name__)


@cache
def _in_snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class Approve(Command, Deciding):
    """同意: agree to what is asked; the money goes back (R1, R2, R3, R9)."""


class ShippingProof(Input):
    """Which parcel carries the goods (R1)."""

    carrier: CarrierCode
    tracking_no: TrackingNo
    shipped_at: Moment


class RejectReason(Word):
    """Why a merchant or a reviewing officer refuses (R1, R2, R9)."""

    GOODS_SHIPPED = "goods_shipped"
    GOODS_RECEIVED_AS_DESCRIBED = "goods_received_as_described"
    NO_FAULT_SHOWN = "no_fault_shown"
    AMOUNT_TOO_HIGH = "amount_too_high"
    OUT_OF_TERMS = "out_of_terms"
    OTHER = "other"


class Reject(Command, Deciding):
    """拒绝: refuse, with a reason code and evidence, both required (R2).

    An unshipped refund can be refused only with proof that the goods have shipped (R1).
    """

    reason: RejectReason
    evidence: SomeEvidence
    shipping: ShippingProof | None = None


class Withdraw(Command):
    """撤销: the buyer takes the request back while it is undecided (R6, A5)."""


class Amend(Command, Application):
    """The buyer changes a rejected request and applies again (R6)."""

    evidence: EvidenceList = ()


class SubmitEvidence(Command):
    """举证: attachments, a statement, an amount; at least one of them (R2, D6).

    In a dispute it is a draft, which the next one replaces, until the deadline or until it is ``final``.
    """

    evidence: EvidenceList = ()
    statement: Reference | None = None
    """What was written, kept elsewhere (D7)."""
    amount: Minor | None = None
    """What the sender holds to be right, in minor units."""
    final: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.evidence and self.statement is None and self.amount is None:
            raise ValueError("evidence, a statement or an amount must be given (D6)")
        return self


class Propose(Command, Deciding):
    """协商方案: one side proposes another way; it takes the place of the side's open proposal (N1)."""

    terms: Terms
    words: Reference | None = None
    """What was written with it, kept elsewhere (N5)."""


class AcceptProposal(Command, Deciding):
    """接受方案: the other side's proposal becomes the next version of the application, and is carried out (N3)."""

    number: Annotated[int, Field(ge=1)]
    """The proposal that is meant: another one may have come meanwhile (R11)."""
    evidence: EvidenceList = ()
    """What was asked for, where it is more proof."""


class DeclineProposal(Command):
    """拒绝方案: the other side's proposal is not taken; the case goes on as it stands (N1)."""

    number: Annotated[int, Field(ge=1)]
    words: Reference | None = None


class WithdrawProposal(Command):
    """撤回方案: a side takes its own proposal back (N1)."""

    number: Annotated[int, Field(ge=1)]


class Say(Command):
    """留言: words, pictures, or both, to the other side; they stand in the thread of the case (N5)."""

    words: Reference | None = None
    """What was written, kept elsewhere."""
    evidence: EvidenceList = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.evidence and self.words is None:
            raise ValueError("words or pictures must be given (N5)")
        return self


class Retain(Command):
    """挽留: the merchant has talked to the buyer and asks to keep the allowance (A3).

    The request is the buyer's to take back: it ends when the buyer withdraws it, and the clock runs on.
    """


class PayOut(Command, Deciding):
    """The merchant pays the principal out at once, without waiting for the deadline (A3)."""


class RefundDirectly(Command, Deciding):
    """直接退款: pay back without the goods coming back (T1)."""


class AgreeReturn(Command, Deciding):
    """同意退货: the goods shall come back to an address of the merchant's address book (T1, T2)."""

    address_id: Identifier | None = None
    """The merchant's default address where it is None."""
    clauses: Annotated[tuple[ReturnClause, ...], Field(max_length=len(ReturnClause))] = ()
    """Fixed words for the buyer: which parcels are not taken in (T2)."""


class EnterTracking(Command):
    """With which parcel the goods come back (T3); again to correct it while it is under way.

    Merchant, carrier and officer may enter it for the buyer (T13).
    """

    parcel: Parcel
    freight_paid: Minor = 0
    """What sending them back has cost the buyer, in minor units (T10)."""
    refund_account: Reference | None = None
    """Where the account is kept that a cash-on-delivery order is paid back to (T4)."""


class GiveRefundAccount(Command):
    """The buyer of a cash-on-delivery order names the account to pay back to (T4)."""

    account: Reference


class ConfirmReceipt(Command, Deciding):
    """已收到货: the merchant has the goods; what it accepts of them is paid back (T5, T6, T11).

    Accepting less than was sent back takes a reason and evidence, as a rejection does.
    """

    accepted: Annotated[tuple[LineQuantity, ...], Field(max_length=200)] | None = None
    """Pieces accepted of each line; all that was asked for where it is None."""
    reason: RejectReason | None = None
    evidence: EvidenceList = ()


class ExtendReceipt(Command):
    """延长收货: the parcel is late; the merchant takes more time, once (T7)."""


class Reship(Command):
    """The merchant sends the goods of an exchange (T8)."""

    parcel: Parcel


class SendBack(Command):
    """寄回: the merchant sends goods that it has rejected on receipt back to the buyer (T15)."""

    parcel: Parcel


class ConfirmExchange(Command):
    """The buyer has the goods of the exchange (T8)."""


class ConvertToRefund(Command, Deciding):
    """One side wants money instead of the exchange; it is agreed on once both have said so (T9)."""


class OpenDispute(Command):
    """申请平台介入: the buyer asks the platform to decide on this case (D1, R6)."""

    reason: DisputeReason
    evidence: EvidenceList = ()
    words: Reference | None = None
    """申请说明: what the buyer has written about it, kept in the vault; else what the application says (D1, R10)."""


class Resolve(Command):
    """已解决: the buyer marks a dispute as resolved; nobody is at fault (D2)."""


class OfferSettlement(Command):
    """The merchant offers to pay so much back, if the buyer ends the dispute (D2); also freight alone (R13)."""

    freight: Minor = 0
    compensation: Minor = 0
    """Of what late shipment owes, in minor units (L5)."""
    lines: Annotated[Lines, Field(validate_default=True)] = ()

    @field_validator("lines")
    @classmethod
    def _something_is_offered(cls, lines: Lines, info: ValidationInfo) -> Lines:
        if info.data.get("freight") == info.data.get("compensation") == 0 and not any(each.amount for each in lines):
            raise ValueError("an amount on a line, or freight, must be offered (D2)")
        return lines

    @property
    def amount(self) -> int:
        """All that is offered, in minor units."""
        return sum(each.amount for each in self.lines) + self.freight + self.compensation


class AcceptSettlement(Command, Deciding):
    """The buyer takes the merchant's last offer; nobody is at fault (D2)."""

    amount: PositiveMinor
    """The offer that is meant, in minor units: another one may have come meanwhile."""


class Rule(Command, Deciding):
    """判责: the platform decides a dispute (D8)."""

    fault: Fault
    refund: Award
    lines: Annotated[tuple[LineAmount, ...], Field(max_length=200)] = ()
    """What each line is to give in all; for a partial refund only."""
    freight: Minor = 0
    """What is to go back of the order's freight; for a partial refund only."""
    compensation: Minor = 0
    """What is to be paid for late shipment; for a partial award only (L5)."""
    return_freight: FreightBearer = FreightBearer.BUYER
    """Who bears what sending the goods back has cost."""
    reason: Code

    @model_validator(mode="after")
    def _amounts_belong_to_a_partial_refund(self) -> Self:
        if (self.refund is Award.PARTIAL) != bool(self.lines or self.freight or self.compensation):
            raise ValueError("a partial refund names lines or freight, and no other does (D8)")
        return self


class ConfirmProposal(Command, Deciding):
    """An officer confirms that the merchant is at fault, as its silence suggests (D5)."""

    reason: Code


class DemandEvidence(Command):
    """要求举证: an officer asks one side, or both, for more evidence, and says what is wanted (D4)."""

    of: Annotated[tuple[Role, ...], Field(min_length=1, max_length=2)]
    """``buyer``, ``merchant`` or both: those who may speak once more, and whose time runs."""
    wanted: Reference
    """举证说明: what is wanted, in words of the officer's that the vault keeps."""

    @field_validator("of")
    @classmethod
    def _parties(cls, of: tuple[Role, ...]) -> tuple[Role, ...]:
        if not set(of) <= {Role.BUYER, Role.MERCHANT} or len(set(of)) != len(of):
            raise ValueError("evidence is demanded of the buyer, of the merchant, or of both (D4)")
        return of


class ClaimCompensation(Command):
    """The buyer claims what late shipment owes (L2)."""


class ProveShipment(Command):
    """The merchant shows that the goods were shipped in time (L2)."""

    parcel: Parcel
    shipped_at: Moment
    evidence: SomeEvidence


class ProveExemption(Command):
    """The merchant refers to an exemption that the platform has declared (L2)."""

    exemption: Identifier
    """The declaration's id."""
    evidence: EvidenceList = ()


class MovePolicy(Command):
    """An officer moves an open case to the version of its policy that is in force now (section 2)."""

    version: Annotated[int, Field(ge=1)]
    reason: Code


class MoveDeadline(Command):
    """改期: an officer sets the moment at which silence decides, earlier or later, and says why (section 12).

    From then on no pause window moves it; the next stage has its own deadline again.
    """

    until: Moment
    reason: Code


class ReportParcel(Command):
    """The carrier or the warehouse tells what happened to the goods (R3, R7). Never refused for coming late."""

    fact = True
    event: ParcelEvent
    carrier: CarrierCode
    tracking_no: TrackingNo
    happened_at: Moment

    @property
    def parcel(self) -> Parcel:
        """The parcel that it tells of."""
        return Parcel(carrier=self.carrier, tracking_no=self.tracking_no)


class RetryPayment(Command):
    """Pay again what was declined or held, with the same refund number; look again for room (section 10, R14)."""

    reason: Code
    partly: bool = False
    """Pay what there is room for now, and give up what payments in flight hold: for holders that will never end."""
    account: Reference | None = None
    """Where money goes on to that the provider holds, because the card it went to is dead (``money_stranded``).

    The buyer's own account (R17). Without it, the provider is only asked how that money stands.
    """


class PayInAdvance(Command):
    """先行赔付: the platform pays in the merchant's place and recovers it later (section 10)."""

    reason: Code
    proof: Reference


class Whose(Word):
    """Whose money the other refund is that the provider has under our number (section 10)."""

    BUYERS = "buyers"
    """This buyer's: it counts, and only the rest is transferred."""
    ANOTHERS = "anothers"
    """Somebody else's: all of ours is transferred."""


class NumberHolds(Input):
    """What the provider has under a refund's number, as an officer has seen it, and whose that is (R11)."""

    amount: PositiveMinor
    """In minor units, of all numbers of the payout that are in use: refused where the provider has another amount."""
    whose: Whose


class RecordManualTransfer(Command):
    """An officer has paid by hand and shows the proof (section 10)."""

    reason: Code
    proof: Reference
    transferred_at: Moment
    amount: PositiveMinor | None = None
    """What was transferred, in minor units of the order's currency: refused where there is another amount to pay
    (R14). Left out, it was what is left to pay."""
    number_holds: NumberHolds | None = None
    """That the officer has looked, where the provider has another refund under the number (``number_conflict``)."""


class CloseCase(Command):
    """An officer ends a case that waits for attention without paying, for a stated reason."""

    reason: Code
    proof: Reference


class GatewayResult(Word):
    """What a gateway says of a refund."""

    SUCCEEDED = "succeeded"
    PROCESSING = "processing"
    """Accepted, and on its way: nobody has to do anything."""
    ACTION_REQUIRED = "action_required"
    """Accepted; the provider waits for the buyer, to name an account, say."""
    FAILED = "failed"
    """A confirmed failure: no money has moved."""
    CANCELED = "canceled"
    """Taken back before it was paid, at the provider: a confirmed failure too."""
    CLOSED = "closed"
    """A confirmed failure after which the provider takes this number no more: another attempt has another one."""
    RETURNED = "returned"
    """Paid, and come back later, days perhaps: the buyer does not have the money, whoever paid it has."""
    ABNORMAL = "abnormal"
    """Not done and not refused for good: the merchant's account is short, say."""
    STRANDED = "stranded"
    """Taken from the merchant, and lying with the provider, because the buyer's card or account takes nothing.

    It can be sent on to another account; paid by hand it may be paid twice.
    """
    UNKNOWN = "unknown"
    """Nothing can be said: no answer, or one that makes no sense."""


CAME_TO_NOTHING: Final = frozenset(
    {GatewayResult.FAILED, GatewayResult.CANCELED, GatewayResult.CLOSED, GatewayResult.RETURNED}
)
"""Confirmed: no money is with the buyer, nor on its way."""


class GatewayCallback(Command):
    """The payment gateway tells how a refund ended. It may come late, twice, or never (section 10)."""

    fact = True
    refund_no: Identifier
    result: GatewayResult
    gateway_ref: Identifier | None = None
    failure: Code | None = None
    settled_at: Moment = Field(description="when the gateway says that it happened")
    attempt: Annotated[int, Field(ge=1)] | None = None
    """Of which attempt it tells; None where the gateway does not tell attempts apart."""
    raw: ProviderCode | None = None
    """The provider's own code, kept beside ``failure``."""
    amount: PositiveMinor | None = None
    """Of what refund it tells, in our minor units; None where the gateway does not say. One of another amount than ours
    is another refund, which has our number."""


class PausesChanged(Command):
    """The platform has declared or lifted a pause window: work out the deadline anew (section 9)."""

    fact = True
    ours = True
    window: Identifier


class DisputeIntervened(Command):
    """A dispute tells the case that it is about that the platform has stepped in (D3)."""

    fact = True
    ours = True


class LookAtBook(Command):
    """An operator asks the run that carries the case to look at its book, which a reset may have left behind."""

    fact = True


class RulingTold(Command):
    """The dispute about the case has ended, and tells it: the run that started it is no more (D8)."""

    fact = True
    ours = True
    ruling: Ruling


class CaseSettled(Command):
    """The case under dispute tells that it has decided itself: there is nothing left to dispute (D2)."""

    fact = True
    ours = True
