"""How much evidence may be given, and how the log tells of it (D6, R16)."""

from workflows.messages.cases import Refusal
from workflows.messages.evidence import Evidence
from workflows.messages.policy import DisputePolicy

MIB = 1024 * 1024


def evidence_facts(evidence: tuple[Evidence, ...]) -> dict[str, str | int]:
    """Attachments as facts of a log line: where each is kept."""
    return {f"evidence_{number}": each.uri for number, each in enumerate(evidence, start=1)}


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
    """Why these attachments are too many or too large, or None (D6)."""
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
    return None
