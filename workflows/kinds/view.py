"""What is shown of a case: one value, made from its state."""

from collections.abc import Sequence
from datetime import datetime

from workflows.kinds.case import Case, parties_of
from workflows.kinds.offered import Refuses, offered
from workflows.messages.cases import CaseView, Clock, LogEntry
from workflows.messages.message import CaseId
from workflows.messages.money import Money
from workflows.messages.proposals import Talk
from workflows.messages.requests import DisputeRequest
from workflows.rules.reasons import reason_of

ENTRIES_SHOWN = 8


def view_of(case: Case, log: Sequence[LogEntry], opened_at: datetime, refuses: Refuses) -> CaseView:
    """The case as it stands; ``log`` has its lines, oldest first, and ``refuses`` weighs commands to it."""
    state, opened, stage = case.state, case.opened, case.stage
    parties = parties_of(case.request, opened)
    clock = state.clock
    asked = case.asked if opened.asked else None
    policy = state.policy or opened.policy
    return CaseView(
        case_id=case.case_id,
        kind=state.kind,
        stage=state.stage,
        rule=stage.rule,
        merchant_id=parties.merchant_id,
        buyer_id=parties.buyer_id,
        order_no=getattr(case.request, "order_no", None),
        allowance_id=getattr(case.request, "allowance_id", None),
        asked=asked,
        application=state.applied if asked else None,
        reason=reason_of(state.applied.reason, policy) if asked and state.applied and policy else None,
        refunded=Money(amount=state.refunded, currency=asked.currency) if asked else None,
        compensated=Money(amount=state.compensated, currency=asked.currency) if asked and state.compensated else None,
        return_address=state.return_address,
        talk=Talk(proposals=state.talk.proposals, messages=state.talk.messages),
        dispute=_dispute(case),
        ruling=state.ruling,
        opened_at=opened_at,
        time_zone=policy.time_zone if policy else None,
        due=case.due,
        clock=_clock(case),
        no_deadline_because="" if clock.due else stage.no_deadline,
        on_silence=case.on_silence,
        commands=offered(case, refuses),
        attention=state.attention,
        outcome=state.outcome,
        legs=state.legs,
        policy=f"{policy.name}/{policy.version}" if policy else "",
        steps=state.steps,
        warnings=clock.due.warnings if clock.due else (),
        log=tuple(log[-ENTRIES_SHOWN:]),
    )


def _dispute(case: Case) -> CaseId | None:
    """The open dispute about this case; for a dispute the case that it is about."""
    return case.request.about if isinstance(case.request, DisputeRequest) else case.state.dispute.current


def _clock(case: Case) -> Clock | None:
    clock = case.state.clock
    if clock.due is None or clock.span is None:
        return None
    return Clock(since=clock.began_at, span=clock.span, calendar=clock.due.calendar)
