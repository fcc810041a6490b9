"""A policy profile: the rulebook's numbers as data (section 2). Each field names its unit."""

from functools import lru_cache
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from workflows.messages.evidence import MOST_ATTACHMENTS, MediaType
from workflows.messages.message import Identifier, Input
from workflows.messages.money import Minor
from workflows.messages.payouts import TenderKind
from workflows.messages.place import CHINA, Place
from workflows.messages.reasons import Reason
from workflows.messages.standing_orders import StandingOrdersPolicy

Hours = Annotated[int, Field(ge=1, le=24 * 365)]
Minutes = Annotated[int, Field(ge=1, le=60 * 24 * 365)]
Days = Annotated[int, Field(ge=1, le=365)]
Points = Annotated[int, Field(ge=0, le=1000)]
"""Score points that a merchant loses (D9)."""
WorkingDays = Annotated[int, Field(ge=0, le=60)]
RungName = Literal["platform_service", "senior_service", "12315"]
"""To whom a buyer can turn (L4): ``12315`` is China's hotline for consumers."""


class Arrival(Input):
    """When money arrives after the gateway accepted a refund, in working days (R5)."""

    earliest_working_days: WorkingDays
    latest_working_days: WorkingDays


class RefundPolicy(Input):
    """R1, R2, R6, R7 and R8."""

    unshipped_review_hours: Hours
    shipped_review_hours: Hours
    reminder_hours: Hours
    """The notice near a deadline goes when this much is left (R1)."""
    escalation_window_days: Days
    """How long a rejected buyer may amend, re-apply or escalate (R6)."""
    most_applications: Annotated[int, Field(ge=1, le=20)]
    """How often one case may be applied for, the first time included (R6)."""
    shipped_meanwhile: Literal["intercept", "return", "shipped_review"]
    """What an unshipped refund becomes when the goods ship while it is open (R1, R7)."""
    by_pieces: bool = True
    """Whether a refund without goods pays at most the price of the pieces that it names; returns always do (R13)."""
    first_room_poll_seconds: Annotated[int, Field(ge=1, le=3600)]
    """When a case first looks again whether a leg in flight has given back its room; the wait then trebles (R8)."""
    longest_room_poll_minutes: Minutes
    room_wait_days: Days = 7
    """After this long without room a person is called; the looking goes on (R8)."""


class CancellationPolicy(Input):
    """R3: cancellations of self-operated orders."""

    before_outbound_minutes: Minutes
    outbound_hours: Hours
    intercept_days: Days
    """After this long an intercepted parcel that is not back is flagged; the case stays open."""


class MerchantRefundPolicy(Input):
    """R9: refunds that the merchant opens."""

    at_once_up_to: Minor
    """In minor units: up to this the platform agrees at once."""
    officer_review_hours: Hours


class WithdrawalPolicy(Input):
    """A3."""

    retention_hours: Hours
    reminder_hours: Hours


class ReturnPolicy(Input):
    """T1 to T11: returns and exchanges."""

    review_hours: Hours
    reminder_hours: Hours
    send_days: Days
    """How long the buyer has to enter carrier and tracking number (T3)."""
    extension_offered_after_days: Days
    """When a parcel that is not signed for lets the merchant extend the receipt (T7)."""
    receipt_days: Days
    """From the tracking number on while nobody has signed; after sign-off, how long the merchant may inspect (T6)."""
    extension_days: Days
    account_reminder_days: Days
    """How often a buyer who paid cash on delivery is asked for a refund account (T4)."""
    reship_hours: Hours
    confirm_days: Days
    """How long the buyer has to confirm what an exchange has brought (T8)."""
    most_return_freight: Minor
    """The most that the merchant owes for sending faulty goods back, in minor units (T10)."""
    refund_within_days: Days | None = None
    """So many days after it was asked for, goods that have come back are paid for by silence at the latest."""

    @model_validator(mode="after")
    def _offer_within_receipt(self) -> Self:
        if self.extension_offered_after_days >= self.receipt_days:
            raise ValueError("an extension must be offered before the time of receipt is over (T7)")
        return self


class DisputePolicy(Input):
    """D1 to D9: disputes."""

    window_days: Days
    """How long after its end a case can still be disputed (D1)."""
    order_window_days: Days
    """How long after its payment an order without a case can be disputed (D1)."""
    negotiation_hours: Annotated[int, Field(ge=0, le=24 * 365)]
    """0 for none: the platform steps in as soon as a dispute is opened (D2)."""
    evidence_at_intervention: bool = True
    """Whether an intervention always demands evidence of the merchant; an officer may, either way (D4)."""
    evidence_hours: Hours
    """Where ``evidence_silence`` is ``uphold``, and for the buyer (D4)."""
    evidence_reminder_hours: Hours
    evidence_working_hours: Annotated[int, Field(ge=1, le=90)]
    """Where ``evidence_silence`` is ``propose`` (D5)."""
    evidence_silence: Literal["uphold", "propose"]
    ruling_hours: Hours
    most_attachments: Annotated[int, Field(ge=1, le=MOST_ATTACHMENTS)]
    most_attachment_mib: Annotated[int, Field(ge=1, le=50)]
    media_types: tuple[MediaType, ...] = ()
    """Which attachments are taken (D6); empty for all, as before this could be said."""
    points_for_intervention: Points
    points_for_lost_ruling: Points
    points_for_timeout: Points


class LateShipmentPolicy(Input):
    """L1 to L3: compensation for late shipment."""

    ship_hours: Hours
    percent: Annotated[int, Field(ge=1, le=100)] | None = None
    """Of the goods paid, freight excluded; either this or ``fixed`` (L1)."""
    fixed: Annotated[int, Field(strict=True, ge=1, le=10**9)] | None = None
    """In minor units."""
    claim_days: Days
    review_hours: Hours
    """How long the merchant has to prove shipment or an exemption (L2)."""
    reminder_hours: Hours

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if (self.percent is None) == (self.fixed is None):
            raise ValueError("late shipment is compensated by percent or by a fixed amount (L1)")
        return self


class PriceProtectionPolicy(Input):
    """B1 to B3. With defaults, so that cases opened before there was price protection can be read."""

    days: Days = 7
    """How long after the payment a lower price counts (B1)."""
    excluded_skus: tuple[str, ...] = ()
    """Patterns of goods whose price is not protected, such as ``gold-*`` (B1)."""
    review_hours: Hours = 24
    """How long the merchant has before silence pays (B3)."""
    reminder_hours: Hours = 6


class ResendPolicy(Input):
    """C1 to C5. With defaults, so that cases opened before there were re-sends can be read."""

    review_hours: Hours = 48
    """How long the merchant has to decide (C2)."""
    reminder_hours: Hours = 12
    ship_hours: Hours = 72
    """How long it has to send what it has agreed to, also by a proposal (C3, N3)."""
    confirm_days: Days = 10
    """How long the buyer has to confirm what has come (C4)."""


class RepairPolicy(Input):
    """M1 to M5. With defaults, so that cases opened before there were repairs can be read."""

    review_hours: Hours = 48
    """How long the merchant has to decide (M2)."""
    reminder_hours: Hours = 12
    repair_days: Days = 15
    """How long it has to mend what it has received, and ``ship_hours`` more to send it (M3)."""
    ship_hours: Hours = 72
    confirm_days: Days = 10
    """How long the buyer has to confirm what has come back (M4)."""


class DecisionPolicy(Input):
    """R11. With defaults, so that cases opened before there were expectations can be read."""

    must_name_what_was_seen: bool = False
    """Whether a command that decides is refused where it does not say which version, and what amount, it is about."""


class SilencePolicy(Input):
    """G3: what a merchant's silence does. With defaults, so that cases opened before it could differ can be read.

    Where nothing stands here, silence is the same in every profile: goods that the merchant has are paid for (T6,
    T15), and what has left a warehouse is a person's to decide (R3).
    """

    unshipped_refund: Literal["refund", "close"] = "refund"
    """R1. ``close``: the case closes as rejected, and can be disputed (D1)."""
    refund_only: Literal["refund", "close", "right_to_intervention"] = "refund"
    """R2, where the buyer does not have the goods. With the right, the case goes on open: the merchant may still
    decide, and the buyer may have the platform decide."""
    refund_only_received: Literal["refund", "close", "right_to_intervention"] = "refund"
    """R2, where the buyer has the goods."""
    return_request: Literal["agree", "close", "right_to_intervention"] = "agree"
    """T1, for returns and exchanges. ``agree``: to the return, and not to a refund."""
    price_protection: Literal["refund", "close", "right_to_intervention"] = "refund"
    """B3."""
    resend: Literal["agree", "close", "right_to_intervention"] = "agree"
    """C2."""
    repair: Literal["agree", "close", "right_to_intervention"] = "agree"
    """M2."""
    right_days: Days = 7
    """How long the buyer has the right to intervention; unused, the case closes undecided."""


class Window(Input):
    """Until when something can be asked for (G2)."""

    days: Annotated[int, Field(ge=1, le=3650)]
    """Days of 24 hours."""
    since: Literal["payment", "sign_off", "completion"]
    """What they count from. What has not happened yet, or is not known, ends no window."""
    whole_days: bool = False
    """Whole days of the profile's own time: over at the end of the last one, or of the working day that follows it."""


class WindowsPolicy(Input):
    """G2: until when an order may be asked about, by kind, and what cannot come back. None, or nothing, by default."""

    unshipped_refund: Window | None = None
    refund_only: Window | None = None
    returns: Window | None = None
    exchange: Window | None = None
    resend: Window | None = None
    repair: Window | None = None
    not_returnable_skus: Annotated[tuple[str, ...], Field(max_length=500)] = ()
    """Patterns of goods that cannot come back unless they are at fault, such as ``food-*``."""


class NegotiationPolicy(Input):
    """N1 to N5. With defaults, so that cases opened before there were proposals can be read."""

    answer_hours: Hours = 24
    """How long a proposal stands; no longer than its stage lasts, unless ``lengthens_stage`` (N2)."""
    most_proposals: Annotated[int, Field(ge=1, le=100)] = 20
    """How many proposals one side may make in a case (R16)."""
    most_messages: Annotated[int, Field(ge=1, le=500)] = 50
    """How many messages one party may leave in the thread of a case (R16)."""
    rejection_needs_proposal: bool = False
    """Whether a merchant may reject only once a proposal of its own, about the same application, has lapsed or was
    refused (N4)."""
    lengthens_stage: bool = False
    """Whether a stage lasts at least as long as the first proposal about an application (N2)."""


class LimitsPolicy(Input):
    """R16, R18: how much and how far. With defaults, so that cases opened before there were limits can be read."""

    evidence_of_a_party: Annotated[int, Field(ge=1, le=500)] = 50
    """How often one party may give evidence in one case, and how many statements it may write about it (R16)."""
    remarks_of_a_party: Annotated[int, Field(ge=1, le=500)] = 50
    """How many remarks the merchant, or the platform, may note at one order or allowance (R16)."""
    furthest_deadline_days: Days = 180
    """How far ahead an officer may set a deadline (R18)."""


class PaymentPolicy(Input):
    """Section 10 and R5."""

    tender_order: tuple[TenderKind, ...]
    """Back to which kind of tender first, when several paid. Kinds that are not named come last."""
    wallet: Arrival
    debit_card: Arrival
    credit_card: Arrival
    bank_transfer: Arrival
    arrival_grace_minutes: Minutes
    """How long after the latest arrival a person is called; the gateway is asked meanwhile."""
    first_poll_minutes: Minutes
    """When the gateway is first asked about a refund that it has not reported; the wait then trebles."""
    longest_poll_hours: Hours
    place: Place | None = None
    """The profile's; not to be stated here."""
    unknown_attention_hours: Hours
    """After this long without a known outcome a person is called; the asking goes on."""


class Policy(Input):
    """One profile. A case keeps the one that it was opened under."""

    name: Identifier
    version: Annotated[int, Field(ge=1)]
    operated_by: Literal["merchant", "platform"]
    """Who ships: ``platform`` sends unshipped refunds to R3 instead of R1."""
    refund: RefundPolicy
    cancellation: CancellationPolicy
    merchant_refund: MerchantRefundPolicy
    withdrawal: WithdrawalPolicy
    returns: ReturnPolicy
    dispute: DisputePolicy
    late_shipment: LateShipmentPolicy
    payment: PaymentPolicy
    price_protection: PriceProtectionPolicy = PriceProtectionPolicy()
    resend: ResendPolicy = ResendPolicy()
    repair: RepairPolicy = RepairPolicy()
    limits: LimitsPolicy = LimitsPolicy()
    decisions: DecisionPolicy = DecisionPolicy()
    silence: SilencePolicy = SilencePolicy()
    windows: WindowsPolicy = WindowsPolicy()
    place: Place = CHINA
    confirms_receipt: bool = False
    """Whether the buyer is told at once, in a notice that it can keep, what it has asked for and when."""
    ladder: tuple[RungName, ...] = ("platform_service", "senior_service")
    """To whom a buyer can turn, one after the other (L4)."""
    reasons: Annotated[tuple[Reason, ...], Field(max_length=60)] = ()
    """The catalogue of reasons (G1); empty for the usual one (``workflows.rules.reasons``)."""
    negotiation: NegotiationPolicy = NegotiationPolicy()
    standing_orders: StandingOrdersPolicy = StandingOrdersPolicy()

    @property
    def counted_at(self) -> Place | None:
        """By whose calendar working time is counted; None for China's."""
        return None if self.place == CHINA else self.place

    @property
    def time_zone(self) -> str | None:
        """In which people read its moments; None for Asia/Shanghai (G6)."""
        return None if self.place.time_zone == CHINA.time_zone else self.place.time_zone

    @model_validator(mode="after")
    def _money_arrives_there(self) -> Self:
        if self.payment.place != self.counted_at:
            there = self.payment.model_copy(update={"place": self.counted_at})
            object.__setattr__(self, "payment", there)  # frozen for others
        return self

    @field_validator("reasons")
    @classmethod
    def _each_code_once(cls, reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
        codes = [each.code for each in reasons]
        if twice := next((each for each in codes if codes.count(each) > 1), None):
            raise ValueError(f"the reason {twice} stands more than once (G1)")
        return reasons


@lru_cache(maxsize=256)
def _shared(policy: Policy) -> Policy:
    return policy


SharedPolicy = Annotated[Policy, AfterValidator(_shared)]
"""A policy as a case is told it: equal ones are one object, for a worker holds many cases under few policies."""
