"""What is shown of a case: one value, made from its state."""

from collections.abc import Sequence
from datetime import datetime

from workflows.kinds import disputed
from workflows.kinds.admission import open_commands
from workflows.kinds.case import Case, parties_of
from workflows.messages.actors import Role
from workflows.messages.cases import CaseView, Clock, LogEntry, OpenCommand
from workflows.messages.commands import AcceptProposal, Command, DeclineProposal, OpenDispute, WithdrawProposal
from workflows.messages.message import CaseId
from workflows.messages.money import Money
from workflows.messages.proposals import Talk
from workflows.messages.requests import DisputeRequest
from workflows.rules.reasons import reason_of

ENTRIES_SHOWN = 8


def view_of(case: Case, log: Sequence[LogEntry], opened_at: datetime) -> CaseView:
    """The case as it stands; ``log`` has its lines, oldest first."""
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
        commands=_open_commands(case),
        attention=state.attention,
        outcome=state.outcome,
        legs=state.legs,
        policy=f"{policy.name}/{policy.version}" if policy else "",
        steps=state.steps,
        warnings=clock.due.warnings if clock.due else (),
        log=tuple(log[-ENTRIES_SHOWN:]),
    )


def _open_commands(case: Case) -> tuple[OpenCommand, ...]:
    """What the stage takes; a proposal is answered, or taken back, only where one is open (N1).

    Nobody is offered a dispute where one is open, or a ruling has been given (D1, D10).
    """
    makers = {each.by.role for each in case.state.talk.proposals}
    others = {Role.MERCHANT if maker is Role.BUYER else Role.BUYER for maker in makers}
    answers: dict[type[Command], set[Role]] = {
        AcceptProposal: others,
        DeclineProposal: others,
        WithdrawProposal: makers,
    }
    if disputed.refused_another(case):
        answers[OpenDispute] = set()
    by_name = {each.command_name(): roles for each, roles in answers.items()}
    found: list[OpenCommand] = []
    for each in open_commands(case.stage, case.state.kind):
        roles = by_name.get(each.name)
        if roles is None:
            found.append(each)
        elif roles:
            found.append(OpenCommand(name=each.name, roles=tuple(sorted(roles))))
    return tuple(found)


def _dispute(case: Case) -> CaseId | None:
    """The open dispute about this case; for a dispute the case that it is about."""
    return case.request.about if isinstance(case.request, DisputeRequest) else case.state.dispute.current


def _clock(case: Case) -> Clock | None:
    clock = case.state.clock
    if clock.due is None or clock.span is None:
        return None
    return Clock(since=clock.began_at, span=clock.span, calendar=clock.due.calendar)
