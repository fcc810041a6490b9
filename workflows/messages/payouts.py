"""The money leg's messages: what is to be paid, over which legs, and how each stands (section 10)."""

from typing import Final

from workflows.messages.message import CaseId, Code, Identifier, Instant, Message, ProviderCode
from workflows.messages.money import Currency, Minor, PositiveMinor
from workflows.messages.requests import Method
from workflows.messages.words import Word


class TenderKind(Word):
    """With what a buyer paid; decides when a refund arrives (R5)."""

    WALLET = "wallet"
    DEBIT_CARD = "debit_card"
    CREDIT_CARD = "credit_card"
    CASH = "cash"
    """货到付款: the courier has it. It cannot go back by the way it came, only by bank transfer (T4)."""
    ALLOWANCE = "allowance"
    """店铺膨胀金: stored value at this shop. It goes back there, never to an account (A7)."""


class Payer(Word):
    """Whose account the gateway pays from."""

    MERCHANT = "merchant"
    PLATFORM = "platform"
    """先行赔付 (T4) and freight insurance (T10)."""


class Part(Message):
    """A share of a payout and the part of the fund that it uses up.

    ``name`` is ``line:<line>``, ``freight``, ``tender:<tender>``, ``principal`` or ``compensation``.
    """

    name: str
    amount: PositiveMinor


class Remainder(Message):
    """Money already paid counts (D8): of what a payout wants, only what is still missing is paid."""

    counts: CaseId | None
    """The id of the case whose payments count, with those of disputes about it or about its lines as a whole (D10).

    None for those of all cases, but for what was paid for pieces that are back (R13).
    """


class Leg(Message):
    """One payment by one route. Its ``refund_no`` is kept over every retry (section 10)."""

    refund_no: Identifier
    amount: PositiveMinor
    tender: Identifier | None
    """The tender that it goes back to; None for a bank transfer."""
    tender_kind: TenderKind | None
    """With what it goes back; of principal that goes back as money, with what the allowance was paid in (A7)."""
    parts: tuple[Part, ...]
    """What it uses up. The tender parts sum to ``amount``; so do the others."""
    principal: Minor | None = None
    """Of what was paid with an allowance: how much of ``amount`` is principal. None for other tenders (A7)."""
    booked: "PaidBy | None" = None
    """How it is settled with its reservation, where no provider is told of it (A7)."""


class Payout(Message):
    """Money that a case has decided to pay back. Which legs it takes is planned when it is reserved."""

    case_id: str
    number: int
    """Counts a case's payouts from 1; the refund numbers are made of the case and this."""
    fund: str
    """``order/<order_no>``, ``allowance/<allowance_id>``, or a fund of compensation (L3)."""
    merchant_id: Identifier
    currency: Currency
    method: Method
    wanted: tuple[Part, ...]
    """The line, freight, principal or compensation parts; what each tender gives is planned under the fund's lock."""
    tender_order: tuple[TenderKind, ...]
    payer: Payer = Payer.MERCHANT
    remainder: Remainder | None = None
    """Set where ``wanted`` is what the buyer is to have in all, and what was paid before counts (D8)."""
    waits: bool = True
    """Whether room that payments in flight hold is waited for (R8). False where an officer has said to pay at once
    what there is room for: the rest is given up, and what counts and is in flight is taken for paid (R14)."""

    @property
    def amount(self) -> int:
        """The sum of all parts in minor units: the most that is paid (R14)."""
        return sum(part.amount for part in self.wanted)


class LegState(Word):
    """reserved → submitted → processing | unknown → succeeded | failed | abnormal → manual → succeeded."""

    RESERVED = "reserved"
    SUBMITTED = "submitted"
    PROCESSING = "processing"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABNORMAL = "abnormal"
    MANUAL = "manual"


STRANDED: Final = "stranded"
"""The failure of an abnormal leg whose money lies with the provider: by hand it might be paid twice (section 10)."""

ACCOUNT_SHORT: Final = "merchant_account_short"
"""The failure of a leg that the merchant's account cannot pay, whether the gateway holds it or has declined it."""

LOST: Final = "not_found"
"""The failure of an abnormal leg that the gateway had taken, and does not know any more."""

RETURNED: Final = "returned"
"""The failure of a leg that had succeeded: the money has come back, and the buyer does not have it (section 10)."""


class PaidBy(Word):
    """Who moved the money. Whose account the gateway took it from is the payout's `Payer`."""

    GATEWAY = "gateway"
    PLATFORM = "platform"
    """先行赔付 past the gateway: the platform's, to be recovered from the merchant."""
    OFFICER = "officer"
    """A transfer by hand."""
    ALLOWANCE = "allowance"
    """Nobody moved money: it went back to the allowance that it was spent of (A7)."""
    LOST_BONUS = "lost_bonus"
    """Nobody, and the buyer has not got it: bonus of an allowance that has been paid out or has expired (A7)."""


class LegStatus(Message):
    """How one leg stands in our ledger."""

    refund_no: Identifier
    amount: Minor
    state: LegState
    tender: Identifier | None = None
    tender_kind: TenderKind | None = None
    principal: Minor | None = None
    """As in ``Leg``."""
    paid_by: PaidBy | None = None
    failure: Code | None = None
    raw: ProviderCode | None = None
    """The provider's own code behind ``failure``."""
    attempt: int = 1
    """How often it has been sent anew after a confirmed failure, and once."""
    submitted_at: Instant | None = None
    settled_at: Instant | None = None
    arrives_from: Instant | None = None
    arrives_until: Instant | None = None
    """Between which moments the money is to arrive (R5); set when the gateway accepts."""


class Reservation(Word):
    """What came of reserving a payout against its fund (R8)."""

    RESERVED = "reserved"
    CONTENDED = "contended"
    """Legs in flight hold room that a failure would give back, or payments that would count: try again."""
    EXHAUSTED = "exhausted"
    """All of it has been paid back for good: there will never be room for anything (R14)."""
    COVERED = "covered"
    """What is owed has been paid already: nothing remains (D8)."""


class ReserveResult(Message):
    """Whether a payout has its room in the fund."""

    reservation: Reservation
    due: Minor | None = None
    """What would be paid if there were room for all of it, in minor units: what is asked for, or what of a ruling is
    missing (D8). The legs sum to less where others have been paid meanwhile (R14)."""
    legs: tuple[LegStatus, ...] = ()
    held_by: CaseId | None = None
    """The withdrawal that is waited for, where an allowance's balance is frozen (A5, A7)."""


class Ask(Word):
    """What the payment activity is to do with a payout's legs."""

    SUBMIT = "submit"
    """Send what has not been sent; ask about what may have been sent."""
    INQUIRE = "inquire"
    """Ask the gateway how the open legs stand, by their numbers."""
    RETRY = "retry"
    """Reserve anew what failed, then send again what is failed or abnormal, with the same numbers; what of a failed
    leg has room no more is replaced by a leg of its own number for what is left (R14)."""
