"""How far the goods of an order have gone, line by line and piece by piece (R1, R3, R7, R15, L1)."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from workflows.messages.cases import Refusal
from workflows.messages.orders import OrderFacts, OrderLine
from workflows.messages.pieces import LinePieces
from workflows.messages.policy import Policy
from workflows.messages.requests import Application, LineAmount
from workflows.rules.reasons import goods_at_fault
from workflows.rules.refusals import refused


def pieces_sent(order: OrderFacts, line: OrderLine) -> int:
    """How many pieces of a line are on their way to the buyer, or there (R15)."""
    return line.quantity if order.shipped_at or order.on_delivery_run_at else min(line.pieces_sent, line.quantity)


def pieces_outbound(order: OrderFacts, line: OrderLine) -> int:
    """How many pieces of a line have left the warehouse's shelf (R3, R15)."""
    return (
        line.quantity if order.outbound_at else max(min(line.pieces_outbound, line.quantity), pieces_sent(order, line))
    )


def concerned(asked: int, bought: int, gone: int, unsent: int) -> bool:
    """Whether what has gone of a line concerns a case about ``asked`` pieces of it (R7, R15).

    ``gone`` of ``bought`` pieces have gone that far. As long as enough others are left, the case is about those; of
    them, ``unsent`` pieces are spoken for by other cases that want them back, or had them paid back, unshipped.
    """
    return gone > 0 and asked > bought - gone - unsent


def is_shipped(
    order: OrderFacts, application: Application, policy: Policy, unsent: Mapping[str, int] | None = None
) -> bool:
    """Whether goods that an application is about are on their way to the buyer (R15).

    One about the freight alone is about all of them. A fault is one of goods that were sent.
    """
    sent = {line.line: pieces_sent(order, line) for line in order.lines}
    if not application.lines:
        return any(sent.values())
    faulty = goods_at_fault(application, policy)
    return any(faulty and sent.get(each.line, 0) for each in application.lines) or _gone(
        application.lines, order, sent, unsent
    )


def is_outbound(order: OrderFacts, application: Application, unsent: Mapping[str, int] | None = None) -> bool:
    """Whether goods that an application is about have left the warehouse's shelf (R3, R15)."""
    gone = {line.line: pieces_outbound(order, line) for line in order.lines}
    return _gone(application.lines, order, gone, unsent) if application.lines else any(gone.values())


def _gone(
    lines: Iterable[LineAmount | LinePieces],
    order: OrderFacts,
    gone: Mapping[str, int],
    unsent: Mapping[str, int] | None,
) -> bool:
    bought = {line.line: line.quantity for line in order.lines}
    others = unsent or {}
    return any(
        concerned(each.quantity, bought[each.line], gone[each.line], others.get(each.line, 0))
        for each in lines
        if each.line in bought
    )


def parcel_concerns(
    held: Iterable[LinePieces],
    order: OrderFacts,
    carried: Mapping[str, int],
    unsent: Mapping[str, int],
    *,
    outbound: bool = False,
) -> bool:
    """Whether what happens to a parcel concerns a case that names these pieces (R7, R15).

    ``carried`` says how many pieces of which line the parcel has; one that names none stands for all. ``outbound``
    where the parcel has left the shelf and nothing more.
    """
    if not carried:
        return True
    reached = pieces_outbound if outbound else pieces_sent
    gone = {line.line: reached(order, line) for line in order.lines}
    return _gone((each for each in held if each.line in carried), order, gone, unsent)


def refused_unsent(lines: Iterable[LineAmount], order: OrderFacts, rule: str = "T1") -> Refusal | None:
    """Why pieces cannot come back, or be sent again, or None: only what was sent can (T1, C1, R15)."""
    sent = {line.line: pieces_sent(order, line) for line in order.lines}
    if not any(sent.values()):
        return refused("not_shipped", "order_no", rule, "nothing has been sent yet")
    for number, each in enumerate(lines):
        if each.quantity > sent.get(each.line, 0):
            return refused(
                "not_shipped",
                f"lines.{number}.quantity",
                rule,
                f"{sent.get(each.line, 0)} pieces of line {each.line} have been sent",
            )
    return None


def shipped_since(order: OrderFacts, application: Application) -> datetime | None:
    """When the last of the goods that have gone, of those that an application is about, went (R7)."""
    if order.shipped_at or order.on_delivery_run_at:
        return order.shipped_at or order.on_delivery_run_at
    asked = {each.line for each in application.lines}
    moments = [line.sent_at for line in order.lines if line.sent_at and (line.line in asked or not asked)]
    return max(moments, default=None)


def shipped_by(order: OrderFacts, until: datetime, not_needed: Mapping[str, int]) -> bool:
    """Whether all of an order shipped by a moment, but for the pieces that need not ship any more (L1, R15)."""
    if any(at and at <= until for at in (order.shipped_at, order.on_delivery_run_at)):
        return True
    needed = {line.line: line.quantity - not_needed.get(line.line, 0) for line in order.lines}
    return any(count > 0 for count in needed.values()) and all(
        needed[line.line] <= 0
        or (line.pieces_sent >= needed[line.line] and line.sent_at is not None and line.sent_at <= until)
        for line in order.lines
    )
