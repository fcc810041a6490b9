"""Opening a case: what the activity is given, and what it finds."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from workflows.messages.cases import CaseKey, Due, Refusal, Resumed
from workflows.messages.message import CaseId, Identifier, Instant, Message, Sha256
from workflows.messages.money import Minor, Money, PositiveMinor
from workflows.messages.orders import AllowanceFacts, OrderFacts
from workflows.messages.parcels import Parcel
from workflows.messages.pauses import PauseWindow
from workflows.messages.policy import SharedPolicy
from workflows.messages.requests import Request
from workflows.messages.stages import CaseKind, StageName
from workflows.messages.standing_orders import ByStandingOrder

RequestType = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z]{0,63}$")]
"""The name of a request's class."""


class OpenedBy(Message):
    """What opens a case."""

    request: Request
    request_type: RequestType = Field(default_factory=lambda said: type(said["request"]).__name__)
    """Which request it is: requests look alike, and one of a kind that a newer release has added must be taken for no
    other."""
    carried_out_by: CaseId | None = None
    """The case that carries a dispute's ruling out, and has started it (D8)."""

    @model_validator(mode="after")
    def _is_what_it_says(self) -> Self:
        if type(self.request).__name__ != self.request_type:
            raise ValueError("a request of a kind that is not known here")
        return self


class OpenCase(OpenedBy):
    """The first step of a case: check the request against the world, take the policy, write it all down."""

    case: CaseKey
    at: Instant
    asks_about: tuple[Identifier, ...] = ()
    """Keys of commands of which the run of an open case asks whether they were carried out; nothing changes then."""


class Payable(Message):
    """What the payment provider pays in the case's currency, where it counts more coarsely (X6)."""

    step: PositiveMinor = 1
    """It pays multiples of this, in minor units."""
    least: PositiveMinor = 1
    """The smallest amount."""


class Opened(Message):
    """What opening found. With a ``refusal`` nothing was opened."""

    resumed: Resumed | None = None
    """The case was opened before, and has come this far."""
    opened_at: Instant | None = None
    """When it was, where it was before."""
    carried_out_by: CaseId | None = None
    """Of a dispute that was opened before: the case that carries its ruling out (D8)."""
    refusal: Refusal | None = None
    kind: CaseKind | None = None
    stage: StageName | None = None
    due: Due | None = None
    policy: SharedPolicy | None = None
    order: OrderFacts | None = None
    allowance: AllowanceFacts | None = None
    asked: Money | None = None
    payable: Payable | None = None
    """What the provider pays at all; None where it pays any amount (X6)."""
    customer: tuple[Sha256, ...] = ()
    """The keyed hashes by which the customer is found (section 12)."""
    ships_until: Instant | None = None
    """When the order had to ship, pauses included (L1)."""
    counts: CaseId | None = None
    """The case whose payments count towards a ruling (D8)."""
    return_freight: Minor = 0
    """What sending the goods of a disputed case back has cost the buyer, in minor units (T10)."""
    insurance_paid: Minor = 0
    """What of that the freight insurance has paid (T10)."""
    adjusts: bool = False
    """Of a dispute: whether money adjusts the price, and leaves the pieces bought (R13, C6)."""
    underway: tuple[Parcel, ...] = ()
    """Parcels with the goods of a cancellation that are out already (R3, R15)."""
    shipped_since: Instant | None = None
    """The goods have shipped while nobody could tell the case: it was being opened, or no run carried it (R7)."""
    left_shelf: bool = False
    """They have left the warehouse's shelf meanwhile, and not shipped (R3)."""
    dispute_intervened: bool = False
    """The platform has stepped in by a dispute that is open about the case, whether or not a run was told (D3)."""
    pauses: tuple[PauseWindow, ...] = ()
    """Windows that have changed since the stage began, of which no run was told (section 9)."""
    standing_order: ByStandingOrder | None = None
    """The merchant's standing order that decides what is asked for (G4)."""
    postponed_until: Instant | None = None
    """Nothing was opened yet: the validity was prolonged (A6), or a pause moved the moment (L1)."""
    nothing_owed: bool = False
    """The order has shipped in time: nothing was opened (L1)."""
    handed_over_to: str | None = None
    """The open request that pays instead (A6)."""
