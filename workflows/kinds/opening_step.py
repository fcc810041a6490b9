"""What is written when a case opens: step 0, the funds that it pays from, the balance that it holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from workflows.kinds.stage import OPENING, STAGES
from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import LogEntry, Notice
from workflows.messages.openings import OpenCase, Opened
from workflows.messages.orders import OrderFacts
from workflows.messages.pieces import CasePieces
from workflows.messages.requests import (
    Application,
    DisputeRequest,
    ExpiryRequest,
    RefundRequest,
    Request,
    WithdrawalRequest,
    opener,
)
from workflows.messages.stages import StageName, WorkList
from workflows.messages.statements import EvidenceGiven
from workflows.rules.allocation import FundPart, allowance_parts, compensation_parts, order_parts
from workflows.rules.applications import version_facts, version_of
from workflows.rules.balances import Held, HeldByOther, StillValid, ValidityEnd
from workflows.rules.identity import allowance_fund, order_fund
from workflows.rules.opening import compensates, not_opened, opened_notices, pieces_named
from workflows.rules.shipping import is_outbound, is_shipped, shipped_since

UNSHIPPED: Final = frozenset({StageName.MERCHANT_REVIEW, StageName.WAREHOUSE_REVIEW, StageName.OUTBOUND_REVIEW})
"""Where a refund opens whose goods have not shipped: it is told what ships while nobody can tell it (R7)."""


@dataclass(frozen=True)
class FundToOpen:
    """A fund that is there once the case is open, if it was not before."""

    fund: str
    currency: str
    parts: tuple[FundPart, ...]


def funds_of(request: Request, opened: Opened) -> tuple[FundToOpen, ...]:
    """The funds that the case pays from: what was paid on its order or allowance, or what is owed beside (L3, T10)."""
    funds: list[FundToOpen] = []
    if order := opened.order:
        funds.append(FundToOpen(order_fund(order.order_no), order.currency, order_parts(order)))
    if allowance := opened.allowance:
        fund = allowance_fund(allowance.allowance_id)
        funds.append(FundToOpen(fund, allowance.currency, allowance_parts(allowance)))
    if (fund := compensates(request)) and opened.asked and opened.stage:  # booked apart
        funds.append(FundToOpen(fund, opened.asked.currency, compensation_parts(opened.asked.amount)))
    return tuple(funds)


def told_who_holds(request: WithdrawalRequest | ExpiryRequest, opened: Opened, held: ValidityEnd) -> Opened:
    """What opening comes to, once it is known which case holds the allowance's balance (A5, A6)."""
    match held:
        case Held():
            return opened
        case HeldByOther(case_id=other) if isinstance(request, ExpiryRequest):
            return opened.model_copy(update={"handed_over_to": other})
        case HeldByOther(case_id=other):
            return not_opened("request_open", "allowance_id", "A5", f"{other} is open on this allowance")
        case StillValid(until=until):
            return Opened(postponed_until=until)
        case _:
            return not_opened("nothing_left", "allowance_id", "A2", "no principal is left to pay back")


@dataclass(frozen=True, kw_only=True)
class FirstStep:
    """Step 0 of a case."""

    entry: LogEntry
    work_list: WorkList | None
    buyer_id: str | None
    application: ApplicationVersion | None
    """What is applied for; None where nothing is (R10)."""
    pieces: CasePieces | None
    """The pieces that it names (R13)."""
    evidence: EvidenceGiven | None
    notices: tuple[Notice, ...]


def first_step(opening: OpenCase, opened: Opened) -> FirstStep:
    """What is written of a case that opens."""
    request, at = opening.request, opening.at
    by, version = opener(request), version_of(request, at) if isinstance(request, Application) else None
    facts = version_facts(version) if version else {}
    entry = LogEntry.made_of(event="opened", by=by, rule=OPENING.rule, at=at, facts=facts)
    given = None
    if attachments := getattr(request, "evidence", ()):  # R10; of a dispute it is a draft (D6)
        adds = not isinstance(request, DisputeRequest)
        given = EvidenceGiven(key="step-0", by=by, attachments=attachments, adds=adds, event=entry.event)
    return FirstStep(
        entry=entry,
        work_list=STAGES[opened.stage].work_list if opened.stage else None,
        buyer_id=opened.order.buyer_id if opened.order else getattr(request, "buyer_id", None),
        application=version,
        pieces=pieces_named(opening, opened),
        evidence=given,
        notices=opened_notices(opening, opened),
    )


def may_ship_meanwhile(request: Request, opened: Opened) -> bool:
    """Whether the case waits for goods that have not shipped."""
    return isinstance(request, RefundRequest) and _stage(opened) in UNSHIPPED


def shipped_meanwhile(
    request: Request, opened: Opened, order: OrderFacts | None, unsent: Mapping[str, int] | None = None
) -> Opened:
    """R3, R7: who ships from now on finds the case and tells it; who shipped a moment before could not.

    Nor could whoever shipped while no run carried the case. ``unsent``: the pieces that other cases of the order have
    to do with, and that were not sent (R15).
    """
    if not isinstance(request, RefundRequest) or not may_ship_meanwhile(request, opened):
        return opened
    if order is None or opened.policy is None:
        return opened
    if is_shipped(order, request, opened.policy, unsent):
        return opened.model_copy(update={"shipped_since": shipped_since(order, request)})
    left_shelf = _stage(opened) == StageName.WAREHOUSE_REVIEW and is_outbound(order, request, unsent)
    return opened.model_copy(update={"left_shelf": True}) if left_shelf else opened


def _stage(opened: Opened) -> str | None:
    """Where the case stands: as far as it has come, where it was opened before."""
    return opened.resumed.state.get("stage") if opened.resumed else opened.stage
