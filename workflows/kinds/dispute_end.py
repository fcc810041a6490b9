"""How a dispute ends: who carries its ruling out, who is told, and what it costs the merchant (D8, D9, T10)."""

from dataclasses import replace
from typing import Final

from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision, TellCase
from workflows.kinds.money import pay
from workflows.kinds.order_money import refund
from workflows.kinds.owed import compensation_of
from workflows.messages.actors import CLOCK
from workflows.messages.cases import LogEntry, Notice, NoticeTemplate
from workflows.messages.commands import CaseSettled, Command, DisputeIntervened, RulingTold
from workflows.messages.message import CaseId
from workflows.messages.payouts import Part, Remainder
from workflows.messages.requests import CompensationCause, CompensationRequest, DisputeRequest, OriginalRoute
from workflows.messages.rulings import Fault, FreightBearer, Ruling, Verdict
from workflows.messages.scores import ScoreCause, ScoreChange
from workflows.messages.stages import OutcomeKind
from workflows.rules.allocation import COMPENSATION
from workflows.rules.compensation import late_shipment_fund, return_freight_owed
from workflows.rules.dispute import intervention_key, ruling_key
from workflows.rules.refund import ruled_parts
from workflows.rules.returns import is_whole_order

ENDS = {
    Verdict.RESOLVED: OutcomeKind.RESOLVED,
    Verdict.SETTLED: OutcomeKind.SETTLED,
    Verdict.UPHELD: OutcomeKind.RULED,
    Verdict.RULED: OutcomeKind.RULED,
}
"""How a dispute ends whose ruling somebody else carries out, or that pays nothing."""

LEFT_TO_CASE: Final = frozenset(ENDS.values())
"""The same as ends."""


RULES = {Verdict.RESOLVED: "D2", Verdict.SETTLED: "D2", Verdict.RULED: "D8"}
"""Under which rule a dispute ends; what silence comes to ends it under the rule of its stage (D4, D5)."""


def told_of_intervention(case: Case) -> tuple[TellCase, ...]:
    """D3: what tells the disputed case that the platform has stepped in."""
    if case.carried_out_by is None:
        return ()
    return (TellCase(case.carried_out_by, intervention(case.case_id)),)


def intervention(dispute: CaseId) -> DisputeIntervened:
    """D3: that the platform has stepped in."""
    return DisputeIntervened(key=intervention_key(dispute), by=CLOCK)


def end(
    case: Case,
    ruling: Ruling,
    command: Command | None,
    charges: tuple[ScoreChange, ...] = (),
    *,
    said: tuple[LogEntry, ...] = (),
) -> Decision:
    """D8, D9: told to whoever carries it out, or carried out; a lost ruling costs points.

    The server asks for the cancellation of a dispute whose case has been stopped; others may ask for it as well. Only
    then, and where another run has carried the dispute before, the case is looked for, by telling it the ruling: who
    was to carry it out may run no more.
    ``said`` are log lines that come before that of the end.
    """
    case = case.but(ruling=ruling)
    if ruling.fault in (Fault.MERCHANT, Fault.BOTH):
        charges = (*charges, *charge(case, ScoreCause.RULING_LOST))
    rule = RULES.get(ruling.verdict, case.stage.rule)
    entry = case.entry(
        f"dispute_{ruling.verdict}",
        ruling.by,
        rule,
        command,
        fault=ruling.fault,
        award=ruling.award,
        amount=ruling.amount,
        reason=ruling.reason,
    )
    if case.carried_out_by and case.detached:
        # The run that waits for this dispute's result may be another one than carries the case now.
        def looked_for(case: Case, runs: bool) -> Decision:
            case = case.but(claim=case.state.claim.but(told_ruling=True))
            if runs or isinstance(command, CaseSettled):  # which the case itself has told: it has gone its way
                return _ended(case, ruling, rule, charges, *said, entry, own=False)
            stopped = case.entry("disputed_case_stopped", CLOCK, "D8")
            return _ended(case, ruling, rule, charges, *said, entry, stopped, own=True)

        told = _tell_ruling(case, case.carried_out_by, ruling)
        return Decision(effect=told, state=case.state, then=looked_for)
    return _ended(case, ruling, rule, charges, *said, entry, own=case.carried_out_by is None)


def untold(case: Case) -> TellCase | None:
    """D8: the ruling of an ended dispute that its case is yet to be told; None where nothing is to be told.

    It is the result of the dispute's workflow, and so is told to the run that has started it. Since it ended that run
    may have been followed by another one, which waits for no result.
    """
    ruling = case.state.ruling
    if case.carried_out_by is None or not case.detached or ruling is None or case.state.claim.told_ruling:
        return None
    decided_itself = ruling.verdict is Verdict.RESOLVED and ruling.by == CLOCK
    if decided_itself or case.state.outcome not in LEFT_TO_CASE:
        return None
    return _tell_ruling(case, case.carried_out_by, ruling)


def _tell_ruling(case: Case, to: CaseId, ruling: Ruling) -> TellCase:
    return TellCase(to, RulingTold(key=ruling_key(case.case_id), by=CLOCK, ruling=ruling))


def _ended(
    case: Case, ruling: Ruling, rule: str, charges: tuple[ScoreChange, ...], *entries: LogEntry, own: bool
) -> Decision:
    owed = _return_freight(case) if own and ruling.return_freight is FreightBearer.MERCHANT else ()
    if own and ruling.compensation:  # L3, L5: booked apart
        decision = pay(
            case,
            *entries,
            fund=late_shipment_fund(case.order.order_no),
            wanted=(Part(name=COMPENSATION, amount=ruling.compensation),),
            method=OriginalRoute(),
            by=ruling.by,
            rule=rule,
            compensates=True,
            charges=charges,
            notices=_told(case, ruling),
        )
    elif own and ruling.amount:
        decision = refund(
            case,
            *entries,
            by=ruling.by,
            rule=rule,
            wanted=ruled_parts(ruling),
            remainder=Remainder(counts=case.opened.counts),
            charges=charges,
            notices=_told(case, ruling),
        )
    else:
        decision = case.close(
            OutcomeKind.DISMISSED if own and ruling.verdict is Verdict.RULED else ENDS[ruling.verdict],
            *entries,
            rule=rule,
            by=ruling.by,
            notices=_told(case, ruling),
            charges=charges,
        )
    return replace(decision, first=owed)


def _return_freight(case: Case) -> tuple[CompensationRequest, ...]:
    """D8, T10: what sending the goods of an ended return back has cost."""
    claim = claimed(case)
    if claim.about is None:
        return ()
    owed = return_freight_owed(case.opened.return_freight, case.policy.returns.most_return_freight, 0)
    insured = case.opened.insurance_paid
    if owed > insured or (owed and not is_whole_order(claim, case.order)):  # R16: see returning
        return (compensation_of(case.order, claim.about, CompensationCause.RETURN_FREIGHT, owed, insured),)
    return ()


def _told(case: Case, ruling: Ruling) -> tuple[Notice, ...]:
    return case.notice_to_both(
        NoticeTemplate.DISPUTE_RULED,
        verdict=ruling.verdict,
        fault=ruling.fault,
        amount=ruling.amount,
        currency=case.asked.currency,
    )


def charge(case: Case, cause: ScoreCause) -> tuple[ScoreChange, ...]:
    """D9: what it costs by the policy."""
    numbers = case.policy.dispute
    points = {
        ScoreCause.INTERVENTION: numbers.points_for_intervention,
        ScoreCause.RULING_LOST: numbers.points_for_lost_ruling,
        ScoreCause.EVIDENCE_TIMEOUT: numbers.points_for_timeout,
    }[cause]
    return (ScoreChange(merchant_id=case.parties.merchant_id, cause=cause, points=points),)


def claimed(case: Case) -> DisputeRequest:
    """What is disputed."""
    if not isinstance(case.request, DisputeRequest):
        raise TypeError("a dispute is opened by a claim")
    return case.request
