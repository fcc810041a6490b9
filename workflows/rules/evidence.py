"""How much evidence may be given, and how the log tells of it (D6, R16)."""

import re

from workflows.messages.cases import Refusal
from workflows.messages.evidence import Evidence
from workflows.messages.policy import DisputePolicy
from workflows.messages.statements import EvidenceGiven
from workflows.rules.refusals import refused

MIB = 1024 * 1024


OUR_REFERENCE = re.compile(r"vault:(account|address|evidence)/[0-9a-f]{32}")
"""Of the form that our vault gives references: it must know them. Other stores have references of other forms."""


def is_ours(attachment: Evidence) -> bool:
    """Whether our vault must have it, and so may refuse it (D6)."""
    return OUR_REFERENCE.fullmatch(attachment.uri) is not None


def evidence_facts(evidence: tuple[Evidence, ...]) -> dict[str, str | int]:
    """Attachments as facts of a log line: where each is kept."""
    return {f"evidence_{number}": each.uri for number, each in enumerate(evidence, start=1)}


def submitted_facts(given: EvidenceGiven) -> dict[str, str | int]:
    """What beside attachments was given, as facts of a log line: where a statement is kept, an amount (D4)."""
    statement = {"statement": given.statement} if given.statement else {}
    return {**statement, **({"amount": given.amount} if given.amount is not None else {})}


def refused_attachment(number: int) -> Refusal:
    """The ``number``th attachment is not in the vault, or is somebody else's: one is told as little as the other."""
    return Refusal(
        code="unknown_attachment",
        field=f"evidence.{number}",
        rule="D6",
        explanation="the vault keeps no such attachment for this order or allowance",
    )


def refused_more_evidence(given: int, most: int) -> Refusal | None:
    """Why a party that has given evidence so often in a case cannot give more, or None (R16)."""
    if given < most:
        return None
    return Refusal(
        code="too_much_evidence",
        field="command",
        rule="R16",
        explanation=f"a party can give evidence {most} times in a case",
    )


def refused_evidence(evidence: tuple[Evidence, ...], policy: DisputePolicy) -> Refusal | None:
    """Why these attachments are too many, too large, or of a type that the profile does not take; or None (D6)."""
    if len(evidence) > policy.most_attachments:
        return Refusal(
            code="too_many_attachments",
            field="evidence",
            rule="D6",
            explanation=f"at most {policy.most_attachments} attachments at a time",
        )
    for number, each in enumerate(evidence):
        if each.bytes > policy.most_attachment_mib * MIB:
            return Refusal(
                code="attachment_too_large",
                field=f"evidence.{number}.bytes",
                rule="D6",
                explanation=f"an attachment has at most {policy.most_attachment_mib} MiB",
            )
        if policy.media_types and each.media_type not in policy.media_types:
            taken = ", ".join(policy.media_types)
            return refused("media_type_not_taken", f"evidence.{number}.media_type", "D6", f"attachments are {taken}")
    return None
