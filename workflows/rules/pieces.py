"""Pieces: how many of a line are left to ask about, and what they cost (R13)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from workflows.messages.cases import Refusal
from workflows.messages.orders import OrderFacts, OrderLine
from workflows.messages.payouts import Part
from workflows.messages.pieces import CasePieces, LinePieces, PieceUse
from workflows.messages.requests import (
    Application,
    LineAmount,
    MerchantRefundRequest,
    PriceProtectionRequest,
    RefundReason,
    ReturnRequest,
)
from workflows.messages.stages import CaseKind, OutcomeKind, StageName
from workflows.rules.refusals import refused

PAID: Final = frozenset(
    {OutcomeKind.REFUNDED, OutcomeKind.PAID_BY_PLATFORM, OutcomeKind.PAID_MANUALLY, OutcomeKind.NOTHING_TO_PAY}
)
"""Ends of a case after which the buyer has what it asked for."""

_STILL_HERE: Final = frozenset({StageName.WAREHOUSE_REVIEW, StageName.OUTBOUND_REVIEW})


@dataclass(frozen=True)
class Holder:
    """A case of the order, as far as its pieces matter to others."""

    case_id: str
    kind: CaseKind
    stage: StageName
    outcome: OutcomeKind | None
    """None while the case is open."""
    pieces: CasePieces

    @property
    def unsent(self) -> bool:
        """Whether its pieces are among those that never shipped: wanted back, or paid back, before they left (R7)."""
        if self.pieces.use is not PieceUse.REFUND:
            return False
        if self.outcome:
            return self.kind in (CaseKind.UNSHIPPED_REFUND, CaseKind.CANCELLATION) and self.outcome in PAID
        return self.kind is CaseKind.UNSHIPPED_REFUND or self.stage in _STILL_HERE


@dataclass(frozen=True)
class Taken:
    """What other cases have to do with the pieces of one line."""

    back: int = 0
    returning: int = 0
    """In open returns."""
    exchanged: int = 0
    """In open exchanges, or exchanged for good: for these the buyer gets goods."""
    refunded: int = 0
    """For these the buyer gets money and keeps them, or never got them."""
    over: int = 0
    """Minor units that were asked or paid beyond the even price of the pieces: see `price`."""

    @property
    def gone(self) -> int:
        """Pieces that nobody can send back any more, or that somebody is sending back."""
        return self.back + self.returning + self.exchanged


NOTHING_TAKEN: Final = Taken()


def price(paid: int, bought: int, pieces: int, over: int = 0) -> int:
    """The most that ``pieces`` of ``bought`` cost, when ``paid`` was paid for all of them; minor units (R13).

    What does not divide evenly is one minor unit more for some of the pieces, by largest remainder. All are alike, so
    those that are asked for first may be the dearer ones, until their number (the remainder) is used up: ``over`` says
    how many units others have had beyond the even price. All pieces together cost exactly what was paid.
    """
    even, remainder = divmod(paid, bought)
    return even * pieces + min(pieces, max(remainder - over, 0))


def taken_of(line: OrderLine, holders: Iterable[Holder]) -> Taken:
    """What the other cases of an order have to do with the pieces of one of its lines."""
    back = returning = exchanged = refunded = over = 0
    even = line.paid // line.quantity
    for holder in holders:
        for held in holder.pieces.lines:
            if held.line != line.line:
                continue
            use = _use_of(holder, held, even)
            match use:
                case PieceUse.BACK:
                    back += held.quantity
                case PieceUse.RETURN:
                    returning += held.quantity
                case PieceUse.EXCHANGE:
                    exchanged += held.quantity
                case PieceUse.REFUND:
                    refunded += held.quantity
                case _:
                    continue
            over += max(held.amount - even * held.quantity, 0)
    return Taken(back, returning, exchanged, refunded, over)


def _use_of(holder: Holder, held: LinePieces, even: int) -> PieceUse | None:
    """What a case comes to for a piece; None where it has let it go, or leaves it as it is."""
    match holder.pieces.use, holder.outcome:
        case (PieceUse.BACK, _) | ((PieceUse.RETURN | PieceUse.EXCHANGE), None):
            return holder.pieces.use
        case PieceUse.EXCHANGE, OutcomeKind.EXCHANGED:
            return PieceUse.EXCHANGE
        case ((PieceUse.REFUND | PieceUse.PRICE_ADJUSTMENT), outcome) if outcome is None or outcome in PAID:
            part_of_it = holder.pieces.use is PieceUse.PRICE_ADJUSTMENT and not _whole(held, even)
            return None if part_of_it else PieceUse.REFUND
        case _:
            return None


def _whole(held: LinePieces | LineAmount, even: int) -> bool:
    return held.amount >= even * held.quantity


def unsent_of(holders: Iterable[Holder]) -> dict[str, int]:
    """How many pieces of each line are wanted back, or were paid back, without having been sent (R7)."""
    pieces: dict[str, int] = {}
    for holder in holders:
        for held in holder.pieces.lines if holder.unsent else ():
            pieces[held.line] = pieces.get(held.line, 0) + held.quantity
    return pieces


def not_to_ship(order: OrderFacts, refunded: Mapping[str, int], holders: Iterable[Holder]) -> dict[str, int]:
    """How many pieces of each line need not ship any more, because they have been paid back (L1).

    ``refunded`` is what has been paid back for good, by part, in minor units.
    """
    ended = unsent_of(holder for holder in holders if holder.outcome)
    return {
        line.line: line.quantity
        if line.paid and refunded.get(f"line:{line.line}", 0) >= line.paid
        else min(ended.get(line.line, 0), line.quantity)
        for line in order.lines
    }


def use_of(application: Application) -> PieceUse:
    """What a request does with the pieces that it names."""
    match application:
        case ReturnRequest(exchange=True):
            return PieceUse.EXCHANGE
        case ReturnRequest():
            return PieceUse.RETURN
        case MerchantRefundRequest(reason=RefundReason.PRICE_ADJUSTMENT) | PriceProtectionRequest():
            return PieceUse.PRICE_ADJUSTMENT
        case _:
            return PieceUse.REFUND


def pieces_of(application: Application, use: PieceUse) -> CasePieces:
    """The pieces that an application names."""
    return named(application.lines, use)


def named(lines: Iterable[LineAmount], use: PieceUse) -> CasePieces:
    """These pieces, and what happens to them."""
    pieces = [LinePieces.made_of(line=each.line, quantity=each.quantity, amount=each.amount) for each in lines]
    return CasePieces.made_of(use=use, lines=tuple(pieces))


def accepted_pieces(application: Application, accepted: Mapping[str, int], paid: Iterable[Part]) -> CasePieces:
    """The pieces that came back and were accepted, with what is paid for them (T11)."""
    amounts = {part.name: part.amount for part in paid}
    lines = (
        LinePieces(line=each.line, quantity=count, amount=amounts.get(f"line:{each.line}", 0))
        for each in application.lines
        if (count := accepted.get(each.line, 0))
    )
    return CasePieces(use=PieceUse.BACK, lines=tuple(lines))


def refused_pieces(
    lines: Iterable[LineAmount],
    use: PieceUse,
    order: OrderFacts,
    holders: Iterable[Holder],
    *,
    of_merchant: bool = False,
    by_pieces: bool = True,
) -> Refusal | None:
    """Why these pieces cannot be asked about in this way, or None (R13).

    Nobody asks for more pieces than are left of what was bought: those that are back, or in an open return or
    exchange, are not. A piece is refunded or exchanged, never both. A merchant may pay back (``of_merchant``) what
    is in a return, which then pays what is left (R14). ``by_pieces``: whether a refund without goods is held to the
    price of its pieces; returns and exchanges always are.
    """
    others = tuple(holders)
    bought = {line.line: line for line in order.lines}
    for number, asked in enumerate(lines):
        line = bought.get(asked.line)
        if line is None:
            return refused("unknown_line", f"lines.{number}.line", "R13", f"the order has no line {asked.line}")
        taken = taken_of(line, others)
        left = _left(line, asked, use, taken, of_merchant=of_merchant)
        if asked.quantity > left:
            return refused(
                "quantity_too_high",
                f"lines.{number}.quantity",
                "R13",
                f"line {line.line} has {max(left, 0)} of {line.quantity} pieces left to ask about",
            )
        most = price(line.paid, line.quantity, asked.quantity, taken.over)
        if asked.amount > most and (by_pieces or use in (PieceUse.RETURN, PieceUse.EXCHANGE)):
            return refused(
                "amount_too_high",
                f"lines.{number}.amount",
                "R13",
                f"{asked.quantity} of {line.quantity} pieces of line {line.line} cost {most}",
            )
        if most and not asked.amount:
            return refused(
                "amount_missing",
                f"lines.{number}.amount",
                "R13",
                f"line {line.line} was paid for: only what cost nothing is worth 0",
            )
    return None


def _left(line: OrderLine, asked: LineAmount, use: PieceUse, taken: Taken, *, of_merchant: bool) -> int:
    match use:
        case PieceUse.PRICE_ADJUSTMENT if not _whole(asked, line.paid // line.quantity):
            return line.quantity
        case PieceUse.EXCHANGE:
            return line.quantity - taken.gone - taken.refunded
        case PieceUse.REFUND | PieceUse.PRICE_ADJUSTMENT if of_merchant:
            return line.quantity - taken.exchanged
        case _:
            return line.quantity - taken.gone
