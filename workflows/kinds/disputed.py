"""A case that the buyer may have decided by the platform: how a dispute moves it (D1 to D3, D8).

The dispute is a case of its own. While it is in negotiation the disputed case goes on as before; from intervention on
it is locked and its clock stands still; then it goes on with what was ruled, or where it stood.
"""

from dataclasses import replace
from datetime import timedelta

from workflows.kinds import every_case, order_money
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision, StartDispute
from workflows.kinds.events import DisputeEnded
from workflows.kinds.evidence import keeping_evidence
from workflows.kinds.order_money import PAID_BACK
from workflows.kinds.process import Handler, On, Table, hears, takes
from workflows.kinds.process import ruled as when_ruled
from workflows.kinds.stage import BUYER, MERCHANT, STAGES, Stage
from workflows.kinds.state import Standstill
from workflows.messages.actors import CLOCK, Role
from workflows.messages.cases import LogEntry, Refusal, Span
from workflows.messages.commands import (
    Approve,
    Command,
    ConfirmReceipt,
    DisputeIntervened,
    GiveRefundAccount,
    OpenDispute,
    ReportParcel,
    Withdraw,
)
from workflows.messages.payouts import Remainder
from workflows.messages.pieces import CasePieces
from workflows.messages.requests import DisputeRequest
from workflows.messages.rulings import Award, Ruling, Verdict
from workflows.messages.stages import Attention, OutcomeKind, Silence, StageName, WorkList
from workflows.messages.statements import EvidenceGiven
from workflows.messages.step_parts import NamedStatement
from workflows.rules.dispute import DECIDED, intervention_key
from workflows.rules.evidence import is_ours
from workflows.rules.identity import case_id
from workflows.rules.refund import ruled_parts
from workflows.rules.refusals import refused

DISPUTE_OPENED = "dispute_opened"
SECOND = timedelta(seconds=1)


DISPUTED = Stage(
    StageName.DISPUTED,
    "D2",
    "纠纷协商中 · disputed: the parties negotiate before the platform steps in",
    waits_for=Role.MERCHANT,
    silence=Silence.NOTHING,
    no_deadline="截止时间在纠纷上：协商期结束后由平台介入"
    " · the dispute has the deadline: it goes to the platform when the negotiation is over",
    work_list=WorkList.NEGOTIATIONS,
)

LOCKED = Stage(
    StageName.LOCKED,
    "D3",
    "平台介入，已锁定 · the platform decides: locked, its clock stands still",
    waits_for=Role.PLATFORM,
    silence=Silence.NOTHING,
    no_deadline="截止时间在纠纷上：按判责继续，或以剩余时间继续"
    " · the dispute has the deadline: the case goes on with its ruling, or with the time that was left",
    work_list=WorkList.RULINGS,
)


def disputable(
    own: Table,
    *,
    approve: Handler,
    note_parcel: Handler,
    carry_out: Handler,
    comes_disputed: tuple[Stage, ...] = (),
    with_merchant: frozenset[Stage] = frozenset(),
    sends_back: tuple[Stage, ...] = (),
    underway: tuple[Stage, ...] = (),
    other_goods: tuple[Stage, ...] = (),
    incoming: tuple[Stage, ...] = (),
    talks: tuple[On, ...] = (),
    granted: tuple[Stage, ...] = PAID_BACK,
    settled: tuple[Stage, ...] = (),
    free: bool = True,
) -> Table:
    """A kind's ``own`` table up to the decision to pay, what a dispute adds to it, and the money leg (D1 to D3, D8).

    ``approve`` is what the merchant's word does in the negotiation, and ``granted`` where that leads; ``note_parcel``
    is what a carrier's does meanwhile, ``carry_out`` what a ruling does. A case of another kind may come to stand in
    ``comes_disputed`` with its dispute open. What is not to be paid for ``sends_back`` what the merchant has, as it
    does in the stages ``with_merchant``, and may since a case stands still; in the stages in which goods are
    ``underway`` to the buyer they go on to it (T15); where these are ``other_goods`` than it had, the case goes on even
    if it has them (R13); what is ``incoming`` to the merchant is waited for (T15). In the negotiation both sides talk
    as ``talks`` says (N1), and what they agree on leads to ``settled``, where the word of the dispute may cross theirs
    (section 11). What is granted may be ``free`` (R13).
    """
    goes_on = _open_in(own, (*comes_disputed, *settled))
    stops = tuple(each for each in own if _leads(own[each]) & {DISPUTED})
    locked = hears(DisputeIntervened, lock)
    ended = when_ruled(_end_of_dispute(carry_out))
    carried_out = {"ruling_carried_out": (*PAID_BACK, OutcomeKind.DISMISSED, *sends_back, *underway, *other_goods)}

    def back(to: tuple[Stage, ...]) -> dict[str, tuple[Stage, ...]]:
        return dict.fromkeys(("dispute_resolved", "dispute_broken_off"), to)

    def while_open(stage: Stage) -> tuple[On, On]:
        if stage not in goes_on:
            return locked, ended
        dismissed = (
            ()
            if stage in (*other_goods, *incoming)
            else sends_back
            if stage in with_merchant
            else (OutcomeKind.DISMISSED,)
        )
        return locked.leading(locked=LOCKED), ended.leading(ruling_carried_out=(*PAID_BACK, *dismissed))

    standing_still = (
        takes(Approve, MERCHANT, approve, approved=granted),
        takes(Withdraw, BUYER, every_case.withdrawn, withdrawn=OutcomeKind.WITHDRAWN),
        takes(GiveRefundAccount, BUYER, order_money.take_account),
        *talks,
        hears(ReportParcel, note_parcel),
        locked.leading(locked=LOCKED),
        ended.leading(**carried_out, **back(stops), dispute_refused=stops),
    )
    return {
        **{stage: (*lines, *while_open(stage)) for stage, lines in own.items()},
        **({DISPUTED: standing_still} if stops else {}),
        LOCKED: (
            takes(ConfirmReceipt, MERCHANT, _keep_receipt),
            takes(GiveRefundAccount, BUYER, order_money.take_account),
            hears(ReportParcel, _keep_report),
            locked,
            ended.leading(**carried_out, **back(tuple(each for each in own if each in {*goes_on, *stops}))).leading(
                ruling_carried_out=incoming
            ),
        ),
        **{stage: (*lines, locked) for stage, lines in order_money.table(free=free).items()},
    }


def _open_in(own: Table, comes_disputed: tuple[Stage, ...]) -> frozenset[Stage]:
    """The stages in which a case may go on with a dispute open: where it is opened, and what they lead to (D2)."""
    reached = set(comes_disputed)
    for stage, lines in own.items():
        opens = next((each for each in lines if each.event is OpenDispute), None)
        if opens and not opens.leads:
            reached.add(stage)
    while more := {goal for stage in reached for goal in _leads(own[stage]) if goal in own} - reached:
        reached |= more
    return frozenset(reached)


def _leads(lines: tuple[On, ...]) -> set[Stage]:
    return {goal for each in lines for _, goal in each.leads if isinstance(goal, Stage)}


def kept_event(case: Case) -> tuple[Case, Command] | None:
    """What was told under the lock and is to be looked at now, and the case without it."""
    dispute = case.state.dispute
    if not dispute.kept or dispute.standstill or case.state.stage in DECIDED:
        return None
    event, *others = dispute.kept
    return case.but(dispute=dispute.but(kept=tuple(others))), event


def ruling_of(event: DisputeEnded) -> Ruling | None:
    """The ruling that a case is to carry out; None for a dispute that left it as it was."""
    ruling = event.ruling
    return ruling if ruling and ruling.verdict is not Verdict.RESOLVED else None


# What a dispute does to its case ------------------------------------------------------------------------


def open_dispute(case: Case, command: OpenDispute) -> Decision:
    """D1, D2: on the case as it was last applied for. The case goes on meanwhile."""
    return _open(case, command, stands_still=False)


def stand_still_and_dispute(case: Case, command: OpenDispute) -> Decision:
    """D1: where the buyer's silence would end the case, or count as an answer, the dispute is its word."""
    return _open(case, command, stands_still=True)


def _open(case: Case, command: OpenDispute, *, stands_still: bool) -> Decision:
    def written(case: Case) -> Decision:
        return _write_as_disputed(case, command, stands_still=stands_still)

    if any(is_ours(each) for each in command.evidence):
        return keeping_evidence(case, command, "dispute_opened", lambda case, _: written(case))
    return written(case)


def _write_as_disputed(case: Case, command: OpenDispute, *, stands_still: bool) -> Decision:
    """D1, D10: nothing of it is written where the same has been disputed otherwise."""
    dispute = case.state.dispute.but(opened=case.state.dispute.opened + 1, told_settled=False)
    application = case.application
    request = DisputeRequest(
        request_key=f"d{dispute.opened}",
        order_no=case.order.order_no,
        merchant_id=case.parties.merchant_id,
        buyer_id=str(case.parties.buyer_id),
        about=case.case_id,
        lines=application.lines,
        freight=application.freight,
        reason=application.reason,
        method=application.method,
        goods_received=application.goods_received,
        words=command.words or application.words,
        dispute_reason=command.reason,
        evidence=command.evidence,
    )
    words = {"words": command.words} if command.words else {}
    entry = case.obeyed(command, "dispute_opened", reason=command.reason, dispute=case_id(request), **words)
    said = NamedStatement(statement=command.words, by=command.by, field="words") if command.words else None
    opening = case.but(dispute=dispute.but(opening=request))
    if stands_still:
        written = _stand_still(opening, DISPUTED, entry, disputes=True, said=said)
    else:
        written = opening.stay(entry, disputes=True, said=said)
    return replace(
        written, effect=StartDispute(request), then=_dispute_started, follow_up=DISPUTE_OPENED, answers=False
    )


def dispute_opened(case: Case) -> Decision:
    """D1: an earlier run has written down that there is a dispute; whether it has started it is not known."""
    request = case.state.dispute.opening
    if request is None:
        return Decision()
    return Decision(effect=StartDispute(request, again=True), state=case.state, then=_dispute_started)


def _dispute_started(case: Case, started: str | None) -> Decision:
    case = case.but(dispute=case.state.dispute.but(opening=None))
    if started is None:
        entry = case.entry("dispute_broken_off", CLOCK, "D1")
        return replace(go_on(case, entry, Attention.DISPUTE_BROKEN_OFF), answers=True)
    return Decision(state=case.but(dispute=case.state.dispute.but(current=started)).state, answered=True)


def _end_of_dispute(carry_out: Handler) -> Handler:
    def ended(case: Case, end: DisputeEnded) -> Decision:
        if ruling := ruling_of(end):  # D8
            return carry_out(case, ruling)
        free = case.but(dispute=case.state.dispute.but(current=None))
        match end:
            case DisputeEnded(ruling=Ruling(by=by)):
                return go_on(free, case.entry("dispute_resolved", by, "D2"))
            case DisputeEnded(refused=True):  # D10: another dispute about the same was quicker
                return go_on(free, case.entry("dispute_refused", CLOCK, "D10"))
            case _:
                broken_off = case.entry("dispute_broken_off", CLOCK, "D1")
                return go_on(free, broken_off, Attention.DISPUTE_BROKEN_OFF)

    return ended


def ruled(case: Case) -> Case:
    """The case once its dispute has been ruled on: nothing stands still any more (D8)."""
    return case.but(dispute=case.state.dispute.but(current=None, standstill=None))


def lock(case: Case, told: DisputeIntervened) -> Decision:
    """D3: the platform has stepped in; what is being paid already is finished (section 11).

    The word may come after the dispute has ended, and must not lock the case for ever then.
    """
    current = case.state.dispute.current
    if case.state.stage in DECIDED or current is None or told.key != intervention_key(current):
        return case.stay(case.entry("dispute_intervened", CLOCK, "D3", told))
    return _stand_still(case, LOCKED, case.entry("locked", CLOCK, "D3", told))


def _stand_still(
    case: Case, stage: Stage, entry: LogEntry, *, disputes: bool = False, said: NamedStatement | None = None
) -> Decision:
    """D3: the clock stops, and what is left of it is kept; one that stands still already stays as it is."""
    clock = case.state.clock
    stood = case.state.dispute.standstill or Standstill(
        stage=case.state.stage,
        ran=case.running,
        stopped_at=case.now if case.running else None,
        reminder_minutes=clock.span.reminder_minutes if clock.span and not clock.reminded else 0,
        attention=case.state.attention,
    )
    standing = case.but(dispute=case.state.dispute.but(standstill=stood))
    return replace(case.enter(stage, entry, stops=case.running, disputes=disputes, said=said), state=standing.state)


def go_on(case: Case, entry: LogEntry, attention: Attention | None = None) -> Decision:
    """Where the case stood, with the time that was left (D3)."""
    stood = case.state.dispute.standstill
    if stood is None:
        return case.stay(entry, attention=attention or case.state.attention)
    span: Span | None = None
    if stood.left is not None:
        seconds = -(-stood.left // SECOND)
        began_at = case.now + stood.left - seconds * SECOND  # a span has whole seconds; what was left has not
        span = Span(seconds=seconds, since=began_at, reminder_minutes=stood.reminder_minutes)
    going = case.but(dispute=case.state.dispute.but(standstill=None))
    return going.enter(STAGES[stood.stage], entry, span=span, attention=attention or stood.attention)


def _keep_receipt(case: Case, command: ConfirmReceipt) -> Decision:
    """D3: recorded now, looked at when the case goes on: each is a line of its own name."""

    def keep(case: Case, given: EvidenceGiven | None) -> Decision:
        return _keep(case, command, case.obeyed(command, "receipt_recorded"), given)

    return keeping_evidence(case, command, "receipt_recorded", keep)


def _keep_report(case: Case, report: ReportParcel) -> Decision:
    told = {"carrier": report.carrier, "tracking_no": report.tracking_no}
    return _keep(case, report, case.obeyed(report, "report_recorded", told=report.event, **told))


def _keep(
    case: Case, event: ConfirmReceipt | ReportParcel, entry: LogEntry, given: EvidenceGiven | None = None
) -> Decision:
    dispute = case.state.dispute
    kept = case.but(dispute=dispute.but(kept=(*dispute.kept, event)))
    return replace(case.stay(entry, evidence=given), state=kept.state)


# What the kinds that can be disputed decide -------------------------------------------------------------


def carry_out_ruling(case: Case, ruling: Ruling) -> Decision:
    """D8, where no goods come back."""
    return carry_out(ruled(case), ruling)


def carry_out(case: Case, ruling: Ruling, pieces: CasePieces | None = None) -> Decision:
    """D8: what was ruled, counting what has been paid already."""
    case = case.but(ruling=ruling)
    entry = ruling_entry(case, ruling)
    if not ruling.amount and ruling.award is not Award.FULL:  # R13: what cost nothing is granted without a payment
        notices = case.closed_notices(OutcomeKind.DISMISSED)
        return case.close(OutcomeKind.DISMISSED, entry, rule="D8", by=ruling.by, notices=notices, pieces=pieces)
    return order_money.refund(
        case,
        entry,
        by=ruling.by,
        rule="D8",
        wanted=ruled_parts(ruling),
        remainder=Remainder(counts=case.case_id),
        pieces=pieces,
    )


def ruling_entry(case: Case, ruling: Ruling) -> LogEntry:
    """The log line of a ruling that is carried out."""
    facts = {"verdict": ruling.verdict, "fault": ruling.fault, "amount": ruling.amount}
    return case.entry("ruling_carried_out", ruling.by, "D8", None, **facts)


def said_after_end(case: Case, ended: DisputeEnded) -> LogEntry | None:
    """The log line of a ruling that came when the case had ended; none where it is what the case has carried out."""
    ruling = ruling_of(ended)
    if ruling is None or ruling == case.state.ruling:
        return None
    return case.entry("ruling_after_end", ruling.by, "D8", None, amount=ruling.amount)


# What is refused ----------------------------------------------------------------------------------------


def refused_content(case: Case, command: Command) -> Refusal | None:
    """D1, D3, D10: one dispute at a time, and one receipt under its lock."""
    match command:
        case OpenDispute():
            return refused_another(case)
        case ConfirmReceipt() if any(isinstance(each, ConfirmReceipt) for each in case.state.dispute.kept):
            return Refusal(
                code="said_before",
                field="command",
                rule="D3",
                explanation="a receipt is recorded already, and counts once the case goes on",
            )
        case _:
            return None


def refused_another(case: Case) -> Refusal | None:
    """D1, D10: why a case cannot be disputed once more, whoever asks; None where it can be, by its stage."""
    if case.state.ruling:
        return refused("ruled_before", "command", "D10", "the case has been ruled on")
    if current := case.state.dispute.current:
        return refused("dispute_open", "command", "D1", f"{current} is open on this case")
    return None
