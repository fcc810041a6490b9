"""What comes back of what was bought, what that is worth, and how long it is waited for (T5, T6, T7, T11)."""

from datetime import timedelta

from workflows.messages.cases import Refusal, Span
from workflows.messages.commands import ConfirmReceipt
from workflows.messages.orders import OrderFacts
from workflows.messages.payouts import Part
from workflows.messages.requests import Application
from workflows.rules.refusals import refused


def refused_receipt(receipt: ConfirmReceipt, application: Application, *, exchange: bool) -> Refusal | None:
    """Why goods cannot be confirmed as received in this way, or None (T6, T11)."""
    if receipt.accepted is None:
        return None
    asked = {each.line: each.quantity for each in application.lines}
    for number, each in enumerate(receipt.accepted):
        if each.line not in asked:
            return _refused("unknown_line", f"accepted.{number}.line", f"line {each.line} is not sent back")
        if each.quantity > asked[each.line]:
            return _refused(
                "quantity_too_high", f"accepted.{number}.quantity", f"{asked[each.line]} pieces of it are sent back"
            )
    if len({each.line for each in receipt.accepted}) != len(receipt.accepted):
        return _refused("line_twice", "accepted", "a line stands more than once")
    pieces = {each.line: each.quantity for each in receipt.accepted}
    if not any(pieces.values()):
        return _refused("nothing_accepted", "accepted", "who accepts nothing rejects, with reason and evidence")
    if all(pieces.get(line, 0) == quantity for line, quantity in asked.items()):
        return None
    if exchange:
        return _refused("partial_exchange", "accepted", "an exchange is for all of it: reject it, or agree on a refund")
    if receipt.reason is None:
        return _refused("reason_missing", "reason", "accepting less than was sent back takes a reason")
    if not receipt.evidence:
        return _refused("evidence_missing", "evidence", "accepting less than was sent back takes evidence")
    if application.amount and not received_parts(application, receipt):
        return _refused("worth_nothing", "accepted", "what is accepted is worth less than the smallest coin: reject it")
    return None


def is_whole_order(application: Application, order: OrderFacts) -> bool:
    """Whether all pieces of an order are asked about, so that no other return of it can be (R16, T10)."""
    asked = {each.line: each.quantity for each in application.lines}
    return all(asked.get(line.line, 0) >= line.quantity for line in order.lines)


def extended(running: Span, days: int) -> Span:
    """The clock that runs, with so many days more: an extension never ends earlier than without it (T7)."""
    if running.until:
        return running.model_copy(update={"until": running.until + timedelta(days=days)})
    if running.seconds:  # what was left when a dispute stood in its way (D3)
        return running.model_copy(update={"seconds": running.seconds + days * 24 * 3600})
    return running.model_copy(update={"minutes": running.minutes + days * 24 * 60})


def accepted(application: Application, receipt: ConfirmReceipt | None) -> dict[str, int]:
    """How many pieces of each line count as received and accepted: all without a word of the merchant's (T6)."""
    if receipt and receipt.accepted is not None:
        return {each.line: each.quantity for each in receipt.accepted}
    return {each.line: each.quantity for each in application.lines}


def received_parts(application: Application, receipt: ConfirmReceipt | None) -> tuple[Part, ...]:
    """What is paid back for what was received and accepted, never for more (T11).

    Without a word of the merchant's, all that was asked for counts as received (T6). A line of which fewer pieces are
    accepted gives its amount in proportion, a broken minor unit rounded down. Freight goes back as it was asked for.
    """
    pieces = accepted(application, receipt)
    amounts = ((each.line, each.amount * pieces.get(each.line, 0) // each.quantity) for each in application.lines)
    lines = tuple(Part(name=f"line:{line}", amount=amount) for line, amount in amounts if amount)
    return lines + ((Part(name="freight", amount=application.freight),) if application.freight else ())


def _refused(code: str, field: str, explanation: str) -> Refusal:
    return refused(code, field, "T11", explanation)
