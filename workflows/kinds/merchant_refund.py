"""Refunds that the merchant opens and the platform reviews (R9)."""

from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.order_money import AWAITING_ACCOUNT, PAID_BACK, refund
from workflows.kinds.order_money import table as paying_back
from workflows.kinds.payment_stages import PAYING
from workflows.kinds.process import Process, silence, takes
from workflows.kinds.stage import PLATFORM, Stage, hours
from workflows.messages.actors import CLOCK, Role, officer
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import Approve, Reject
from workflows.messages.stages import OutcomeKind, Silence, StageName, WorkList
from workflows.rules.evidence import evidence_facts

OFFICER_REVIEW = Stage(
    StageName.OFFICER_REVIEW,
    "R9",
    "商家主动退款待平台审核 · refund opened by the merchant, an officer reviews",
    waits_for=Role.PLATFORM,
    silence=Silence.APPROVE,
    span=lambda policy: hours(policy.merchant_refund.officer_review_hours),
    work_list=WorkList.PLATFORM_REVIEW,
)


def process() -> Process:
    """R9: an officer reviews, unless the amount is small."""
    paying = paying_back()
    (answers,) = paying[PAYING]
    return Process(
        "Refund that the merchant opens (R9)",
        opens=(PAYING, OFFICER_REVIEW),
        table={
            OFFICER_REVIEW: (
                takes(Approve, PLATFORM, _approve, approved=PAID_BACK),
                takes(Reject, PLATFORM, _reject, rejected=OutcomeKind.REJECTED),
                silence(_approve_by_silence, approved_by_silence=PAID_BACK),
            ),
            **paying,
            PAYING: (answers.leading(approved_by_policy=AWAITING_ACCOUNT),),
        },
    )


BY_POLICY = officer("policy")
"""Small amounts are agreed to by the policy's number, not by a person."""


def opened(case: Case) -> Decision:
    """R9: up to the policy's amount, at once."""
    if case.opened.stage is not StageName.PAYING:
        return Decision()
    return refund(case, case.entry("approved_by_policy", BY_POLICY, "R9"), by=BY_POLICY, rule="R9")


def _approve(case: Case, command: Approve) -> Decision:
    return refund(case, case.obeyed(command, "approved"), by=command.by, rule="R9")


def _reject(case: Case, command: Reject) -> Decision:
    """With what the officer has found; evidence that is nobody's decides nothing (D6)."""
    return case.close(
        OutcomeKind.REJECTED,
        case.obeyed(command, "rejected", reason=command.reason, **evidence_facts(command.evidence)),
        rule="R9",
        by=command.by,
        notices=case.notice(NoticeTemplate.CASE_CLOSED, case.merchant, outcome=OutcomeKind.REJECTED),
        evidence=case.given(command, "rejected"),
    )


def _approve_by_silence(case: Case) -> Decision:
    return refund(case, case.silent("approved_by_silence"), by=CLOCK, rule="R9")
