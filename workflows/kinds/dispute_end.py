"""How a dispute ends: who carries its ruling out, who is told, and what it costs the merchant (D8, D9, T10)."""

from dataclasses import replace

from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision, TellCase
from workflows.kinds.money import pay
from workflows.kinds.order_money import refund
from workflows.kinds.owed import compensation_of
from workflows.messages.actors import CLOCK
from workflows.messages.cases import LogEntry, Notice, NoticeTemplate
from workflows.messages.commands import Command, DisputeIntervened, RulingTold
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


RULES = {Verdict.RESOLVED: "D2", Verdict.SETTLED: "D2", Verdict.RULED: "D8"}
"""Under which rule a dispute ends; what silence comes to ends it under the rule of its stage (D4, D5)."""


def told_of_intervention(case: Case) -> tuple[TellCase, ...]:
    """D3: what tells the disputed case that the platform has stepped in."""
    if case.carried_out_by is None:
        return ()
    told = DisputeIntervened(key=intervention_key(case.case_id), by=CLOCK)
    return (TellCase(case.carried_out_by, told),)


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
    then the case is looked for, by a word that it knows already: who was to carry the ruling out may run no more.
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
        (told,) = told_of_intervention(case)

        def looked_for(case: Case, runs: bool) -> Decision:
            if not runs:
                stopped = case.entry("disputed_case_stopped", CLOCK, "D8")
                return _ended(case, ruling, rule, charges, *said, entry, stopped, own=True)
            ended = _ended(case, ruling, rule, charges, *said, entry, own=False)
            # The run that waits for this dispute's result may be another one than carries the case now.
            ruled_on = RulingTold(key=ruling_key(case.case_id), by=CLOCK, ruling=ruling)
            return replace(ended, first=(*ended.first, TellCase(told.case, ruled_on)))

        return Decision(effect=told, state=case.state, then=looked_for)
    return _ended(case, ruling, rule, charges, *said, entry, own=case.carried_out_by is None)


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
