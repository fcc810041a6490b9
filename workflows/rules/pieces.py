"""Pieces: how many of a line are left to ask about, and what they cost (R13)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from workflows.messages.cases import Refusal
from workflows.messages.orders import OrderFacts, OrderLine
from workflows.messages.payouts import Part
from workflows.messages.pieces import CasePieces, LinePieces, PieceUse
from workflows.messages.requests import (
    Application,
    LineAmount,
    MerchantRefundRequest,
    PartOfPiece,
    PriceProtectionRequest,
    RefundReason,
    RepairRequest,
    ResendRequest,
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
    """In open returns, or being mended (M5)."""
    exchanged: int = 0
    """In open exchanges, or exchanged for good: for these the buyer gets goods."""
    refunded: int = 0
    """For these the buyer gets money and keeps them, or never got them."""
    resending: int = 0
    """Whole, in open re-sends."""
    resent: int = 0
    """Sent again, whole: the buyer has them now, as if they had come at first (C6)."""
    parts: Mapping[str, int] = field(default_factory=dict[str, int])
    """Of how many pieces a part is being sent again, or has been, by the part."""
    over: int = 0
    """Minor units that were asked or paid beyond the even price of the pieces: see `price`."""

    @property
    def gone(self) -> int:
        """Pieces that nobody can send back any more, or that somebody is sending, back or again."""
        return self.back + self.returning + self.exchanged + self.resending


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
    back = returning = exchanged = refunded = resending = resent = over = 0
    parts: dict[str, int] = {}
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
                case PieceUse.RESEND if holder.outcome is None:
                    resending += held.quantity
                case PieceUse.RESEND:
                    resent += held.quantity
                    continue
                case PieceUse.RESEND_PART:
                    parts |= {part: parts.get(part, 0) + held.quantity for part in held.parts}
                    continue
                case _:
                    continue
            over += max(held.amount - even * held.quantity, 0)
    return Taken(back, returning, exchanged, refunded, resending, resent, parts, over)


def _use_of(holder: Holder, held: LinePieces, even: int) -> PieceUse | None:
    """What a case comes to for a piece; None where it has let it go, or leaves it as it is."""
    match holder.pieces.use, holder.outcome:
        case (PieceUse.BACK, _) | ((PieceUse.RETURN | PieceUse.EXCHANGE), None):
            return holder.pieces.use
        case PieceUse.EXCHANGE, OutcomeKind.EXCHANGED:
            return PieceUse.EXCHANGE
        case ((PieceUse.RESEND | PieceUse.RESEND_PART), (None | OutcomeKind.RESENT)):
            return holder.pieces.use
        case (PieceUse.REFUND, None):
            return PieceUse.REFUND
        case PieceUse.REPAIR, None:
            return PieceUse.RETURN
        case ((PieceUse.REFUND | PieceUse.RESEND | PieceUse.REPAIR), outcome) if outcome in PAID:
            return PieceUse.REFUND
        case ((PieceUse.PRICE_ADJUSTMENT | PieceUse.RESEND_PART), outcome) if outcome is None or outcome in PAID:
            return PieceUse.REFUND if _whole(held, even) else None
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
        case RepairRequest():
            return PieceUse.REPAIR
        case ResendRequest():
            return PieceUse.RESEND_PART if application.parts else PieceUse.RESEND
        case _:
            return PieceUse.REFUND


def pieces_of(application: Application, use: PieceUse, parts: Iterable[PartOfPiece] = ()) -> CasePieces:
    """The pieces that an application names; ``parts`` of them, where it is amended and does not say so itself."""
    return named(application.lines, use, application.parts if isinstance(application, ResendRequest) else parts)


def named(lines: Iterable[LineAmount], use: PieceUse, parts: Iterable[PartOfPiece] = ()) -> CasePieces:
    """These pieces, and what happens to them, or to parts of them."""
    named_parts = tuple(parts) if use is PieceUse.RESEND_PART else ()
    pieces = [
        LinePieces.made_of(
            line=each.line,
            quantity=each.quantity,
            amount=each.amount,
            parts=tuple(part.sku for part in named_parts if part.line == each.line),
        )
        for each in lines
    ]
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
    lines: Iterable[LineAmount | LinePieces],
    use: PieceUse,
    order: OrderFacts,
    holders: Iterable[Holder],
    *,
    of_merchant: bool = False,
    by_platform: bool = False,
    by_pieces: bool = True,
) -> Refusal | None:
    """Why these pieces cannot be asked about in this way, or None (R13).

    Nobody asks for more pieces than are left of what was bought: those that are back, or in an open return or
    exchange, or are being sent again, are not. A piece is refunded, exchanged or sent again, never two of these, though
    one that was sent again can come back (C6). A merchant may pay back (``of_merchant``) what
    is in a return, which then pays what is left (R14). The platform may be asked for money for what was sent again
    (``by_platform``, C6). ``by_pieces``: whether a refund without goods is held to the
    price of its pieces; returns and exchanges always are.
    """
    others = tuple(holders)
    bought = {line.line: line for line in order.lines}
    for number, asked in enumerate(lines):
        line = bought.get(asked.line)
        if line is None:
            return refused("unknown_line", f"lines.{number}.line", "R13", f"the order has no line {asked.line}")
        taken = taken_of(line, others)
        left = pieces_left(line, use, taken, asked, of_merchant=of_merchant, by_platform=by_platform)
        if asked.quantity > left:
            return refused(
                "quantity_too_high",
                f"lines.{number}.quantity",
                "R13",
                f"line {line.line} has {max(left, 0)} of {line.quantity} pieces left to ask about",
            )
        most = price(line.paid, line.quantity, asked.quantity, taken.over)
        if asked.amount > most and (by_pieces or use in (PieceUse.RETURN, PieceUse.EXCHANGE, PieceUse.REPAIR)):
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


def pieces_left(
    line: OrderLine,
    use: PieceUse,
    taken: Taken,
    asked: LineAmount | LinePieces | None = None,
    *,
    of_merchant: bool = False,
    by_platform: bool = False,
) -> int:
    """How many pieces of a line can be asked about in this way: ``asked``, where it matters what is asked for them."""
    left = line.quantity - taken.gone
    match use:
        case PieceUse.PRICE_ADJUSTMENT if asked and not _whole(asked, line.paid // line.quantity):
            return line.quantity
        case PieceUse.EXCHANGE | PieceUse.REPAIR:
            return left - taken.refunded
        case PieceUse.RESEND:
            return left - taken.refunded - taken.resent
        case PieceUse.RESEND_PART:
            parts = asked.parts if isinstance(asked, LinePieces) else ()
            sent = max((taken.parts.get(each, 0) for each in parts), default=0)
            return min(left - taken.refunded, line.quantity - sent)
        case PieceUse.REFUND | PieceUse.PRICE_ADJUSTMENT if of_merchant:
            return line.quantity - taken.exchanged - taken.resending
        case PieceUse.REFUND | PieceUse.PRICE_ADJUSTMENT if not by_platform:
            return left - taken.resent
        case _:
            return left
