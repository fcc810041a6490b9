"""Refunds that the merchant opens and the platform reviews (R9)."""

from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.events import DeadlinePassed, Event
from workflows.kinds.order_money import refund
from workflows.messages.actors import CLOCK, officer
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import Approve, Reject
from workflows.messages.stages import OutcomeKind, StageName
from workflows.rules.evidence import evidence_facts

BY_POLICY = officer("policy")
"""Small amounts are agreed to by the policy's number, not by a person."""


def opened(case: Case) -> Decision:
    """R9: up to the policy's amount, at once."""
    if case.opened.stage is not StageName.PAYING:
        return Decision()
    return refund(case, case.entry("approved_by_policy", BY_POLICY, "R9"), by=BY_POLICY, rule="R9")


def merchant_refund(case: Case, event: Event) -> Decision:
    """What becomes of an event while an officer reviews the refund."""
    match event:
        case Approve():
            return refund(case, case.obeyed(event, "approved"), by=event.by, rule="R9")
        case Reject():  # with what the officer has found; evidence that is nobody's decides nothing (D6)
            return case.close(
                OutcomeKind.REJECTED,
                case.obeyed(event, "rejected", reason=event.reason, **evidence_facts(event.evidence)),
                rule="R9",
                by=event.by,
                notices=case.notice(NoticeTemplate.CASE_CLOSED, case.merchant, outcome=OutcomeKind.REJECTED),
                evidence=case.given(event, "rejected"),
            )
        case DeadlinePassed():
            return refund(case, case.silent("approved_by_silence"), by=CLOCK, rule="R9")
        case _:
            raise AssertionError(f"{event} does not belong to {case.stage.name}")
