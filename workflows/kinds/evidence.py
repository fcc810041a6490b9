"""Evidence that parties give, kept with the step that it comes with (R2, R10, R16, D6)."""

from collections.abc import Callable

from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.messages.cases import NoticeTemplate, Refusal
from workflows.messages.commands import Command, SubmitEvidence
from workflows.messages.statements import EvidenceGiven
from workflows.rules.evidence import (
    evidence_facts,
    is_ours,
    refused_evidence,
    refused_more_evidence,
    submitted_facts,
)


def take_evidence(case: Case, command: SubmitEvidence) -> Decision:
    """R2, R10, R16: kept for whoever decides, beside what was given before."""
    given = case.given(command, "evidence_submitted")
    facts = {**(submitted_facts(given) if given else {}), **evidence_facts(command.evidence)}
    entry = case.obeyed(command, "evidence_submitted", **facts)
    told = case.notice_to_others(command.by, NoticeTemplate.EVIDENCE_GIVEN)
    return counted(case, command).stay(entry, evidence=given, notices=told)


def counted(case: Case, command: SubmitEvidence) -> Case:
    """R16: one more giving of this party's."""
    given = case.state.evidence
    return case.but(evidence={**given, command.by.role: given.get(command.by.role, 0) + 1})


def keeping_evidence(
    case: Case, command: Command, event: str, go_on: Callable[[Case, EvidenceGiven | None], Decision]
) -> Decision:
    """Keep what comes with a command that does more than its next step, then ``go_on``.

    What might be refused is kept in a step of its own before anything else is done; else ``go_on`` is given it for its
    first step.
    """
    given = case.given(command, event)
    if given is None or not any(is_ours(each) for each in given.attachments):
        return go_on(case, given)
    given = given.model_copy(update={"event": "evidence_submitted"})
    entry = case.obeyed(command, given.event, **evidence_facts(given.attachments))

    def kept(case: Case, _: object) -> Decision:
        return go_on(case.but(half_done=frozenset()), None)

    half = case.but(half_done=frozenset({command.key}))
    return half.stay(entry, evidence=given, then=kept).held()


def refused_more(case: Case, command: Command) -> Refusal | None:
    """Too much evidence in all from one party (R16)."""
    if not isinstance(command, SubmitEvidence):
        return None
    return refused_more_evidence(case.state.evidence.get(command.by.role, 0), case.policy.limits.evidence_of_a_party)


def refused_content(case: Case, command: Command) -> Refusal | None:
    """Too much evidence at a time (D6)."""
    return refused_evidence(getattr(command, "evidence", ()), case.policy.dispute)
