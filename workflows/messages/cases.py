"""A case as others see it, and what it has written down: steps, log entries, notices, views, outcomes."""

from datetime import timedelta
from typing import Any

from pydantic import Field

from workflows.messages.actors import Actor, Role
from workflows.messages.addresses import ReturnAddress
from workflows.messages.applications import ApplicationVersion
from workflows.messages.message import CaseId, Code, Identifier, Instant, Message
from workflows.messages.money import Minor, Money
from workflows.messages.parcels import CarrierEvent
from workflows.messages.payouts import LegStatus, Payout, ReserveResult
from workflows.messages.pieces import CasePieces
from workflows.messages.place import Place, TimeZone
from workflows.messages.policy import SharedPolicy
from workflows.messages.proposals import Talk
from workflows.messages.reasons import Reason
from workflows.messages.rulings import Ruling
from workflows.messages.scores import ScoreChange
from workflows.messages.seen import Seen
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, Silence, StageName, Stopped, WorkList
from workflows.messages.standing_orders import ByStandingOrder
from workflows.messages.statements import EvidenceGiven
from workflows.messages.step_parts import (
    AddressChoice,
    BalanceChange,
    NamedAccount,
    NamedStatement,
    ParcelWatch,
    ShipmentClaim,
    Thaw,
)
from workflows.messages.words import Word


class Refusal(Message):
    """Why something was refused: a code for programs, the field and the rule that it is about."""

    code: Code
    field: str
    rule: str
    explanation: str
    """One English sentence without data of a person."""


class Span(Message):
    """How long a stage may last. Exactly one unit is not zero, or ``until`` is set."""

    minutes: int = 0
    seconds: int = 0
    """What was left of a clock that stood still (D3)."""
    working_minutes: int = 0
    """Counted within the working hours of section 9 (D5)."""
    working_days: int = 0
    until: Instant | None = None
    """Outright: no pause window moves it."""
    arrival: Instant | None = None
    """The arrival of money, counted in working days, that ``until`` was set by, with what was added to it (R5)."""
    since: Instant | None = None
    """When the time began to run; the moment of the step where it is None."""
    reminder_minutes: int = 0
    """A notice goes when this much is left; 0 for none."""
    place: Place | None = None
    """By whose calendar and working hours it is counted; None for China's (G6)."""


class Due(Message):
    """A stage's deadline as worked out once, absolute and in UTC."""

    at: Instant
    remind_at: Instant | None = None
    calendar: str = ""
    """The calendar (name and version) that working days were counted by; empty where none was needed."""
    warnings: tuple[Code, ...] = ()


class Clock(Message):
    """How a deadline was counted: from when, how long, by which calendar."""

    since: Instant
    span: Span
    calendar: str = ""
    """The calendar (name and version) that working time was counted by; empty where none was needed."""


class LogEntry(Message):
    """One line of the case log (售后日志): what happened, who did it, under which rule, when."""

    event: Code
    by: Actor
    rule: str
    at: Instant
    command_key: str = ""
    command_digest: str = ""
    """Of the command's name and whole content: the same command under its key, and no other (section 11)."""
    facts: dict[str, str | int] = Field(default_factory=dict)
    """Codes, ids, references and amounts in minor units. Never a person's data (P6)."""


class NewEntry(LogEntry):
    """A line as a step adds it: views, logs and events do not show the command's content."""

    command: dict[str, dict[str, Any]] | None = None
    """The command of ``command_key``, its content under its name, for telling the case again (G7); None without one.

    Without key and sender, which stand beside it; of evidence only how many attachments came.
    """


class NoticeTemplate(Word):
    """What people are told."""

    REQUEST_OPENED = "request_opened"
    REQUEST_CONFIRMED = "request_confirmed"
    REQUEST_AMENDED = "request_amended"
    SETTLEMENT_OFFERED = "settlement_offered"
    PROPOSAL_MADE = "proposal_made"
    PROPOSAL_ENDED = "proposal_ended"
    PROPOSAL_OVER = "proposal_over"
    """The same, where the case waits for neither side any more."""
    MESSAGE_LEFT = "message_left"
    DEADLINE_NEAR = "deadline_near"
    REQUEST_REJECTED = "request_rejected"
    REQUEST_REJECTED_FINALLY = "request_rejected_finally"
    """The same, where the buyer cannot apply again."""
    RECEIPT_REJECTED = "receipt_rejected"
    GOODS_UNDERWAY = "goods_underway"
    RETURN_AGREED = "return_agreed"
    ADDRESS_WANTED = "address_wanted"
    ACCOUNT_WANTED = "account_wanted"
    EXTENSION_OFFERED = "extension_offered"
    RETURN_SIGNED = "return_signed"
    EXCHANGE_SHIPPED = "exchange_shipped"
    GOODS_SENT_BACK = "goods_sent_back"
    REPAIR_SHIPPED = "repair_shipped"
    REPAIR_LATE = "repair_late"
    RESEND_AGREED = "resend_agreed"
    GOODS_SENT_AGAIN = "goods_sent_again"
    RESEND_LATE = "resend_late"
    INTERVENTION_OPEN = "intervention_open"
    MERCHANT_OVERDUE = "merchant_overdue"
    DISPUTE_OPENED = "dispute_opened"
    INTERVENED = "intervened"
    EVIDENCE_DEMANDED = "evidence_demanded"
    DISPUTE_RULED = "dispute_ruled"
    COMPENSATION_CLAIMABLE = "compensation_claimable"
    COMPENSATION_CLAIMED = "compensation_claimed"
    COMPENSATION_PAID = "compensation_paid"
    REFUND_SUBMITTED = "refund_submitted"
    REFUND_SUCCEEDED = "refund_succeeded"
    ALLOWANCE_REFUNDED = "allowance_refunded"
    ALLOWANCE_PAID_OUT = "allowance_paid_out"
    PAYMENT_REDUCED = "payment_reduced"
    CASE_CLOSED = "case_closed"
    STAGE_CHANGED = "stage_changed"
    """Where no other notice tells of a move."""
    RETURN_SENT = "return_sent"
    EVIDENCE_GIVEN = "evidence_given"
    RETENTION_ASKED = "retention_asked"
    CONVERSION_WANTED = "conversion_wanted"
    ATTENTION_RAISED = "attention_raised"


class Notice(Message):
    """A message to be sent once its step is recorded; one per case, step, template and recipient."""

    template: NoticeTemplate
    to: Actor
    fields: dict[str, str | int]
    """Typed by the template: see ``activities.notices``."""


class CaseKey(Message):
    """What every step repeats of its case."""

    case_id: str
    run_id: str


class Reduction(Message):
    """What is said where less is paid than both sides have been told (R14): a log line, and notices to both.

    Their ``paid`` is filled in with what was paid.
    """

    told: Minor
    entry: LogEntry
    notices: tuple[Notice, ...]


class Step(Message):
    """One transaction of a case: log, work-list row, notices, deadline, reservation, balance.

    Steps of a case are numbered; the same number again is the same step and changes nothing.
    """

    case: CaseKey
    step: int
    """Counts steps from 1; step 0 opens the case."""
    at: Instant
    """The workflow's time."""
    entries: tuple[NewEntry, ...]
    kind: CaseKind
    stage: StageName
    work_list: WorkList | None
    span: Span | None
    attention: Attention | None
    outcome: OutcomeKind | None
    refunded: Minor
    stops: Span | None = None
    """The clock that this step stops, or that stands still since ``stopped_at``; what is left of it is told (D3)."""
    stopped_at: Instant | None = None
    notices: tuple[Notice, ...] = ()
    compensated: Minor = 0
    """What was paid beside refunds: booked apart (L3)."""
    reserve: Payout | None = None
    balance: BalanceChange | None = None
    address: AddressChoice | None = None
    watch: ParcelWatch | None = None
    proof: ShipmentClaim | None = None
    """What is to show that the order has shipped (L2)."""
    pieces: CasePieces | None = None
    """What the case has to do with pieces from now on; as before where it is None (R13)."""
    claims: bool = False
    """Whether other cases must leave these pieces to it; where they do not, the step is refused (R13)."""
    evidence: EvidenceGiven | None = None
    said: NamedStatement | None = None
    """A text that the step refers to besides (D4)."""
    charges: tuple[ScoreChange, ...] = ()
    disputes: bool = False
    """The buyer opens a dispute on the case with this step: nothing may stand against that (D10)."""
    account: NamedAccount | None = None
    """An account to be paid to, now or later (R4, T4)."""
    exemption: Identifier | None = None
    """A declaration that must cover the time in which the order was to ship (L2)."""
    policy_version: int | None = None
    """The version that the case moves to (section 2)."""
    application: ApplicationVersion | None = None
    """What the case asks for from now on (R10, R12)."""
    asks_standing_orders: bool = False
    """Whether the merchant's standing orders are looked at for what is applied for with this step (G4)."""
    talk: Talk | None = None
    """What is open between both sides from now on; None where nobody has said anything (N1, N5)."""
    only_with_room: bool = False
    """Written only if there is room for what it reserves: a look that finds none leaves no trace (R8)."""
    state: dict[str, Any] | None = None
    """The case's state with this step (``workflows.kinds.state``): what it goes on from, whichever run comes next."""
    reduction: Reduction | None = None
    """Of a closing step: what it says besides where less is paid than was told (R14)."""


class StepAnswer(Message):
    """What a step worked out. With a ``refusal`` it was not written, and the case stands as before."""

    refusal: Refusal | None = None
    written: bool = True
    """False for a look that has found no room (R8)."""
    step: int | None = None
    """The number of the step that this is about, as the book has it."""
    number: int | None = None
    """The one under which it stands in the book, where the case has steps that this run has not taken."""
    due: Due | None = None
    left: timedelta | None = None
    """What is left of the clock that has been stopped (D3)."""
    reserved: ReserveResult | None = None
    thaw: Thaw | None = None
    address: ReturnAddress | None = None
    parcel_events: tuple[CarrierEvent, ...] = ()
    """What had been told of the parcel before it was watched, by the moments at which it happened."""
    policy: SharedPolicy | None = None
    standing_order: ByStandingOrder | None = None
    """The standing order that decides what the step applies for (G4)."""


class Resumed(Message):
    """How far a case has come by its book: a run that comes to it goes on from there."""

    state: dict[str, Any]
    """As the last step that moved the case has left it."""
    last: StepAnswer
    """What that step gave."""
    steps: int
    """How many steps have been written down since the opening."""
    commands: dict[str, str] = Field(default_factory=dict)
    """The keys of the commands that were carried out, and their digests: each is carried out once (section 11)."""
    more_commands: bool = False
    """These are not all of them: of any other key the book is asked."""
    log: tuple[LogEntry, ...] = ()
    """The last lines, oldest first."""
    legs: tuple[LegStatus, ...] = ()
    """How the payment stands in the ledger."""
    closed_at: Instant | None = None
    """When the case ended; None while it is open."""
    carried_out_by: CaseId | None = None
    """Of a dispute: the case that carries its ruling out (D8)."""
    dispute_over: bool = False
    """The dispute that the state knows of as open has ended."""
    dispute_unknown: bool = False
    """The book has no such dispute: whoever was to open it was stopped before that."""
    dispute_ruling: Ruling | None = None
    """What it came to, where that is left to the case; None where it has carried that out itself (D8)."""
    refunded: Minor = 0
    compensated: Minor = 0
    outcome: OutcomeKind | None = None


class Stepped(StepAnswer):
    """What came of writing a step."""

    ahead: Resumed | None = None
    """The book has come further, or another way, than the run that wrote: nothing was written."""
    fenced: bool = False
    """Another run has taken the case over: this one has nothing to say any more."""


class Outcome(Message):
    """How a case ended: the result of its workflow."""

    case_id: str
    kind: CaseKind | None
    outcome: OutcomeKind
    refunded: Money | None
    compensated: Money | None = None
    """Paid beside refunds (L3, T10)."""
    bonus_voided: Money | None = None
    ruling: Ruling | None = None
    """How a dispute ended, or what the case carried out (D8)."""
    decided_by: Role | None
    """Who decided; ``clock`` where silence did."""
    rule: str
    refusal: Refusal | None = None
    closed_at: Instant
    legs: tuple[LegStatus, ...] = ()


class OpenCommand(Message):
    """A command that the case takes now, and from whom."""

    name: str
    roles: tuple[Role, ...]


class CaseView(Message):
    """A case at one moment."""

    case_id: str
    kind: CaseKind | None
    stage: StageName
    rule: str
    merchant_id: Identifier
    buyer_id: Identifier | None
    order_no: Identifier | None = None
    allowance_id: Identifier | None = None
    asked: Money | None
    """All that is asked for, by the current version of the application (R10)."""
    application: ApplicationVersion | None = None
    """The current version; None where nothing is applied for, as for an allowance, or what is owed (R10)."""
    reason: Reason | None = None
    """What the profile's catalogue says of the application's reason; None where it does not have it (G1)."""
    refunded: Money | None
    opened_at: Instant
    time_zone: TimeZone | None = None
    """In which people read the case's moments, by its profile (G6); None for Asia/Shanghai. All are in UTC here."""
    due: Instant | None
    clock: Clock | None = None
    """How ``due`` was counted; None where nothing is due."""
    no_deadline_because: str = ""
    """The written reason for having no deadline, Chinese and English."""
    on_silence: Silence
    commands: tuple[OpenCommand, ...]
    attention: Attention | None
    outcome: OutcomeKind | None
    legs: tuple[LegStatus, ...]
    compensated: Money | None = None
    talk: Talk = Talk()
    """Open proposals, and how much both sides have said (N1, N5)."""
    return_address: ReturnAddress | None = None
    """Where the goods are to go (T2)."""
    dispute: CaseId | None = None
    """The dispute about this case while it is open; for a dispute the case that it is about."""
    ruling: Ruling | None = None
    stopped: Stopped | None = None
    """Why nothing moves the case: no command is open then, and no deadline is kept. None for all that run or have ended
    by themselves."""
    policy: str
    """Name and version: ``douyin/1``."""
    steps: int = 0
    """How many steps have been written down since the opening."""
    warnings: tuple[Code, ...]
    log: tuple[LogEntry, ...]
    """The last entries, oldest first; the whole log is in the case book."""

    @property
    def seen(self) -> Seen | None:
        """What a decision on what is shown here names (R11); None where nothing was opened."""
        if self.asked is None:
            return None
        return Seen(version=self.application.version if self.application else 1, amount=self.asked.amount)
