"""What a handler decides: a value. The shell carries it out, in this order, and comes back with the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

from workflows.kinds.stage import Stage
from workflows.kinds.state import Decided, State
from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import LogEntry, Notice, Refusal, Span, Step
from workflows.messages.commands import Command
from workflows.messages.message import CaseId
from workflows.messages.parcels import Parcel
from workflows.messages.payouts import Payout
from workflows.messages.pieces import CasePieces
from workflows.messages.requests import CompensationRequest, DisputeRequest
from workflows.messages.scores import ScoreChange
from workflows.messages.settlements import EnterCallback, Settle, Settled, SettleManually
from workflows.messages.stages import Attention, OutcomeKind
from workflows.messages.statements import EvidenceGiven
from workflows.messages.step_parts import (
    AddressChoice,
    BalanceChange,
    NamedAccount,
    NamedStatement,
    ParcelWatch,
    ShipmentClaim,
)

if TYPE_CHECKING:
    from workflows.kinds.case import Case

Then: TypeAlias = Callable[["Case", Any], "Decision"]
"""What follows, from the case as it stands then and the answer to what was done."""


class Ticks(Enum):
    """What a step does to the clock of its stage."""

    ANEW = "anew"
    """A clock begins to run, of which a notice goes out once."""
    ON = "on"
    """The one that runs goes on; no new deadline is worked out."""
    MOVED = "moved"
    """The one that runs ends at the moment which the book works out now."""


@dataclass(frozen=True)
class StepPlan:
    """One transaction in the case book: log, work list, notices, deadline, and what must be atomic with them."""

    stage: Stage
    entries: tuple[LogEntry, ...] = ()
    notices: tuple[Notice, ...] = ()
    attention: Attention | None = None
    ticks: Ticks = Ticks.ANEW
    span: Span | None = None
    """How long the stage lasts; by its own rule where it is None."""
    moved: Span | None = None
    """How the end of a clock that is moved is worked out."""
    reserve: Payout | None = None
    only_with_room: bool = False
    balance: BalanceChange | None = None
    address: AddressChoice | None = None
    watch: ParcelWatch | None = None
    evidence: EvidenceGiven | None = None
    said: NamedStatement | None = None
    charges: tuple[ScoreChange, ...] = ()
    disputes: bool = False
    account: NamedAccount | None = None
    stops: Span | None = None
    stopped_at: datetime | None = None
    """When the clock was stopped of which it is asked anew what is left (D3)."""
    application: ApplicationVersion | None = None
    asks_standing_orders: bool = False
    policy_version: int | None = None
    pieces: CasePieces | None = None
    claims: bool = False
    proof: ShipmentClaim | None = None
    exemption: str | None = None
    outcome: OutcomeKind | None = None
    """How the case ends with this step; None where it goes on."""
    refunded: int = 0
    compensated: int = 0


@dataclass(frozen=True)
class AskCarrier:
    """Ask the carrier for all that it knows of a parcel. Answered with a ``ParcelHistory``."""

    parcel: Parcel


@dataclass(frozen=True)
class AskGateway:
    """Submit, ask about, or retry a payment. Answered with ``Settled``; the closing step may have been written."""

    settling: Settle
    summary: str
    seconds: int


@dataclass(frozen=True)
class PayByHand:
    """Record what an officer has paid. Answered as ``AskGateway`` is."""

    settling: SettleManually
    summary: str
    seconds: int


@dataclass(frozen=True)
class TakeCallback:
    """Enter a gateway's callback into the ledger. Answered as ``AskGateway`` is."""

    entering: EnterCallback


@dataclass(frozen=True)
class StartDispute:
    """Start a dispute, and hear of its end. Answered with its id, or None where there is or was such a case."""

    request: DisputeRequest
    again: bool = False
    """An earlier run of the case may have started it: then it is found, and answered with its id."""


@dataclass(frozen=True)
class TellCase:
    """Send a fact to another case. Answered with whether that case runs."""

    case: CaseId
    fact: Command


@dataclass(frozen=True)
class OwedSince:
    """What is owed besides, and was not by the release before, or otherwise; ``mark`` names that (``Decision``)."""

    mark: str
    owed: tuple[CompensationRequest, ...]
    before: tuple[CompensationRequest, ...]


Effect: TypeAlias = AskCarrier | AskGateway | PayByHand | TakeCallback | StartDispute | TellCase


@dataclass(frozen=True)
class Booked:
    """The answer to an effect of a payment, and the closing step as the activity was given it."""

    settled: Settled
    closing: Step | None


@dataclass(frozen=True)
class ClosedElsewhere:
    """The closing step has been written in the transaction of a payment."""

    step: Step
    number: int | None


@dataclass(frozen=True)
class Wait:
    """How long a case waits before it looks again at what nobody tells it; None for until somebody tells."""

    look_after: timedelta | None = None


@dataclass(frozen=True)
class Decision:
    """What is to happen now. An empty one changes nothing: the case waits on."""

    first: tuple[CompensationRequest | TellCase | OwedSince, ...] = ()
    """Cases that are started, or told of something, before anything else, whatever comes of it."""
    step: StepPlan | None = None
    effect: Effect | None = None
    """Done after the step, if there is one."""
    state: State | None = None
    """The state once the step is written, or at once where there is none. None for no change."""
    then: Then | None = None
    """Told the answer to the effect, or else to the step."""
    follow_up: str = ""
    """The name of ``then``, where it follows a step: whichever run comes next does the same (resuming)."""
    if_refused: Then | None = None
    """Told the refusal, where the book refuses the step: nothing was written. Else whoever asked is told."""
    verdict: Decided | None = None
    """Of a step that ends the case."""
    closed: ClosedElsewhere | None = None
    refuse: Refusal | None = None
    """Told, before anything else, to whoever has sent the command that is being carried out."""
    answered: bool = False
    """Whether that command counts as carried out before anything else happens."""
    answers: bool = True
    """Whether it counts as carried out once the step is written; False where there is more to it."""
    wait: Wait | None = None
    """How the case waits from now on; None for as before, where it stays in its stage."""
    aside: TellCase | None = None
    """Done without the case waiting for it."""
    hear: tuple[Command, ...] = field(default=())
    """Facts that the case has found itself."""
    mark: str = ""
    """Names what the release before decided otherwise: that was ``before``."""
    before: Decision | None = None
    """For a run that has come past here with that release (docs/changing-cases.md)."""

    def as_before(self) -> Decision:
        """What the release before decided; whoever asked is told the same."""
        return replace(self.before, refuse=self.refuse, answered=self.answered) if self.before else self

    def held(self) -> Decision:
        """The same, with whoever asked answered by a later step."""
        return replace(self, answers=False)

    def otherwise(self, instead: Decision) -> Decision:
        """The same, and ``instead`` where the book refuses its step."""

        def refused(_case: Case, _refusal: Refusal) -> Decision:
            return instead

        return replace(self, if_refused=refused)
