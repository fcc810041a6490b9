"""Which legs a payout takes, so that no part of a fund and no tender gives more than it got (R8, R14)."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from workflows.messages.orders import AllowanceFacts, OrderFacts
from workflows.messages.payouts import Leg, PaidBy, Part, Payer, Payout, Reservation, TenderKind
from workflows.messages.requests import BankTransfer
from workflows.rules.allowance_refunds import Purse, divided_parts, shares

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
    purse: Purse | None = None
    """Of a tender that is an allowance: how that stands (A7)."""

    @property
    def room(self) -> int:
        """What can be given back now, in minor units; nothing while a withdrawal holds the allowance (A5, A7)."""
        if self.purse and self.purse.held_by:
            return 0
        return max(self.paid - self.settled - self.held, 0)

    @property
    def room_at_best(self) -> int:
        """What could be given back if all legs in flight failed and no withdrawal was open, in minor units."""
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
    return f"{refund_numbers_of(case_id)}{payout}-{leg}"


def refund_numbers_of(case_id: str) -> str:
    """How all refund numbers of a case begin, and those of no other."""
    return f"RF{hashlib.sha256(case_id.encode()).hexdigest()[:20]}-"


def plan_legs(
    payout: Payout, fund: Iterable[FundPart], counted: Iterable[FundPart] | None = None, *, first: int = 1
) -> tuple[Leg, ...] | Reservation:
    """The legs that pay what is left of ``payout`` out of ``fund``, or why there are none (R8, R14).

    Each part pays the smaller of what is asked and what of it has not been paid back for good; where the tenders lack
    room, the last part wanted goes short first. What legs in flight hold is waited for, because they may fail, unless
    the payout does not wait: it then takes what has room now.

    The original route takes one leg for each tender that it uses: kinds in the policy's order, kinds not
    named last, ties by the tender's id (R4). Cash does not go back that way (T4). A bank transfer is one leg,
    and uses up the same tenders, cash first: what went to a bank account cannot go back to a card as well.
    What was paid with an allowance goes back to it by a leg of its own, whatever the method; once that has been paid
    out, its principal goes back as money, and a leg that nobody pays has the bonus that is lost (A7).
    Each leg carries its own share of the lines, so that its failure gives back exactly that. ``first`` is the number
    of the first leg within the payout.

    Of a payout with a ``remainder`` only what is missing is planned (D8). ``counted`` is the same fund with what
    the case whose payments count has settled and holds, and is ``fund`` itself where it is left out. A payment
    of that case in flight on a part of which something is missing is waited for, because its end changes what is.

    Raises:
        ValueError: the payout wants nothing, or wants a tender, which is ours to plan.
    """
    wanted = _by_part(payout.wanted)
    if not wanted or any(name.startswith(_TENDER) for name in wanted):
        raise ValueError("a payout wants line, freight, principal or compensation parts")
    parts = {part.name: part for part in fund}
    before = parts if counted is None else {part.name: part for part in counted}
    tenders = _in_order(parts.values(), payout)
    missing = missing_parts(payout, before.values())
    in_flight = payout.remainder is not None and any(before.get(name, _NOTHING).held for name in wanted)
    if not missing:
        return Reservation.CONTENDED if not payout.waits and in_flight else Reservation.COVERED
    if payout.waits and payout.remainder and any(before.get(name, _NOTHING).held for name in missing):
        return Reservation.CONTENDED
    at_best = _clipped(missing, parts, tenders, lambda part: part.room_at_best)
    if not at_best:
        return Reservation.EXHAUSTED
    now = _clipped(missing, parts, tenders, lambda part: part.room)
    if now != at_best and (payout.waits or not now):
        return Reservation.CONTENDED
    return _legs(payout, now, tenders, first)


def missing_parts(payout: Payout, counted: Iterable[FundPart]) -> dict[str, int]:
    """What of each part is to be paid if there is room: all that is asked, or what of it is missing (D8).

    Where the payout does not wait, what is in flight counts as paid, so that nothing is paid twice.
    """
    wanted = _by_part(payout.wanted)
    if payout.remainder is None:
        return wanted
    had = {part.name: part.settled + (0 if payout.waits else part.held) for part in counted}
    return {name: amount - had.get(name, 0) for name, amount in wanted.items() if amount > had.get(name, 0)}


@dataclass(frozen=True)
class Again:
    """How failed legs are tried again: some with their numbers, others by legs of numbers of their own (R14)."""

    kept: tuple[str, ...] = ()
    """The refund numbers of the legs whose room is there as it was."""
    retired: tuple[str, ...] = ()
    """Those of legs that are not tried again, because less is left than they were to pay."""
    instead: tuple[Leg, ...] = ()
    """What is paid in their place; nothing where nothing is left."""
    held: tuple[str, ...] = ()
    """Those of legs that must wait: payments in flight hold their room (R8)."""


def plan_again(
    payout: Payout,
    failed: Mapping[str, Sequence[Part]],
    fund: Iterable[FundPart],
    *,
    owed: Mapping[str, int] | None,
    first: int,
) -> Again:
    """How the legs of ``payout`` that have failed are paid after all (R14, section 10).

    ``failed`` has their parts by refund number. A leg keeps its number over every retry, and a number has one amount
    for life: a provider knows it by that. So a leg of which less is left than before is retired, which is safe because
    its failure is confirmed, and what is left is paid by new legs, whose numbers begin with leg ``first``. They may use
    other tenders than the retired one did, where others have used that up.

    ``owed`` is the most that may still be paid of each part by these legs; None where only the room counts (D8).
    """
    parts = {part.name: part for part in fund}
    owing = dict(owed) if owed is not None else None
    kept: list[str] = []
    short: dict[str, Sequence[Part]] = {}
    for number, needs in failed.items():
        fits = all(part.amount <= parts.get(part.name, _NOTHING).room for part in needs) and all(
            purse is None or shares(purse, part.amount).bonus == 0 for part, purse in _purses(needs, parts)
        )
        goods = [part for part in needs if not part.name.startswith(_TENDER)]
        if fits and (owing is None or all(part.amount <= owing.get(part.name, 0) for part in goods)):
            kept.append(number)
            for part, purse in _purses(needs, parts):
                paid_again = purse and purse.with_principal(part.amount)
                held = parts[part.name].held + part.amount
                parts[part.name] = replace(parts[part.name], held=held, purse=paid_again)
                if owing is not None and part.name in owing:
                    owing[part.name] -= part.amount
        else:
            short[number] = goods
    if not short:
        return Again(kept=tuple(kept))
    wanted = _by_part(part for goods in short.values() for part in goods)
    if owing is not None:
        wanted = {name: min(amount, owing.get(name, 0)) for name, amount in wanted.items()}
    wanted = {name: amount for name, amount in wanted.items() if amount}
    numbers = tuple(short)
    if not wanted:
        return Again(kept=tuple(kept), retired=numbers)
    left = payout.model_copy(
        update={
            "wanted": tuple(Part.made_of(name=name, amount=amount) for name, amount in wanted.items()),
            "remainder": None,
        }
    )
    match plan_legs(left, parts.values(), first=first):
        case Reservation.CONTENDED:
            return Again(kept=tuple(kept), held=numbers)
        case Reservation():
            return Again(kept=tuple(kept), retired=numbers)
        case legs:
            return Again(kept=tuple(kept), retired=numbers, instead=legs)


def _purses(needs: Iterable[Part], parts: Mapping[str, FundPart]) -> list[tuple[Part, Purse | None]]:
    """Each part, with the allowance that it was spent of; what of that has failed was to go as principal (A7)."""
    return [(part, parts.get(part.name, _NOTHING).purse) for part in needs]


def waits_for(payout: Payout) -> str | None:
    """R8, D8: what a ruling still has to pay is not known before the case that counts has ended; None for all others.

    Until then that case may yet pay: after an officer's retry, say, or once it has got an account.
    """
    counts = payout.remainder.counts if payout.remainder else None
    return counts if counts and counts != payout.case_id and payout.waits else None


def without_own(fund: Iterable[FundPart], own: Iterable[FundPart]) -> list[FundPart]:
    """The fund as a payout that is tried again sees it: what its own legs hold (``own``) is for them to pay."""
    held = {part.name: part.held for part in own}
    return [replace(part, settled=part.settled + held[part.name], held=part.held - held[part.name]) for part in fund]


def still_owed(payout: Payout, counted: Iterable[FundPart], own: Iterable[FundPart]) -> dict[str, int] | None:
    """D8: what of each part of a remainder is still to be paid, with what is in flight taken for paid.

    ``counted`` is what the case has paid whose payments count, ``own`` what this one has. None without a remainder.
    """
    if payout.remainder is None:
        return None
    owed = missing_parts(payout.model_copy(update={"waits": False}), counted)
    if payout.remainder.counts in (None, payout.case_id):
        return owed
    used = {part.name: part.settled + part.held for part in own}
    return {name: max(amount - used.get(name, 0), 0) for name, amount in owed.items()}


def _by_part(parts: Iterable[Part]) -> dict[str, int]:
    amounts: dict[str, int] = {}
    for part in parts:
        amounts[part.name] = amounts.get(part.name, 0) + part.amount
    return amounts


def _clipped(
    missing: Mapping[str, int],
    parts: Mapping[str, FundPart],
    tenders: Iterable[FundPart],
    room: Callable[[FundPart], int],
) -> dict[str, int]:
    """What of ``missing`` there is room for, part by part and in all (R14); no part of which there is none."""
    left = sum(room(each) for each in tenders)
    clipped: dict[str, int] = {}
    for name, amount in missing.items():
        if share := min(amount, room(parts.get(name, _NOTHING)), left):
            clipped[name] = share
            left -= share
    return clipped


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


def _legs(payout: Payout, wanted: dict[str, int], tenders: list[FundPart], first: int) -> tuple[Leg, ...]:
    legs: list[Leg] = []
    to_account: list[tuple[FundPart, tuple[Part, ...]]] = []
    for tender, taken in _share(wanted, tenders):
        if tender.tender_kind is TenderKind.ALLOWANCE:
            legs += _of_allowance(payout, first + len(legs), tender, taken)
        elif isinstance(payout.method, BankTransfer):
            to_account.append((tender, taken))
        else:
            parts = (*taken, _part(tender, taken))
            legs.append(_leg(payout, first + len(legs), tender.tender, tender.tender_kind, parts))
    if to_account:
        everything = _by_part(part for _, taken in to_account for part in taken)
        used = [_part(tender, taken) for tender, taken in to_account]
        parts = (*(Part.made_of(name=name, amount=amount) for name, amount in everything.items()), *used)
        legs.append(_leg(payout, first + len(legs), None, None, parts))
    return tuple(legs)


def _of_allowance(payout: Payout, index: int, tender: FundPart, taken: tuple[Part, ...]) -> Iterator[Leg]:
    """A7: what was paid with an allowance goes back to it, or its principal as money and its bonus to nobody."""
    if tender.purse is None:
        raise ValueError("how an allowance stands decides where a refund goes")
    amount = sum(part.amount for part in taken)
    divided = shares(tender.purse, amount)
    if tender.purse.way == "allowance":
        leg = _leg(payout, index, tender.tender, TenderKind.ALLOWANCE, (*taken, _part(tender, taken)))
        yield leg.model_copy(update={"principal": divided.principal, "booked": PaidBy.ALLOWANCE})
        return
    of_principal, of_bonus = divided_parts(taken, divided.principal)
    if of_principal:
        kind = tender.purse.account.facts.tender_kind
        leg = _leg(payout, index, tender.tender, kind, (*of_principal, _part(tender, of_principal)))
        yield leg.model_copy(update={"principal": divided.principal})
    if of_bonus:
        index += bool(of_principal)
        leg = _leg(payout, index, tender.tender, TenderKind.ALLOWANCE, (*of_bonus, _part(tender, of_bonus)))
        yield leg.model_copy(update={"principal": 0, "booked": PaidBy.LOST_BONUS})


def payer_of(payout: Payout, leg: Leg) -> Payer:
    """Whose account a leg is paid from: principal is the merchant's to pay back, as in a withdrawal (A7)."""
    return payout.payer if leg.principal is None else Payer.MERCHANT


def held_by(parts: Iterable[FundPart]) -> str | None:
    """The open withdrawal of an allowance that a payout out of these parts waits for (A7); None without one."""
    return next((part.purse.held_by for part in parts if part.purse and part.purse.held_by), None)


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
                taken.append(Part.made_of(name=name, amount=share))
                left[name] -= share
                room -= share
        if taken:
            shares.append((tender, tuple(taken)))
    return shares


def _part(tender: FundPart, taken: tuple[Part, ...]) -> Part:
    return Part.made_of(name=tender.name, amount=sum(part.amount for part in taken))


def _leg(payout: Payout, index: int, tender: str | None, kind: TenderKind | None, parts: tuple[Part, ...]) -> Leg:
    return Leg.made_of(
        refund_no=refund_number(payout.case_id, payout.number, index),
        amount=sum(part.amount for part in parts if part.name.startswith(_TENDER)),
        tender=tender,
        tender_kind=kind,
        parts=parts,
    )
