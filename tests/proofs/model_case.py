"""One case of the model: where it stands, until when, what was paid, and what is taken and refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from tests.proofs.rules_model import (
    ASKED,
    BUYER,
    HALF,
    HOUR,
    IN_FLIGHT,
    MERCHANT,
    NOTHING,
    PAID_BY_HAND,
    PART,
    PLATFORM,
    REFUNDED,
    SETTLED,
    Back,
    End,
    Ruled,
    Stage,
    Stays,
    To,
    Way,
    by,
)
from workflows.messages.actors import Role

_ON_ITS_WAY: Final = frozenset({"return_in_transit", "return_delayed", "return_extended"})


@dataclass
class ModelCase:
    """One case as the rulebook has it."""

    stages: Mapping[str, Stage]
    stage: str
    asked: int
    now: datetime
    goods_at: datetime | None = None
    due: datetime | None = None
    paid: int = 0
    ended: End | None = None
    kept: tuple[str, timedelta | None] | None = None
    """Where the case stood before its dispute, and what was left of its time (D3)."""
    gateway: str = "succeed"
    converting: frozenset[Role] = frozenset()
    offers: dict[Role, datetime] = field(default_factory=dict[Role, datetime])
    """Until when each side's proposal is open: for half of what is asked (N1, N2)."""
    by_hand: bool = False
    """Whether it was paid past the gateway (section 10)."""
    confirmed: bool = False
    """Whether the merchant has itself confirmed that it has the goods (T5)."""
    amended: int = 0
    ruled: bool = False
    """Whether a dispute about it was ruled on (D10)."""
    offered: bool = False
    """Of a dispute: whether the merchant has offered a settlement (D2)."""
    freight: int = 0
    """What the buyer has stated that sending goods at fault in has cost it, in minor units (T10)."""
    freight_ruled: bool | None = None
    """Whether a dispute has laid that on the merchant; None where none was decided (D2, D8)."""

    def __post_init__(self) -> None:
        self._enter(self.stage)

    @property
    def freight_owed(self) -> int:
        """T10: by fault, where the case has ended with money or goods for the buyer; else as it was ruled."""
        if self.freight_ruled is not None:
            return self.freight if self.freight_ruled else 0
        granted = self.ended and (self.ended.pays != NOTHING or "exchanged" in self.ended.outcomes)
        return self.freight if granted else 0

    @property
    def at(self) -> Stage:
        """The stage that it stands in."""
        return self.stages[self.stage]

    def takes(self, word: str, role: Role) -> bool:
        """Whether this is a command that is carried out now; it is refused otherwise."""
        way = None if self.ended else self._ways().get(word)
        return way is not None and role in way.by

    def is_said(self, word: str, role: Role) -> bool:
        """Whether the rulebook says what this command of this role comes to here."""
        if word == "enter_tracking" and self.stage in _ON_ITS_WAY:
            return role is BUYER
        if word == "submit_final" and role is BUYER:  # D6: whether the merchant's time ends with it is left open
            return False
        if word == "amend" and self.amended == 2:  # R16: how often is the profile's
            return False
        if word == "reject_bare":  # R1: without proof that the goods have shipped
            return self.stage == "merchant_review"
        return self.ended is not None or word not in self.at.unsaid

    def act(self, word: str, role: Role) -> To:
        """Carry out a command that is taken: where the case goes."""
        to = self._ways()[word].to
        if word == "convert_to_refund":
            self.converting |= {role}
        if word == "propose_half":
            ends = self.now + 24 * HOUR
            self.offers[role] = min(ends, self.due) if self.due else ends
        elif word in {"accept_proposal", "decline_proposal"}:
            del self.offers[_other(role)]
        self.confirmed |= word == "confirm_receipt"
        self.amended += word == "amend"
        self.offered |= word == "offer_settlement"
        if word == "open_dispute":
            self.kept = (self.stage, self.due - self.now if self.due else None)
        return to

    def go(self, to: To, *, seen: str) -> bool:
        """Go there; ``seen`` is where the case is seen to have gone, one of the stages that may follow."""
        match to:
            case Stays():
                pass
            case Back():
                assert self.kept
                name, left = self.kept
                self.stage, self.due = name, self.now + left if left is not None else None
            case Ruled():
                self.ended, self.stage, self.due = End(to.outcomes), "closed", None
            case End():
                self._pay(to)
            case str():
                self._enter(to)
            case names:
                if seen not in names:
                    return False
                self._enter(seen)
        return True

    def open_words(self) -> list[tuple[str, Role]]:
        """Every command that is carried out now, with who may send it."""
        if self.ended:
            return []
        ways = self._ways()
        return sorted((word, role) for word, way in ways.items() for role in way.by)

    def _ways(self) -> Mapping[str, Way]:
        ways = dict(self.at.ways)
        if self.stage == "reshipment" and not self.confirmed:  # T6: only the carrier has called the goods received
            ways["reject"] = by(MERCHANT, "receipt_rejected")
        if self.ruled:  # D10
            ways.pop("open_dispute", None)
        if self.at.talks:
            ways["propose_half"] = Way((BUYER, MERCHANT), Stays())
            answering = tuple(_other(role) for role, until in self.offers.items() if until > self.now)
            if answering:
                ways["accept_proposal"] = Way(answering, End(("refunded",), HALF))  # N3
                ways["decline_proposal"] = Way(answering, Stays())
        if "convert_to_refund" in ways and self.converting:  # T9: the other side is waited for
            ways["convert_to_refund"] = Way(tuple(_other(role) for role in self.converting), REFUNDED)
        if self.offered and self.stage == "negotiation":
            ways["accept_settlement"] = by(BUYER, SETTLED)
        return ways

    def _enter(self, name: str) -> None:
        self.stage, self.offers = name, {}
        at = self.stages[name]
        since = self.goods_at if at.since_goods and self.goods_at else self.now
        if name == "return_received":
            since = self.goods_at = self.now
        self.due = since + at.lasts if at.lasts is not None else None

    def _pay(self, end: End) -> None:
        how, self.gateway = (self.gateway, "succeed") if end.pays != NOTHING else ("succeed", self.gateway)
        by_hand = end.outcomes[0] in {"paid_by_platform", "paid_manually"}
        self.due = None
        if by_hand or how == "succeed":
            self.ended, self.paid, self.stage = end, self.worth(end), "closed"
            self.by_hand = by_hand
        elif how in {"decline", "account_short"}:
            stands = _after(PAID_BY_HAND, end)
            if how == "account_short":  # no confirmed failure: it may be paid still
                stands = replace(stands, ways={word: way for word, way in stands.ways.items() if word != "close_case"})
            self.stages = {**self.stages, "payment_attention": stands}
            self.stage = "payment_attention"
        else:
            self.stages = {**self.stages, "paying": replace(IN_FLIGHT, silence=end)}
            self.stage = "paying"

    def worth(self, end: End) -> int:
        """What an end pays, in minor units."""
        return {ASKED: self.asked, HALF: self.asked // 2, PART: 100, NOTHING: 0}[end.pays]


def _after(stands: Stage, end: End) -> Stage:
    """The officer's ways, which pay what was decided."""
    ways = {
        word: Way(
            way.by, replace(way.to, pays=end.pays) if isinstance(way.to, End) and way.to.pays != NOTHING else way.to
        )
        for word, way in stands.ways.items()
    }
    ways["retry_payment"] = by(PLATFORM, end)
    return replace(stands, ways=ways)


def _other(role: Role) -> Role:
    return MERCHANT if role is BUYER else BUYER
