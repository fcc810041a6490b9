"""From a plan to the step that is written, and from the book's answer to the state that follows."""

from datetime import datetime, timedelta
from typing import Any, Final

from workflows.kinds import open_proposals
from workflows.kinds.case import Case
from workflows.kinds.decisions import StepPlan, Ticks
from workflows.kinds.stage import CLOSED, INTERNAL, PASSING, STAGES
from workflows.kinds.state import Decided, RunningClock, Standstill, State
from workflows.messages.actors import officer
from workflows.messages.cases import CaseKey, Due, LogEntry, Notice, NoticeTemplate, Span, Step, StepAnswer
from workflows.messages.parcels import ParcelPurpose
from workflows.messages.payouts import Reservation
from workflows.messages.policy import Policy
from workflows.messages.stages import Attention, Silence

STAFF = officer("staff")
"""Whoever of the platform's staff answers calls for attention."""


def step_of(case: Case, plan: StepPlan, key: CaseKey, *, before: tuple[LogEntry, ...] = ()) -> Step:
    """The case's next step; ``before`` are log lines that go with it."""
    clock = case.state.clock
    notices = (*told_of(case, plan), *open_proposals.told_of_fallen(case, plan))
    match plan.ticks:
        case Ticks.ANEW:
            span = asked_span(case, plan)
        case Ticks.ON:
            span = Span(until=clock.due.at) if clock.due else None
        case Ticks.MOVED:
            span = plan.moved
    return Step.made_of(
        case=key,
        step=case.state.steps + 1,
        at=case.now,
        entries=(*before, *open_proposals.fallen(case, plan), *plan.entries),
        kind=case.kind,
        stage=plan.stage.name,
        work_list=plan.stage.work_list,
        span=span,
        attention=plan.attention,
        outcome=plan.outcome,
        refunded=plan.refunded,
        compensated=plan.compensated,
        notices=(*(_from_here_on(case, plan, each) for each in notices), *_calls_staff(case, plan.attention)),
        reserve=plan.reserve,
        only_with_room=plan.only_with_room,
        balance=plan.balance,
        address=plan.address,
        watch=plan.watch,
        evidence=plan.evidence,
        said=plan.said,
        charges=plan.charges,
        disputes=plan.disputes,
        account=plan.account,
        stops=plan.stops,
        stopped_at=plan.stopped_at,
        application=plan.application,
        asks_standing_orders=plan.asks_standing_orders,
        policy_version=plan.policy_version,
        pieces=plan.pieces,
        claims=plan.claims,
        proof=plan.proof,
        exemption=plan.exemption,
        talk=open_proposals.talk_after(case, plan),
    )


def asked_span(case: Case, plan: StepPlan) -> Span | None:
    """How long the stage lasts that a plan begins; a case that has ended waits for nothing."""
    if plan.span or plan.stage is CLOSED:
        return plan.span
    return plan.stage.span(case.policy) if plan.stage.span else None


def told_of(case: Case, plan: StepPlan) -> tuple[Notice, ...]:
    """N6: what the parties are told of a step; of a move that nothing else tells of, where the case stands now.

    Not of one to a stage that is the platform's own affair.
    """
    moved = plan.stage is not case.stage and plan.stage.name not in _OF_NOBODY
    if plan.notices or not moved:
        return plan.notices
    if plan.outcome:
        return case.closed_notices(plan.outcome)
    return case.notice_to_both(
        NoticeTemplate.STAGE_CHANGED, stage=plan.stage.name, on_silence=_silence_there(case, plan)
    )


_OF_NOBODY: Final = PASSING | INTERNAL
"""Where the case waits for neither side."""


def _silence_there(case: Case, plan: StepPlan) -> Silence:
    return case.but(stage=plan.stage.name).on_silence


def _from_here_on(case: Case, plan: StepPlan, notice: Notice) -> Notice:
    """N6: the same, with what silence does in the stage that the step leads to, and not in the one that is left."""
    if notice.template is not NoticeTemplate.PROPOSAL_ENDED:
        return notice
    if plan.stage is CLOSED or plan.stage.name in _OF_NOBODY:
        return notice.model_copy(update={"template": NoticeTemplate.PROPOSAL_OVER})
    return notice.model_copy(update={"fields": {**notice.fields, "on_silence": _silence_there(case, plan)}})


def _calls_staff(case: Case, attention: Attention | None) -> tuple[Notice, ...]:
    """Tell the platform's staff once that a case has come to need a person."""
    if attention is None or attention is case.state.attention:
        return ()
    return case.notice(NoticeTemplate.ATTENTION_RAISED, STAFF, attention=attention)


def begun(span: Span | None, at: datetime, due: Due | None = None, *, worked_out: bool = False) -> RunningClock:
    """A clock that begins at a moment; its deadline is the book's to say."""
    began_at = span.since or at if span else at
    return RunningClock.made_of(span=span, began_at=began_at, due=due, worked_out=worked_out)


def _late_by(case: Case, plan: StepPlan, clock: RunningClock) -> timedelta:
    """T6: how much of a stage's time was over before anybody could act in it; one that goes on keeps what it has."""
    late_by = max(case.now - clock.began_at, timedelta())
    goes_on = late_by and plan.stage is case.stage
    return case.state.late_by if goes_on else late_by


def planned(case: Case, plan: StepPlan, follow_up: str, verdict: Decided | None) -> State:
    """The state with a step, as far as it is known before the book has answered: this is written with the step."""
    state, clock, late_by = case.state, case.state.clock, case.state.late_by
    match plan.ticks:
        case Ticks.ANEW:
            clock = begun(asked_span(case, plan), case.now, worked_out=True)
            late_by = _late_by(case, plan, clock)
        case Ticks.MOVED:
            clock = clock.but(worked_out=True)
        case Ticks.ON:
            clock = clock.but(worked_out=False)
    listens = plan.watch is not None and plan.watch.purpose is not ParcelPurpose.ORDER
    changed: dict[str, object] = {
        "stage": plan.stage.name,
        "attention": plan.attention,
        "clock": clock,
        "late_by": late_by,
        "follow_up": follow_up,
        "goods": state.goods.but(listens=listens) if state.goods.listens != listens else state.goods,
    }
    if plan.outcome:
        changed |= {"outcome": plan.outcome, "refunded": plan.refunded, "compensated": plan.compensated}
    if verdict:
        changed["ended"] = verdict
    if plan.application:
        changed["applied"] = plan.application
    if open_proposals.falls(case, plan):
        changed["talk"] = open_proposals.talk_fallen(case)
    if plan.evidence:
        changed["kept_evidence"] = state.kept_evidence | {plan.evidence.key}
    return state.but(**changed)


def kept(state: State) -> dict[str, Any]:
    """The state as it is written with a step; parts of it that are as they are by default are left out."""
    values = state.__dict__
    changed = {name for name, default in _DEFAULTS.items() if values[name] != default}
    return state.model_dump(mode="json", include=changed | _REQUIRED)


_REQUIRED: Final = {name for name, field in State.model_fields.items() if field.is_required()}
_DEFAULTS: Final = {name: field.default for name, field in State.model_fields.items() if not field.is_required()}


def answered(state: State, stepped: StepAnswer, number: int) -> State:
    """The state once its step, which has this number, has been written."""
    clock = state.clock
    if clock.worked_out:
        clock = clock.but(due=stepped.due)
        if stepped.policy:  # section 2: the length of the stage is the new version's
            own = STAGES[state.stage].span
            clock = clock.but(span=own(stepped.policy) if own else clock.span)
    changed: dict[str, object] = {"clock": clock, "steps": number}
    if stepped.address:
        changed["return_address"] = stepped.address
    if stepped.policy:
        changed["policy"] = stepped.policy
    if stepped.left is not None and state.dispute.standstill:
        stood: Standstill = state.dispute.standstill.but(left=stepped.left)
        changed["dispute"] = state.dispute.but(standstill=stood)
    if state.goods.listens and stepped.parcel_events:  # the carrier was quicker than whoever told of the parcel
        changed["goods"] = state.goods.heard(*stepped.parcel_events)
    if stepped.reserved and stepped.reserved.reservation is Reservation.RESERVED and state.payout:
        changed["legs"] = stepped.reserved.legs
        due = stepped.reserved.due
        changed["payout"] = state.payout.but(told=state.payout.payout.amount if due is None else due)
    return state.but(**changed)


def span_of(step: Step, policy: Policy | None) -> Span | None:
    """How long the step's stage lasts; under ``policy`` where the case moves to it (section 2)."""
    stage, span = STAGES[step.stage], step.span
    if policy and span and span.until is None and stage.span:
        return stage.span(policy).model_copy(update={"since": span.since})
    return span


def not_decided_before(step: Step, policy: Policy | None, ends: Due) -> Due:
    """Section 2: a new version of the policy does not decide in the past."""
    return ends.model_copy(update={"at": max(ends.at, step.at)}) if policy else ends
