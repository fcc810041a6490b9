"""What every kind of case does the same way: pauses, another policy, another deadline, reminders, facts for the log."""

from workflows.kinds import demanding, open_proposals
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision, StepPlan, Ticks
from workflows.kinds.stage import STAGES
from workflows.messages.actors import Actor, Role
from workflows.messages.cases import LogEntry, NoticeTemplate, Span
from workflows.messages.commands import (
    CloseCase,
    Command,
    MoveDeadline,
    MovePolicy,
    PausesChanged,
    ReportParcel,
    Withdraw,
)
from workflows.messages.stages import OutcomeKind


def note_fact(case: Case, fact: Command) -> Decision:
    """A fact that the stage does not wait for: written in the log, and nothing else."""
    return case.stay(case.obeyed(fact, fact.command_name()))


def note_parcel(case: Case, report: ReportParcel) -> Decision:
    """What happened to the goods is told by its name, whenever it comes (R7)."""
    return case.stay(parcel_line(case, report))


def parcel_line(case: Case, report: ReportParcel) -> LogEntry:
    """The log line of what happened to the goods."""
    return case.obeyed(report, f"goods_{report.event}", carrier=report.carrier, tracking_no=report.tracking_no)


def withdrawn(case: Case, command: Withdraw, rule: str = "R6") -> Decision:
    """R6: the buyer has taken the request back."""
    return case.close(
        OutcomeKind.WITHDRAWN,
        case.obeyed(command, "withdrawn"),
        rule=rule,
        by=command.by,
        notices=case.closed_notices(OutcomeKind.WITHDRAWN),
    )


def closed_by_officer(case: Case, command: CloseCase) -> Decision:
    """An officer ends the case unpaid, for a reason and with proof."""
    return case.close(
        OutcomeKind.CLOSED_BY_OFFICER,
        case.obeyed(command, "closed_by_officer", reason=command.reason, proof=command.proof),
        rule=case.stage.rule,
        by=command.by,
        notices=case.closed_notices(OutcomeKind.CLOSED_BY_OFFICER),
    )


def remind(case: Case) -> Decision:
    """R1: a notice goes out once when the deadline is near."""
    reminded = case.but(clock=case.state.clock.but(reminded=True))
    if case.due is None:
        return Decision(state=reminded.state)
    return reminded.stay(
        case.silent("deadline_near"),
        notices=tuple(
            each
            for to in _waited_for(case)
            for each in case.notice(
                NoticeTemplate.DEADLINE_NEAR, to, due=case.due.isoformat(), on_silence=case.on_silence
            )
        ),
    )


def _waited_for(case: Case) -> tuple[Actor | None, ...]:
    """D4: of both, where evidence is demanded of both, whoever has not said its last word."""
    if case.stage in demanding.DEMANDED:
        return demanding.asked_still(case)
    return (case.merchant if case.stage.waits_for is Role.MERCHANT else case.buyer,)


def reckon_anew(case: Case, changed: PausesChanged) -> Decision:
    """Section 9: a pause window was declared or lifted; a clock that silence decides by moves accordingly."""
    clock = case.state.clock
    if clock.span is None or clock.span.until or not case.stage.pausable or clock.due is None:
        return Decision()
    moved = case.entry("deadline_moved", changed.by, "section 9", changed, window=changed.window)
    plan = StepPlan(case.stage, (moved,), attention=case.state.attention, ticks=Ticks.MOVED, moved=case.running)
    return Decision(step=plan, state=case.state)


def reckon_left_anew(case: Case, changed: PausesChanged) -> Decision:
    """D3, section 9: what is left of a clock that stands still, where a window changes that covers time it ran in."""
    stood = case.state.dispute.standstill
    if stood is None or stood.ran is None or stood.ran.until or not STAGES[stood.stage].pausable:
        return Decision()
    moved = case.entry("deadline_moved", changed.by, "section 9", changed, window=changed.window)
    return case.stay(moved, stops=stood.ran, stopped_at=stood.stopped_at)


def move_policy(case: Case, command: MovePolicy) -> Decision:
    """Section 2: the case goes on under the version in force; its clock counts from when the stage began."""
    clock = case.state.clock
    own = case.stage.span(case.policy) if case.stage.span else None
    running = clock.span.model_copy(update={"since": None}) if clock.span else None
    counted_by_policy = own is not None and own == running
    span = Span(since=clock.began_at) if counted_by_policy else None

    plan = StepPlan(
        case.stage,
        (case.obeyed(command, "policy_moved", version=command.version, reason=command.reason),),
        attention=case.state.attention,
        ticks=Ticks.MOVED if counted_by_policy else Ticks.ON,
        moved=span,
        policy_version=command.version,
    )
    return Decision(step=plan, state=case.state)


def move_deadline(case: Case, command: MoveDeadline) -> Decision:
    """Section 12: silence decides at another moment; the notice before it goes out unless it has gone.

    N2, N6: a proposal stands until the stage ends at the latest; whoever is to answer one that is cut short is told.
    """
    clock, talk = case.state.clock, case.state.talk
    near = clock.span.reminder_minutes if clock.span and not clock.reminded else 0
    facts: dict[str, str | int] = {"until": command.until.isoformat(), "reason": command.reason}
    shortened = [
        each.model_copy(update={"until": command.until}) for each in talk.proposals if each.until > command.until
    ]
    if shortened:
        ends = {each.number: each for each in shortened}
        case = case.but(talk=talk.but(proposals=tuple(ends.get(each.number, each) for each in talk.proposals)))
        facts["proposals"] = ", ".join(str(number) for number in ends)
    return case.enter(
        case.stage,
        case.obeyed(command, "deadline_set", **facts),
        attention=case.state.attention,
        span=Span(until=command.until, reminder_minutes=near),
        notices=tuple(notice for each in shortened for notice in open_proposals.told_of(case, each)),
    )
