"""Which legs a payout takes, so that no line, freight, principal or tender gives more than it got (R8)."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from workflows.messages.orders import AllowanceFacts, OrderFacts
from workflows.messages.payouts import Leg, Part, Payout, Reservation, TenderKind
from workflows.messages.requests import BankTransfer, OriginalRoute

FREIGHT = "freight"
PRINCIPAL = "principal"
_TENDER = "tender:"


@dataclass(frozen=True)
class FundPart:
    """A part of a fund: what was paid on it, what of that is back for good, what legs in flight hold."""

    name: str
    """``line:<line>``, ``freight``, ``tender:<tender>`` or ``principal``."""
    paid: int
    tender_kind: TenderKind | None = None
    """Of a tender part only."""
    settled: int = 0
    held: int = 0

    @property
    def room(self) -> int:
        """What can be given back now, in minor units."""
        return max(self.paid - self.settled - self.held, 0)

    @property
    def room_at_best(self) -> int:
        """What could be given back if all legs in flight failed, in minor units."""
        return max(self.paid - self.settled, 0)

    @property
    def tender(self) -> str | None:
        """The tender's id; None for the other parts."""
        return self.name.removeprefix(_TENDER) if self.name.startswith(_TENDER) else None


def line_part(line: str) -> str:
    """The part of an order line."""
    return f"line:{line}"


def tender_part(tender: str) -> str:
    """The part of a tender."""
    return f"{_TENDER}{tender}"


def order_parts(order: OrderFacts) -> tuple[FundPart, ...]:
    """What an order's fund consists of: its lines, its freight, its tenders (R8)."""
    return (
        *(FundPart(line_part(line.line), line.paid) for line in order.lines),
        FundPart(FREIGHT, order.freight),
        *(FundPart(tender_part(each.tender), each.paid, each.kind) for each in order.tenders),
    )


def allowance_parts(allowance: AllowanceFacts) -> tuple[FundPart, ...]:
    """What an allowance's fund consists of: the principal, and the tender that it was paid in with (A1)."""
    return (
        FundPart(PRINCIPAL, allowance.principal),
        FundPart(tender_part(PRINCIPAL), allowance.principal, allowance.tender_kind),
    )


def refund_number(case_id: str, payout: int, leg: int) -> str:
    """The number of a leg's refund: made of what it pays, so that no retry can make another (section 10)."""
    return f"RF{hashlib.sha256(case_id.encode()).hexdigest()[:20]}-{payout}-{leg}"


def plan_legs(payout: Payout, fund: Iterable[FundPart]) -> tuple[Leg, ...] | Reservation:
    """The legs that pay all of ``payout`` out of ``fund``, or why there are none; never a part of it (R8).

    The original route takes one leg for each tender that it uses: kinds in the policy's order, kinds not
    named last, ties by the tender's id (R4). A bank transfer is one leg, and uses up the same tenders: what
    went to a bank account cannot go back to a card as well. Each leg carries its own share of the lines, so
    that its failure gives back exactly that.

    Raises:
        ValueError: the payout wants nothing, or wants a tender, which is ours to plan.
    """
    wanted = _by_part(payout.wanted)
    if not wanted or any(name.startswith(_TENDER) for name in wanted):
        raise ValueError("a payout wants line, freight or principal parts")
    parts = {part.name: part for part in fund}
    tenders = _in_order(parts.values(), payout.tender_order)
    total = sum(wanted.values())
    nothing = FundPart("", 0)
    bounds = [(amount, parts.get(name, nothing)) for name, amount in wanted.items()]
    if any(amount > part.room_at_best for amount, part in bounds) or total > sum(each.room_at_best for each in tenders):
        return Reservation.EXHAUSTED
    if any(amount > part.room for amount, part in bounds) or total > sum(each.room for each in tenders):
        return Reservation.CONTENDED
    shares = _share(wanted, tenders)
    match payout.method:
        case OriginalRoute():
            return tuple(
                _leg(payout, index, tender.tender, tender.tender_kind, (*taken, _part(tender, taken)))
                for index, (tender, taken) in enumerate(shares, start=1)
            )
        case BankTransfer():
            used = [_part(tender, taken) for tender, taken in shares]
            everything = [Part(name=name, amount=amount) for name, amount in wanted.items()]
            return (_leg(payout, 1, None, None, (*everything, *used)),)


def _by_part(parts: Iterable[Part]) -> dict[str, int]:
    amounts: dict[str, int] = {}
    for part in parts:
        amounts[part.name] = amounts.get(part.name, 0) + part.amount
    return amounts


def _in_order(parts: Iterable[FundPart], order: tuple[TenderKind, ...]) -> list[FundPart]:
    def place(part: FundPart) -> tuple[int, str]:
        named = part.tender_kind in order
        return (order.index(part.tender_kind) if named and part.tender_kind else len(order), part.name)

    return sorted((part for part in parts if part.tender is not None), key=place)


def _share(wanted: dict[str, int], tenders: list[FundPart]) -> list[tuple[FundPart, tuple[Part, ...]]]:
    """Which of the wanted parts each tender pays, filling one tender after the other."""
    left = dict(wanted)
    shares: list[tuple[FundPart, tuple[Part, ...]]] = []
    for tender in tenders:
        room = tender.room
        taken: list[Part] = []
        for name, amount in left.items():
            share = min(room, amount)
            if share:
                taken.append(Part(name=name, amount=share))
                left[name] -= share
                room -= share
        if taken:
            shares.append((tender, tuple(taken)))
    return shares


def _part(tender: FundPart, taken: tuple[Part, ...]) -> Part:
    return Part(name=tender.name, amount=sum(part.amount for part in taken))


def _leg(payout: Payout, index: int, tender: str | None, kind: TenderKind | None, parts: tuple[Part, ...]) -> Leg:
    return Leg(
        refund_no=refund_number(payout.case_id, payout.number, index),
        amount=sum(part.amount for part in parts if part.name.startswith(_TENDER)),
        tender=tender,
        tender_kind=kind,
        parts=parts,
    )
