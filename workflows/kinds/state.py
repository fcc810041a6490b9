"""The state of a case: one value, from which, with the book, a case can go on."""

from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from pydantic import ConfigDict

from workflows.messages.actors import Actor, Role
from workflows.messages.addresses import ReturnAddress
from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import Due, NewEntry, Notice, Span
from workflows.messages.commands import Amend, ConfirmReceipt, OfferSettlement, ReportParcel
from workflows.messages.message import CaseId, Instant, Reference, Value
from workflows.messages.money import Minor, Money
from workflows.messages.orders import OrderFacts
from workflows.messages.parcels import Parcel, ParcelEvent
from workflows.messages.payouts import Ask, LegStatus, Part, Payout, Remainder
from workflows.messages.policy import SharedPolicy
from workflows.messages.proposals import Proposal
from workflows.messages.requests import DisputeRequest
from workflows.messages.rulings import Ruling
from workflows.messages.scores import ScoreChange
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, StageName
from workflows.messages.step_parts import BalanceChange
from workflows.rules.parcels import Told

VERSION: Final = 1

Kept = TypeVar("Kept", bound="StateValue")


class StateValue(Value):
    """A part of the state: frozen. What a newer release adds is passed over, what an older one lacks has defaults."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    def but(self: Kept, **changed: Any) -> Kept:
        """The same with these fields changed."""
        return self.model_copy(update=changed)


class Decided(StateValue):
    """Who has decided how a case ends, and under which rule; for its outcome."""

    rule: str
    by: Actor
    bonus_voided: Money | None = None


class RunningClock(StateValue):
    """The clock of a stage: how long it runs, since when, and when silence decides."""

    span: Span | None = None
    began_at: Instant
    due: Due | None = None
    worked_out: bool = False
    """Whether the last step had its end worked out by the book, whose answer to that step has it."""
    reminded: bool = False
    """The notice that the deadline is near has gone out (R1)."""


class PayoutState(StateValue):
    """A payment that has been decided, until it has arrived or is given up (section 10)."""

    payout: Payout
    by: Actor
    """Who decided it."""
    rule: str
    balance: BalanceChange | None = None
    bonus_voided: Money | None = None
    compensates: bool = False
    """It is no refund: booked apart (L3)."""
    submitted_at: Instant
    """When it was decided; when each leg was sent last, it says itself."""
    told: Minor | None = None
    """What both sides believe is paid, in minor units; None before anything is reserved (R14)."""
    overdue: bool = False
    """The time for its arrival is over."""
    unsaid: tuple[NewEntry, ...] = ()
    """What an officer has done and no step has said yet."""
    retries: Ask | None = None
    """What the gateway is to be asked first, where an officer has said so."""
    partly: bool = False
    """Of a retry: pay what there is room for now (R14)."""
    account: Reference | None = None
    """Of a retry: where money goes on to that is stranded with the gateway."""
    ask_again_at: Instant | None = None
    """The gateway has said that asking makes no sense before."""
    looks: int = 0
    """How often the gateway, or the fund, has been looked at since the last waiting began."""


class DecidedRefund(StateValue):
    """A refund that waits for an account to go to (T4)."""

    by: Actor
    rule: str
    wanted: tuple[Part, ...]
    remainder: Remainder | None = None
    charges: tuple[ScoreChange, ...] = ()
    notices: tuple[Notice, ...] = ()


class Standstill(StateValue):
    """Where a case stood when a dispute stopped its clock, and what it goes back to (D3)."""

    stage: StageName
    left: timedelta | None = None
    """What was left of the clock; None where none ran."""
    ran: Span | None = None
    """The clock that was stopped, and since when it had run; None where none ran, or none was kept."""
    stopped_at: Instant | None = None
    """When it was."""
    reminder_minutes: int = 0
    """When the notice near the deadline goes; 0 where it has gone."""
    attention: Attention | None = None


class DisputeState(StateValue):
    """What a case knows of disputes about it (D1 to D3, D8)."""

    opened: int = 0
    """How many have been opened so far."""
    opening: DisputeRequest | None = None
    """The one that is being opened."""
    current: CaseId | None = None
    told_settled: bool = False
    """The dispute has been told that there is nothing left to decide."""
    standstill: Standstill | None = None
    kept: tuple[ConfirmReceipt | ReportParcel, ...] = ()
    """What was told under the lock, and is looked at when the case goes on."""


class ParcelTold(StateValue):
    """What a carrier has told of a parcel."""

    parcel: Parcel
    event: ParcelEvent
    happened_at: datetime


class GoodsState(StateValue):
    """Where the goods of a case are (R3, R7, T1 to T15)."""

    exchange: bool = False
    """Goods are wanted, not money (T8, C1)."""
    wants_money: frozenset[Role] = frozenset()
    """Who has said so far that an exchange is to become a refund (T9)."""
    out: tuple[Parcel, ...] = ()
    """Parcels on their way to the buyer with goods of this case (R3, R7, R15)."""
    back: tuple[Parcel, ...] = ()
    """Parcels that are in the warehouse again."""
    parcel: Parcel | None = None
    """The one in which the buyer sends the goods back (T3)."""
    tracking_by: Role | None = None
    """Who has told of it; the buyer where it is None (T13)."""
    agreed_at: Instant | None = None
    """Since when journeys count: when it was agreed that the goods come back, or when it was asked that others be sent
    again. What a carrier had told before is of another parcel under the same number (T6, T14)."""
    freight_paid: Minor = 0
    """What sending them back has cost the buyer, in minor units (T10)."""
    insurance_paid: Minor = 0
    extended: bool = False
    """The receipt has been extended, which is for once (T7)."""
    received: bool = False
    """The merchant has got the goods, by the carrier's word or its own."""
    received_at: Instant | None = None
    confirmed: bool = False
    """By its own (T14)."""
    with_merchant: bool = False
    """The merchant has goods that are the buyer's until they are paid for (T15)."""
    outgoing: Parcel | None = None
    """The parcel in which the merchant sends goods to the buyer (T8, T15)."""
    listens: bool = False
    """Whether what the book answers to the last step tells of the parcel that goods travel in."""
    told: tuple[ParcelTold, ...] = ()
    """How journeys ended, of whatever parcel: its number may be entered later, or corrected (T3)."""

    def heard(self, *told: Told) -> "GoodsState":
        """The same, and what was told of parcels besides."""
        new = [ParcelTold(parcel=each.parcel, event=each.event, happened_at=each.happened_at) for each in told]
        return self.but(told=(*self.told, *dict.fromkeys(each for each in new if each not in self.told)))


class ClaimState(StateValue):
    """How far a dispute has come (D2 to D8)."""

    evidence_ended: Instant | None = None
    """When the time for evidence was over; None where it is not, or was never asked for."""
    ended_before: dict[Role, Instant] = {}  # noqa: RUF012 -- a model's default is no class attribute
    """When it was over, or will be, for those whom later demands were not about (D6)."""
    interrupted: StageName | None = None
    """Where the merchant was asked, and its time still ran, when an officer asked the buyer alone (D4, D5)."""
    demanded: frozenset[Role] = frozenset()
    """Of whom an officer has demanded evidence; empty for the merchant, as an intervention does (D4)."""
    gave: frozenset[Role] = frozenset()
    finals: frozenset[Role] = frozenset()
    """Who has given its final word (D6)."""
    offer: OfferSettlement | None = None
    proposal: Ruling | None = None
    told_ruling: bool = False
    """The case has been told by the dispute itself how it ends (D8)."""


class TalkState(StateValue):
    """How far both sides have come with each other (N1 to N5)."""

    proposals: tuple[Proposal, ...] = ()
    """The open ones, at most one of each side."""
    made: dict[Role, int] = {}  # noqa: RUF012 -- a model's default is no class attribute
    """How many each side has made so far (R16)."""
    said: dict[Role, int] = {}  # noqa: RUF012
    """How many messages each party has left (R16)."""
    about: int = 0
    """The version of the application that the merchant's last proposal was about (N4)."""
    in_vain: int = 0
    """The version about which a proposal of the merchant's has lapsed or was refused, or that has the proof which it
    has asked for (N4)."""
    lengthened: int = 0
    """The version for which the stage was lengthened, which is done once (N2)."""

    @property
    def numbered(self) -> int:
        """The number of the last proposal."""
        return sum(self.made.values())

    @property
    def messages(self) -> int:
        """How many messages there are."""
        return sum(self.said.values())


class State(StateValue):
    """A case between two steps."""

    version: int = VERSION
    kind: CaseKind | None = None
    stage: StageName = StageName.OPENING
    follow_up: str = ""
    """What is to be decided on the answer to the last step (``workflows.kinds.resuming``)."""
    half_done: frozenset[str] = frozenset()
    """Keys of commands of which the log tells, and that are not carried out yet."""
    steps: int = 0
    """How many steps have been written down since the opening."""
    clock: RunningClock
    late_by: timedelta = timedelta()
    """How long the stage's clock had run when the case came into it: what it counts from was told late (T6)."""
    attention: Attention | None = None
    outcome: OutcomeKind | None = None
    ended: Decided | None = None
    refunded: Minor = 0
    compensated: Minor = 0
    """Paid beside refunds (L3)."""
    legs: tuple[LegStatus, ...] = ()
    ruling: Ruling | None = None
    """How a dispute ended, or what the case carries out (D8)."""
    return_address: ReturnAddress | None = None
    policy: SharedPolicy | None = None
    """The one that it has moved to since its opening (section 2)."""
    order: OrderFacts | None = None
    """The order as it has been reported since the opening (R7)."""
    amended: Amend | None = None
    """What is applied for now, where it is not what the case was opened with (R6)."""
    applied: ApplicationVersion | None = None
    """The current version of the application (R10)."""
    account: Reference | None = None
    """Where a cash-on-delivery order is paid back to. Shown to nobody (T4)."""
    decided: DecidedRefund | None = None
    payout: PayoutState | None = None
    evidence: dict[Role, int] = {}  # noqa: RUF012 -- a model's default is no class attribute
    """How often each party has given evidence (R16)."""
    kept_evidence: frozenset[str] = frozenset()
    """The keys under which evidence is kept already."""
    dispute: DisputeState = DisputeState()
    goods: GoodsState = GoodsState()
    claim: ClaimState = ClaimState()
    talk: TalkState = TalkState()
    retained: bool = False
    """The merchant has offered to keep the withdrawal from happening (A3)."""
