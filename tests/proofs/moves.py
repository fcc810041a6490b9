"""What stories of the model are made of: which case is opened, and how each word becomes a command."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tests.workflow.world import EVIDENCE
from workflows.messages import commands
from workflows.messages.actors import Actor, Role
from workflows.messages.commands import Command
from workflows.messages.parcels import Parcel
from workflows.messages.requests import LineAmount, RefundReason

PAID: Final = 30_000
"""What the one line of each order has cost, in minor units."""

PART: Final = (LineAmount(line="1", quantity=1, amount=100),)


@dataclass(frozen=True)
class Setting:
    """Which case is told of."""

    kind: str
    """``refund``, ``return``, ``exchange``, ``withdrawal``, ``merchant_refund``, ``late_shipment``."""
    profile: str = "douyin"
    shipped: bool = False
    outbound: bool = False
    asked: int = PAID


SETTINGS: Final[Mapping[str, Setting]] = {
    "unshipped refund": Setting("refund"),
    "unshipped refund of a part, jd-pop": Setting("refund", "jd-pop", asked=10_000),
    "shipped refund": Setting("refund", shipped=True),
    "shipped refund, jd-pop": Setting("refund", "jd-pop", shipped=True),
    "return": Setting("return", shipped=True),
    "return of a part, jd-pop": Setting("return", "jd-pop", shipped=True, asked=20_000),
    "exchange": Setting("exchange", shipped=True),
    "exchange, jd-pop": Setting("exchange", "jd-pop", shipped=True),
    "withdrawal": Setting("withdrawal", asked=7_200),
    "merchant refund": Setting("merchant_refund"),
    "late shipment": Setting("late_shipment", asked=9_000),
    "cancellation": Setting("refund", "jd-self"),
    "cancellation, outbound": Setting("refund", "jd-self", outbound=True),
}
"""A new kind joins by a line here, its stages in ``rules_model``, and how it is opened in ``beginnings``."""


@dataclass
class Parties:
    """Who acts, and the parcels of the story: the order's, back to the merchant, out to the buyer again."""

    merchant: str
    buyer: str
    first: Parcel
    back: Parcel
    out: Parcel

    def actor(self, role: Role) -> Actor:
        """Who of this role acts."""
        ids = {Role.MERCHANT: self.merchant, Role.BUYER: self.buyer}
        return Actor(role=role, id=ids.get(role, "x-1"))


@dataclass(frozen=True)
class Now:
    """What a command may refer to."""

    at: datetime
    proposal: int = 1
    exemption: str = "peak"
    expects: Mapping[str, int] | None = None
    proves_shipment: bool = False
    freight_paid: int = 0


_PROVED: Final = {"reason": "looked_at", "proof": "ticket:1"}
_RULED: Final = {"fault": "merchant", "return_freight": "buyer", "reason": "looked_at"}


def command_of(word: str, by: Actor, key: str, parties: Parties, now: Now, asked: int) -> Command:
    """The command that a word of the model stands for."""
    kind, fields = _KINDS[word]
    match word:
        case "reject" if now.proves_shipment:
            fields = {**fields, "shipping": {**parties.first.model_dump(), "shipped_at": now.at}}
        case "enter_tracking":
            fields = {"parcel": parties.back, "freight_paid": now.freight_paid}
        case "reship" | "send_back":
            fields = {"parcel": parties.out}
        case "amend":
            fields = {"lines": (LineAmount(line="1", quantity=1, amount=asked),), "reason": RefundReason.QUALITY_FAULT}
        case "propose_half":
            half = LineAmount(line="1", quantity=1, amount=asked // 2)
            fields = {"terms": {"kind": "another_amount", "lines": (half,)}}
        case "accept_proposal" | "decline_proposal":
            fields = {"number": now.proposal}
        case "prove_exemption":
            fields = {"exemption": now.exemption}
        case "record_manual_transfer":
            fields = {**_PROVED, "transferred_at": now.at}
        case _:
            pass
    seen = {"expects": now.expects} if now.expects else {}
    return kind.model_validate({"key": key, "by": by.model_dump(), **fields, **seen})


_KINDS: Final[Mapping[str, tuple[type[Command], dict[str, Any]]]] = {
    "approve": (commands.Approve, {}),
    "reject": (commands.Reject, {"reason": "goods_shipped", "evidence": EVIDENCE}),
    "reject_bare": (commands.Reject, {"reason": "out_of_terms", "evidence": EVIDENCE}),
    "withdraw": (commands.Withdraw, {}),
    "amend": (commands.Amend, {}),
    "propose_half": (commands.Propose, {}),
    "accept_proposal": (commands.AcceptProposal, {}),
    "decline_proposal": (commands.DeclineProposal, {}),
    "refund_directly": (commands.RefundDirectly, {}),
    "agree_return": (commands.AgreeReturn, {}),
    "enter_tracking": (commands.EnterTracking, {}),
    "confirm_receipt": (commands.ConfirmReceipt, {}),
    "extend_receipt": (commands.ExtendReceipt, {}),
    "reship": (commands.Reship, {}),
    "send_back": (commands.SendBack, {}),
    "confirm_exchange": (commands.ConfirmExchange, {}),
    "convert_to_refund": (commands.ConvertToRefund, {}),
    "open_dispute": (commands.OpenDispute, {"reason": "other"}),
    "resolve": (commands.Resolve, {}),
    "offer_settlement": (commands.OfferSettlement, {"lines": PART}),
    "accept_settlement": (commands.AcceptSettlement, {"amount": 100}),
    "submit_final": (commands.SubmitEvidence, {"evidence": EVIDENCE, "final": True}),
    "rule_full": (commands.Rule, {**_RULED, "refund": "full"}),
    "rule_nothing": (commands.Rule, {**_RULED, "refund": "nothing", "fault": "buyer"}),
    "rule_partial": (commands.Rule, {**_RULED, "refund": "partial", "lines": PART}),
    "confirm_proposal": (commands.ConfirmProposal, {"reason": "looked_at"}),
    "retain": (commands.Retain, {}),
    "pay_out": (commands.PayOut, {}),
    "claim_compensation": (commands.ClaimCompensation, {}),
    "prove_exemption": (commands.ProveExemption, {}),
    "retry_payment": (commands.RetryPayment, {"reason": "again"}),
    "pay_in_advance": (commands.PayInAdvance, _PROVED),
    "record_manual_transfer": (commands.RecordManualTransfer, {}),
    "close_case": (commands.CloseCase, _PROVED),
}

DISPUTES: Final = frozenset(
    {
        "resolve",
        "offer_settlement",
        "accept_settlement",
        "submit_final",
        "rule_full",
        "rule_nothing",
        "rule_partial",
        "confirm_proposal",
    }
)
"""Words that are said in the dispute."""

WORDS: Final = tuple(sorted(_KINDS))
DECIDING: Final = frozenset(word for word, (kind, _) in _KINDS.items() if "expects" in kind.model_fields)
"""Words that decide, and may say what was seen (R11)."""
