"""What a fall of the price owes the buyer (保价, B1, B2)."""

from collections.abc import Iterable
from datetime import timedelta
from fnmatch import fnmatchcase

from workflows.messages.cases import Refusal
from workflows.messages.orders import OrderFacts, OrderLine
from workflows.messages.policy import PriceProtectionPolicy
from workflows.messages.requests import LineAmount, PriceFall, PriceProtectionRequest
from workflows.messages.stages import CaseKind
from workflows.rules.identity import PRICE_PROTECTIONS, case_it_is_about
from workflows.rules.pieces import PAID, Holder, price, taken_of
from workflows.rules.refusals import refused


def owed(line: OrderLine, pieces: int, price_now: int, paid_before: int = 0) -> int:
    """What is owed for ``pieces`` of a line that cost ``price_now`` each now; all amounts are minor units (B2).

    ``paid_before`` is what earlier falls of this line's price have paid, or are to pay: of a further fall only what it
    adds is owed.
    """
    return max(price(line.paid, line.quantity, pieces) - price_now * pieces - paid_before, 0)


def protected(line: OrderLine, others: Iterable[Holder]) -> int:
    """What other cases of price protection, and disputes about such, have paid or may still pay on a line (B2).

    In minor units.
    """
    return sum(
        held.amount
        for each in others
        if _of_price_protection(each) and (each.outcome is None or each.outcome in PAID)
        for held in each.pieces.lines
        if held.line == line.line
    )


def _of_price_protection(case: Holder) -> bool:
    about = case_it_is_about(case.case_id) if case.kind is CaseKind.DISPUTE else case.case_id
    return (about or "").startswith(PRICE_PROTECTIONS)


def refused_protection(
    request: PriceProtectionRequest, order: OrderFacts, others: Iterable[Holder], policy: PriceProtectionPolicy
) -> Refusal | None:
    """Why the price is not protected as asked, or None (B1, B2).

    That the lines are the order's, and what is left of them, is looked at before (R8, R13).
    """
    known = tuple(others)
    bought = {line.line: line for line in order.lines}
    asked = {each.line: each for each in request.lines}
    until = order.paid_at + timedelta(days=policy.days)
    for number, fall in enumerate(request.falls):
        line, wanted = bought[fall.line], asked[fall.line]
        if any(fnmatchcase(line.sku, pattern) for pattern in policy.excluded_skus):
            return refused("line_excluded", f"falls.{number}.line", "B1", "the price of these goods is not protected")
        if not order.paid_at <= fall.fell_at <= until:
            return refused(
                "not_protected_then",
                f"falls.{number}.fell_at",
                "B1",
                f"the price is protected from {order.paid_at.isoformat()} to {until.isoformat()}",
            )
        taken = taken_of(line, known)
        left = line.quantity - taken.gone - taken.refunded
        if wanted.quantity > left:
            return refused("quantity_too_high", "lines", "B2", f"the buyer has {max(left, 0)} pieces of {line.line}")
        most = owed(line, wanted.quantity, fall.price, protected(line, known))
        if wanted.amount > most:
            return refused("amount_too_high", "lines", "B2", f"the fall of the price of {line.line} comes to {most}")
    return None


def refused_dispute(
    lines: Iterable[LineAmount], falls: Iterable[PriceFall], order: OrderFacts, others: Iterable[Holder]
) -> Refusal | None:
    """Why an ended case about these ``falls`` is not disputed for so much, or None (B2, D8).

    What it has been paid itself, and what disputes about it have, the ruling counts. ``others`` are the order's other
    cases: what those have been paid of the same fall meanwhile, or may still be, is not owed once more.
    """
    known, bought = tuple(others), {line.line: line for line in order.lines}
    prices = {each.line: each.price for each in falls}
    for each in lines:
        if (price_now := prices.get(each.line)) is None:
            continue
        most = owed(bought[each.line], each.quantity, price_now, protected(bought[each.line], known))
        if each.amount > most:
            explanation = f"of the fall of the price of {each.line}, {most} is left beside other cases"
            return refused("amount_too_high", "lines", "B2", explanation)
    return None
