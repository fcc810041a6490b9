"""What must be so after each step of each story, whatever has happened."""

import json
import re
from collections import Counter
from collections.abc import Iterator

from pydantic import ValidationError

from starter.interpreter.book import CaseRow
from starter.interpreter.interpreter import Interpreter
from workflows.kinds.admission import accepted
from workflows.kinds.examples import example
from workflows.kinds.stage import STAGES
from workflows.messages.actors import Role
from workflows.messages.commands import GatewayResult
from workflows.messages.message import NO_DIGEST, CaseId
from workflows.messages.payouts import LegState, PaidBy
from workflows.messages.stages import CaseKind, OutcomeKind, StageName
from workflows.rules.parcels import came_back

_PAID = frozenset({OutcomeKind.REFUNDED, OutcomeKind.PAID_BY_PLATFORM, OutcomeKind.PAID_MANUALLY})
_GOODS_SETTLED = _PAID | {
    OutcomeKind.EXCHANGED,
    OutcomeKind.REPAIRED,
    OutcomeKind.RESENT,
    OutcomeKind.CLOSED_BY_OFFICER,
    OutcomeKind.NOTHING_LEFT,
    OutcomeKind.NOTHING_TO_PAY,
    OutcomeKind.COVERED,
}


def shown(world: Interpreter) -> dict[CaseId, int]:
    """The most that each open case has shown as what may be paid on it, in minor units."""
    most: dict[CaseId, int] = {}
    for case in world.cases():
        host = world.host(case)
        if host.over or case not in world.book.cases:
            continue
        view = world.view(case)
        offers = [each.amount for each in view.talk.proposals if each.amount is not None]
        ruling = [view.ruling.amount] if view.ruling else []
        most[case] = max([view.asked.amount if view.asked else 0, *offers, *ruling])
    return most


def broken(world: Interpreter, before: dict[CaseId, int]) -> Iterator[str]:
    """What is not as it must be; ``before`` is what was shown before the last thing happened (R11)."""
    yield from _money(world)
    for case in world.cases():
        row = world.book.cases.get(case)
        if row is None:
            continue
        yield from _log(row)
        yield from _goes_on(world, case, row)
        yield from _seen(world, case, row, before)
        yield from _goods(world, case, row)


def broken_offers(world: Interpreter) -> Iterator[str]:
    """Section 12: what a case offers is never refused for how it stands, and its example is obeyed as it says.

    An example is completed as its reader would: who sends it, and what only the sender knows.
    """
    for case in world.cases():
        host = world.host(case)
        if host.over or case not in world.book.cases:
            continue
        view, intake = world.view(case), host.run.intake
        kinds = {each.command_name(): each for each in accepted(STAGES[view.stage])}
        for command in view.commands:
            said = json.loads(example(command, view, host.run.running.case.request))
            said["by"]["id"] = {Role.BUYER: view.buyer_id, Role.MERCHANT: view.merchant_id}.get(
                said["by"]["role"], "f-1"
            )
            text = re.sub("replace.me", "x1", json.dumps(said)).replace(NO_DIGEST, "1" * 64)
            try:
                refusal = intake.refusal(kinds[command.name].model_validate_json(text))
            except ValidationError as error:
                refusal = error
            if refusal:
                yield f"offers: {view.kind} in {view.stage}: {text}: {refusal}"


def _money(world: Interpreter) -> Iterator[str]:
    told = {each.refund_no for each in world.ledger.alerts}
    for name, fund in world.ledger.funds.items():
        alerted = bool(told & fund.legs.keys())
        for part in world.ledger.parts_of(name):
            if part.settled + part.held > part.paid and not alerted:
                yield f"cap: {name} {part.name}: {part.settled} paid and {part.held} promised of {part.paid}"
        paid_in = sum(each.paid for each in fund.parts if each.name.startswith("tender:"))
        moved = 0
        for number, leg in fund.legs.items():
            row = world.gateway.refunds.get(number)
            by_gateway = row is not None and row.result is GatewayResult.SUCCEEDED
            past_gateway = leg.standing.paid_by in {PaidBy.PLATFORM, PaidBy.OFFICER}
            moved += leg.leg.amount * (by_gateway + past_gateway)
            if row and row.instruction.amount != leg.leg.amount:
                yield f"gateway: {number} was told {row.instruction.amount}, the ledger has {leg.leg.amount}"
            if leg.standing.state is LegState.SUCCEEDED and leg.standing.paid_by is None:
                yield f"ledger: {number} is paid by nobody"
            if leg.standing.state is LegState.FAILED and by_gateway and number not in told:
                yield f"gateway: {number} is paid there, and given up here, and nobody is told"
            if by_gateway and past_gateway and number not in told:
                yield f"gateway: {number} is paid there and by hand, and nobody is told"
        if paid_in and moved > paid_in and not alerted:
            yield f"cap: {moved} has been paid of {name}, on which {paid_in} was paid in"
    for number in world.gateway.refunds:
        if world.ledger.find(number) is None:
            yield f"gateway: {number} is in no book of ours"


def _log(row: CaseRow) -> Iterator[str]:
    moments = [each.at for each in row.log]
    if moments != sorted(moments):
        yield f"log: {row.case_id}: its lines are out of order"
    told = Counter((each.command_key, each.event) for each in row.log if each.command_key)
    if twice := [f"{event} of {key} ({number})" for (key, event), number in told.items() if number > 1]:
        yield f"log: {row.case_id}: {', '.join(twice)} stand more than once"
    if len(row.log) < row.steps + 1:
        yield f"log: {row.case_id}: {len(row.log)} lines for {row.steps} steps and an opening"
    if row.log[0].event != "opened":
        yield f"log: {row.case_id}: it begins with {row.log[0].event}"


def _goes_on(world: Interpreter, case: CaseId, row: CaseRow) -> Iterator[str]:
    host = world.host(case)
    if host.over:
        if not host.stopped and (row.closed_at is None or row.outcome is None):
            yield f"end: {case} has ended, and its book says {row.stage}"
        return
    view = world.view(case)
    if (view.stage, view.due, view.attention) != (row.stage, row.due, row.attention):
        yield f"book: {case} stands in {view.stage}, {view.due}; by its book in {row.stage}, {row.due}"
    if view.stage is StageName.CLOSED:
        return
    if "open_dispute" in {each.name for each in view.commands} and (view.dispute or view.ruling):
        yield f"offers: {case} in {view.stage}: a dispute, which D1 or D10 refuses"
    if view.due is None and not view.no_deadline_because:
        yield f"waits: {case} in {view.stage}: neither a deadline nor a reason for having none"
    if view.due is not None and view.due <= world.now:
        yield f"waits: {case} in {view.stage}: its deadline is over"
    if not any(set(each.roles) - {Role.CLOCK} for each in view.commands) and view.due is None:
        yield f"waits: {case} in {view.stage}: for nobody"


def _seen(world: Interpreter, case: CaseId, row: CaseRow, before: dict[CaseId, int]) -> Iterator[str]:
    legs = [each for each in world.ledger.legs_of(case) if each.state is not LegState.FAILED]
    amount = sum(each.amount for each in legs)
    if amount and row.kind is not CaseKind.DISPUTE and case in before:
        ruled = [each.run.running.state.ruling for each in map(world.host, world.cases())]
        most = max([before[case], row.asked, *(each.amount for each in ruled if each)])
        if amount > most:
            yield f"seen: {case} pays {amount}; {most} was shown"
    if row.closed_at and row.outcome in _PAID | {OutcomeKind.COMPENSATED} and legs:
        booked = row.refunded + row.compensated
        if booked != amount:
            yield f"paid: {case} says {booked}; its legs come to {amount}"
    if row.closed_at and row.outcome not in _PAID | {OutcomeKind.COMPENSATED, OutcomeKind.RULED, OutcomeKind.SETTLED}:
        paid = sum(each.amount for each in legs if each.state is LegState.SUCCEEDED)
        if paid and not world.ledger.alerts:
            yield f"paid: {case} ended as {row.outcome}, and has paid {paid}"


def _goods(world: Interpreter, case: CaseId, row: CaseRow) -> Iterator[str]:
    if row.kind not in (CaseKind.RETURN, CaseKind.EXCHANGE, CaseKind.REPAIR) or not row.closed_at:
        return
    goods = world.host(case).run.running.state.goods
    if goods.with_merchant and row.outcome not in _GOODS_SETTLED:
        yield f"goods: {case} ended as {row.outcome}; the merchant has goods and money (T15)"
    back = came_back(goods.told, goods.parcel, goods.agreed_at)
    if goods.parcel and not goods.received and not back and row.outcome not in _GOODS_SETTLED:
        yield f"goods: {case} ended as {row.outcome}; they are on their way to the merchant (T15)"
