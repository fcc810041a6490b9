"""Virtual numbers 虚拟号: what is asked about them and told of them (P3, P4).

A real phone is in none of these messages: the activity that binds a number reads it from the vault (P6).
"""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from workflows.messages.cases import Refusal
from workflows.messages.commands import Command
from workflows.messages.message import CaseId, Code, Identifier, Input, Instant, Message, Moment
from workflows.messages.place import TimeZone
from workflows.messages.words import Word


class VirtualNumber(Message):
    """A number that leads to a phone without telling it: 11 digits and an extension of 4."""

    number: Annotated[str, StringConstraints(pattern=r"^[0-9]{11}$")]
    extension: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")]

    @property
    def masked(self) -> str:
        """Its last four digits, by which people at the counter can tell two apart."""
        return f"***********-{self.extension}"


class Scope(Word):
    """What a virtual number is for (P3)."""

    ORDER = "order"
    SUB_ORDER = "sub-order"
    """One delivery of a subscription 定期购: an order of its own in the order directory."""
    CASE = "case"


class NumberSubject(Input):
    """The order, sub-order or case that a number is for: each has a workflow of its own.

    A sub-order is an order of its own in the order directory, and its number has one workflow whichever of the two it
    is called: who reveals a number or exports it does not know that the order is one delivery of a subscription (P3).
    """

    scope: Scope
    id: Identifier | CaseId
    """The order's number, or the case's id."""

    @model_validator(mode="after")
    def _fits_its_scope(self) -> Self:
        if ("/" in self.id) is not (self.scope is Scope.CASE):
            raise ValueError("id must be a case's id for the scope case, and an order's number for the others (P3)")
        return self

    @property
    def name(self) -> str:
        """What our tables and the provider call it: ``order/O-1``, of a sub-order as well."""
        return f"{Scope.ORDER if self.scope is Scope.SUB_ORDER else self.scope}/{self.id}"

    @property
    def workflow_id(self) -> str:
        """The workflow that keeps its number."""
        return f"virtual-number/{self.name}"


class NumberCommand(Command):
    """What every command about a number says: for what it is, its key, and who sends it."""

    subject: NumberSubject


class ObtainNumber(NumberCommand):
    """Have a number bound; while one is bound, it is that one (P3)."""


class RenewNumber(NumberCommand):
    """Let a case's number be valid for its whole time again, from now on (P3)."""


class OrderCompleted(NumberCommand):
    """The order has completed: its number is void (P3)."""

    fact = True
    completed_at: Moment
    closed_unclaimed: bool = False
    """Nobody has claimed the goods: the number that lapsed can be bound again (P3)."""


class BecameSubscription(NumberCommand):
    """定期购: the order was split, each sub-order has a number of its own, the parent's is void (P3)."""

    fact = True


class ReleaseNumber(NumberCommand):
    """Unbind for good: the person whose phone it is was forgotten, say."""

    reason: Code


class NumberTerms(Input):
    """The rulebook's numbers for virtual numbers (P3). A subject keeps those that it was begun under."""

    again_months: Annotated[int, Field(ge=1, le=36)] = 3
    """Calendar months after its completion in which an order's number can be obtained again."""
    again_days: Annotated[int, Field(ge=1, le=365)] = 2
    """How long such a number is valid."""
    case_days: Annotated[int, Field(ge=1, le=365)] = 15
    """How long a case's number is valid, from when it was bound or renewed."""


class NumberFacts(Message):
    """What has happened to the subject, as far as its number hangs on it. It never becomes less."""

    completed_at: Instant | None = None
    closed_unclaimed: bool = False
    became_subscription: bool = False
    released: bool = False
    released_because: Code | None = None
    """As whoever released it first has said."""


class Binding(Message):
    """A number that the provider keeps bound, or may keep bound, for the subject."""

    no: Annotated[int, Field(ge=1)]
    """Which of the subject's bindings: its key at the provider, kept until it is unbound."""
    number: VirtualNumber | None
    """None while the provider has been asked and has not answered."""
    until: Instant | None
    """None: until the order completes."""


class NumberState(Message):
    """What the workflow knows of its subject: carried from run to run."""

    merchant_id: Identifier
    order_no: Identifier
    """Whose recipient is called."""
    time_zone: TimeZone | None = None
    """By which its days are counted (P3): the profile's, as it was at first (G6). None for Asia/Shanghai."""
    facts: NumberFacts = NumberFacts()
    binding: Binding | None = None
    unbound: int = 0
    """How many bindings are over."""
    lapsed: VirtualNumber | None = None
    """The last number that was bound."""
    heard: dict[str, str] = Field(default_factory=dict)
    """Fingerprints of the last commands that were carried out, by their keys."""


class NumberStart(Input):
    """What the workflow is started with, and goes on with in its next run."""

    subject: NumberSubject
    terms: NumberTerms = NumberTerms()
    events_per_run: Annotated[int, Field(ge=30, le=10_000)] = 400
    """After so many history events the next run begins. Part of the start, so that newer code with another number
    does not lead running workflows another way."""
    state: NumberState | None = None
    """None in the first run."""


class NumberStage(Word):
    """Where a subject stands."""

    OPENING = "opening"
    """It is being looked up."""
    AVAILABLE = "available"
    """Nothing is bound; a number can be obtained."""
    BOUND = "bound"
    IN_DOUBT = "in_doubt"
    """The provider was asked and has not answered. Asking again gives the same number."""
    LEAVING = "leaving"
    """The number is void, and the provider is being told."""
    ENDED = "ended"
    """Nothing can be obtained any more, or there is no such order or case."""


class NumberView(Message):
    """A subject's number as it stands."""

    subject: NumberSubject
    stage: NumberStage
    merchant_id: Identifier | None = None
    number: VirtualNumber | None = None
    until: Instant | None = None
    """When the number ends, or else the last moment at which one can be obtained; None without such a moment."""
    time_zone: TimeZone | None = None
    """In which people read it (G6); None for Asia/Shanghai. It is in UTC here."""
    no_deadline_because: str = ""
    why_none: Code | None = None
    """Why there is no number."""
    released_because: Code | None = None
    """What was said when it was released for good."""


class FindNumberSubject(Message):
    """Look up whose a subject is and what is known of it."""

    subject: NumberSubject
    at: Instant


class NumberSubjectFound(Message):
    """What is known of a subject, or why there is none."""

    state: NumberState | None = None
    refusal: Refusal | None = None


class KeepNumberFacts(Message):
    """Write down what has happened to a subject."""

    subject: NumberSubject
    facts: NumberFacts
    at: Instant


class BindNumber(Message):
    """Have a number bound to the phone of an order's recipient."""

    subject: NumberSubject
    order_no: Identifier
    no: int
    until: Instant | None
    wanted: VirtualNumber | None
    """The number to have again, if nobody else has it."""
    at: Instant


class NumberBound(Message):
    """The number, or why there is none."""

    number: VirtualNumber | None = None
    refusal: Refusal | None = None


class ExtendNumber(Message):
    """Have a bound number stay bound until a later moment."""

    subject: NumberSubject
    no: int
    until: Instant
    at: Instant


class NumberExtended(Message):
    """A refusal means that the provider no longer knows the number."""

    no: int | None = None
    """Which binding it is; nothing that somebody makes up tells it."""
    refusal: Refusal | None = None


class UnbindNumber(Message):
    """Have a number unbound that is, or may be, bound."""

    subject: NumberSubject
    no: int
    at: Instant


async def find_number_subject(finding: FindNumberSubject) -> NumberSubjectFound:
    """Look up the order or case, and what was written down of its number before."""
    raise NotImplementedError


async def keep_number_facts(keeping: KeepNumberFacts) -> None:
    """Write down what has happened to a subject, so that it outlives the workflow."""
    raise NotImplementedError


async def bind_number(binding: BindNumber) -> NumberBound:
    """Bind a number at the provider; the same binding again is the same number."""
    raise NotImplementedError


async def extend_number(extending: ExtendNumber) -> NumberExtended:
    """Let a number be valid for longer at the provider."""
    raise NotImplementedError


async def unbind_number(unbinding: UnbindNumber) -> None:
    """Unbind a number at the provider; one that is not bound stays so."""
    raise NotImplementedError
