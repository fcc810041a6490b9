"""Which legs a payout takes, so that no part of a fund and no tender gives more than it got (R8)."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from workflows.messages.orders import AllowanceFacts, OrderFacts
from workflows.messages.payouts import Leg, Part, Payout, Reservation, TenderKind
from workflows.messages.requests import BankTransfer, OriginalRoute

FREIGHT = "freight"
PRINCIPAL = "principal"
COMPENSATION = "compensation"
"""What is owed beside what was paid on an order (L3)."""
_TENDER = "tender:"


@dataclass(frozen=True)
class FundPart:
    """A part of a fund: what was paid on it, what of that is back for good, what legs in flight hold."""

    name: str
    """``line:<line>``, ``freight``, ``tender:<tender>``, ``principal`` or ``compensation``."""
    paid: int
    """In minor units; of compensation, what is owed."""
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


_NOTHING: Final = FundPart("", 0)
"""A part that the fund does not have."""


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


def compensation_parts(amount: int) -> tuple[FundPart, ...]:
    """What a fund of compensation consists of: what is owed, which goes to the buyer's wallet (L3)."""
    return (
        FundPart(COMPENSATION, amount),
        FundPart(tender_part(TenderKind.WALLET), amount, TenderKind.WALLET),
    )


def refund_number(case_id: str, payout: int, leg: int) -> str:
    """The number of a leg's refund: made of what it pays, so that no retry can make another (section 10)."""
    return f"RF{hashlib.sha256(case_id.encode()).hexdigest()[:20]}-{payout}-{leg}"


def plan_legs(
    payout: Payout, fund: Iterable[FundPart], counted: Iterable[FundPart] | None = None
) -> tuple[Leg, ...] | Reservation:
    """The legs that pay all of ``payout`` out of ``fund``, or why there are none; never a part of it (R8).

    The original route takes one leg for each tender that it uses: kinds in the policy's order, kinds not
    named last, ties by the tender's id (R4). Cash does not go back that way (T4). A bank transfer is one leg,
    and uses up the same tenders, cash first: what went to a bank account cannot go back to a card as well.
    Each leg carries its own share of the lines, so that its failure gives back exactly that.

    Of a payout with a ``remainder`` only what is missing is planned (D8), and no more than has room at best;
    where the tenders lack room, the last part wanted goes short first. ``counted`` is the same fund with what
    the case whose payments count has settled and holds, and is ``fund`` itself where it is left out. A payment
    of that case in flight on a part of which something is missing is waited for, because its end changes what is.

    Raises:
        ValueError: the payout wants nothing, or wants a tender, which is ours to plan.
    """
    wanted = _by_part(payout.wanted)
    if not wanted or any(name.startswith(_TENDER) for name in wanted):
        raise ValueError("a payout wants line, freight, principal or compensation parts")
    parts = {part.name: part for part in fund}
    tenders = _in_order(parts.values(), payout)
    if payout.remainder:
        before = parts if counted is None else {part.name: part for part in counted}
        match _remaining(wanted, parts, tenders, before):
            case Reservation() as reason:
                return reason
            case remaining:
                wanted = remaining
    total = sum(wanted.values())
    bounds = [(amount, parts.get(name, _NOTHING)) for name, amount in wanted.items()]
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


def _remaining(
    wanted: dict[str, int], parts: dict[str, FundPart], tenders: list[FundPart], before: dict[str, FundPart]
) -> dict[str, int] | Reservation:
    """What of ``wanted`` is missing and has room at best (D8), or why there is nothing to plan."""
    missing = {
        name: amount - before.get(name, _NOTHING).settled
        for name, amount in wanted.items()
        if amount > before.get(name, _NOTHING).settled
    }
    if not missing:
        return Reservation.COVERED
    if any(before.get(name, _NOTHING).held for name in missing):
        return Reservation.CONTENDED
    left = sum(each.room_at_best for each in tenders)
    remaining: dict[str, int] = {}
    for name, amount in missing.items():
        if share := min(amount, parts.get(name, _NOTHING).room_at_best, left):
            remaining[name] = share
            left -= share
    return remaining or Reservation.EXHAUSTED


def _in_order(parts: Iterable[FundPart], payout: Payout) -> list[FundPart]:
    """The tenders that the payout's method can use, in the order in which it does."""
    order = payout.tender_order

    def place(part: FundPart) -> tuple[bool, int, str]:
        named = part.tender_kind in order
        # Cash first: nothing but a bank transfer can use it, and what it leaves can go back to a card later.
        return (
            part.tender_kind is not TenderKind.CASH,
            order.index(part.tender_kind) if named and part.tender_kind else len(order),
            part.name,
        )

    usable = [
        part
        for part in parts
        if part.tender is not None
        and (isinstance(payout.method, BankTransfer) or part.tender_kind is not TenderKind.CASH)
    ]
    return sorted(usable, key=place)


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
