"""Evidence that the platform demands in a dispute: of whom, for what, and what comes of it (D4, D5, D6)."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from workflows.kinds import evidence
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.dispute_stages import EVIDENCE, EVIDENCE_OF_BUYER, EVIDENCE_WORKING_HOURS, RULING, RULING_PROPOSED
from workflows.kinds.stage import MERCHANT, PARTIES, STAGES, Stage
from workflows.messages.actors import Actor, Role
from workflows.messages.cases import LogEntry, Notice, NoticeTemplate, Span
from workflows.messages.commands import DemandEvidence, SubmitEvidence
from workflows.messages.stages import StageName
from workflows.messages.statements import EvidenceGiven
from workflows.messages.step_parts import NamedStatement
from workflows.rules.dispute import given_facts
from workflows.rules.evidence import evidence_facts

DEMANDED: Final = (EVIDENCE, EVIDENCE_WORKING_HOURS, EVIDENCE_OF_BUYER)
"""Where evidence is waited for that was demanded."""

OF_MERCHANT: Final = (EVIDENCE, EVIDENCE_WORKING_HOURS)
"""Of these, those in which the merchant's silence counts against it."""

_SILENCE_IS_KEPT: Final = "silence-of-the-merchant-is-kept"
"""The mark of the release since which a merchant's silence counts that the buyer was asked in the meantime."""


def demand(case: Case, command: DemandEvidence) -> Decision:
    """D4: an officer says what is wanted, and of whom; whoever is asked may speak again, and has the time anew.

    The others have what they had (D6). What was proposed for the merchant's silence (D5) falls where it is asked again;
    where it had been asked before, and its time still runs, its silence is not forgotten.
    """
    asked, claim = frozenset(command.of), case.state.claim
    proposal = None if Role.MERCHANT in asked else claim.proposal
    facts: dict[str, str | int] = {"of": " ".join(sorted(asked)), "statement": command.wanted}
    silent = claim.but(gave=claim.gave - asked, finals=claim.finals - asked)
    ended = {role: at for role in sorted(PARTIES - asked) if (at := _ends_for(case, role)) is not None}
    again = silent.but(
        demanded=asked,
        evidence_ended=None,
        ended_before=ended,
        interrupted=_interrupted(case, asked),
        proposal=proposal,
    )
    return case.but(claim=again).enter(
        stage_of(case, asked),
        case.obeyed(command, "evidence_demanded", **facts),
        notices=demanded_notices(case, asked, wanted=command.wanted),
        said=NamedStatement(statement=command.wanted, by=command.by, field="wanted"),
    )


def _interrupted(case: Case, asked: frozenset[Role]) -> StageName | None:
    """D4, D5: the stage in which the merchant's silence still means something, though only the buyer is asked now."""
    if Role.MERCHANT in asked:
        return None
    return case.stage.name if case.stage in OF_MERCHANT else case.state.claim.interrupted


def stage_of(case: Case, asked: frozenset[Role]) -> Stage:
    """D4, D5: the merchant's silence counts against it, by the profile; the buyer's against nobody."""
    if Role.MERCHANT not in asked:
        return EVIDENCE_OF_BUYER
    if case.stage is EVIDENCE:
        return EVIDENCE
    if case.stage in (EVIDENCE_WORKING_HOURS, RULING_PROPOSED):
        return EVIDENCE_WORKING_HOURS
    return EVIDENCE if case.policy.dispute.evidence_silence == "uphold" else EVIDENCE_WORKING_HOURS


def demanded_notices(case: Case, asked: frozenset[Role], **fields: str) -> tuple[Notice, ...]:
    """Tell each that is asked; until when, the book adds (D4)."""
    return tuple(
        each for to in _actors(case, asked) for each in case.notice(NoticeTemplate.EVIDENCE_DEMANDED, to, **fields)
    )


def asked_still(case: Case) -> tuple[Actor | None, ...]:
    """D4: who has not said its last word yet, of those that evidence is demanded of."""
    return _actors(case, demanded_of(case) - case.state.claim.finals)


def demanded_of(case: Case) -> frozenset[Role]:
    """Of whom evidence is demanded; of the merchant where nobody has said otherwise."""
    return case.state.claim.demanded or MERCHANT


def take_evidence(case: Case, command: SubmitEvidence) -> Decision:
    """D6: a draft until the deadline or the final word; what comes later is kept, and marked late."""
    role, late, claim = command.by.role, is_late(case, command.by.role), case.state.claim
    given = EvidenceGiven(
        key=f"step-{case.state.steps + 1}",
        by=command.by,
        attachments=command.evidence,
        statement=command.statement,
        amount=command.amount,
        currency=case.asked.currency if command.amount is not None else None,
        final=command.final,
        late=late,
    )
    entry = case.obeyed(command, "evidence_submitted", **given_facts(given), **evidence_facts(command.evidence))
    case = evidence.counted(case, command)
    if not late:
        finals = claim.finals | {role} if command.final else claim.finals
        case = case.but(claim=claim.but(gave=claim.gave | {role}, finals=finals))
    told = case.notice_to_others(command.by, NoticeTemplate.EVIDENCE_GIVEN)
    if command.final and case.stage in DEMANDED and demanded_of(case) <= case.state.claim.finals:
        return close(case, entry, given, told)
    return case.stay(entry, evidence=given, notices=told)


def close(case: Case, entry: LogEntry, given: EvidenceGiven | None = None, told: tuple[Notice, ...] = ()) -> Decision:
    """D6, D8: who was asked has given what it has, and the platform rules; the others have the time that was set.

    What is proposed still (D5), because the buyer alone was asked, is to be confirmed still. A merchant that had been
    asked before and has said nothing is waited for until its own time is over, and its silence counts (D4, D5).
    """
    claim = case.state.claim.but(evidence_ended=case.due)
    closed = case.but(claim=claim).enter(
        RULING_PROPOSED if claim.proposal else RULING, entry, evidence=given, notices=told
    )
    if claim.interrupted is None or Role.MERCHANT in claim.gave:
        return closed
    awaited = _await_merchant(case, claim.interrupted, entry, given, told)
    return replace(awaited, mark=_SILENCE_IS_KEPT, before=closed)


def _await_merchant(
    case: Case, stage: StageName, entry: LogEntry, given: EvidenceGiven | None, told: tuple[Notice, ...]
) -> Decision:
    """D4, D5, D6: back to where the merchant was asked, with the deadline that it had, be it that it is over."""
    claim, numbers = case.state.claim, case.policy.dispute
    ends, left = claim.ended_before, {Role.BUYER: at} if (at := case.due) else {}
    until = max(ends.get(Role.MERCHANT, case.now), case.now)
    over = {role: at for role, at in ends.items() if at <= case.now}
    near = numbers.evidence_reminder_hours * 60 if stage == EVIDENCE.name else 0
    again = claim.but(demanded=MERCHANT, ended_before={**over, **left}, interrupted=None)
    return case.but(claim=again).enter(
        STAGES[stage],
        entry,
        span=Span(until=until, reminder_minutes=near if until - timedelta(minutes=near) > case.now else 0),
        evidence=given,
        notices=told,
    )


def buyer_silent(case: Case) -> Decision:
    """D4: the buyer was asked and its time is over; the platform rules on what is there."""
    return close(case, case.silent("evidence_closed"))


def is_late(case: Case, role: Role) -> bool:
    """D6: not before the deadline has been acted on, however late it is looked at (section 11)."""
    claim = case.state.claim
    ended = claim.ended_before.get(role, claim.evidence_ended)
    return ended is not None and case.now >= ended


def _ends_for(case: Case, role: Role) -> datetime | None:
    """When the time of ``role`` was over, or is; None where none was set yet."""
    claim = case.state.claim
    runs = case.stage in DEMANDED and role in demanded_of(case)
    return claim.ended_before.get(role) or claim.evidence_ended or (case.due if runs else None)


def _actors(case: Case, roles: frozenset[Role]) -> tuple[Actor | None, ...]:
    return tuple(case.buyer if each is Role.BUYER else case.merchant for each in sorted(roles))
