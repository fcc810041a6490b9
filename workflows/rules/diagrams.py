"""``docs/processes.md``: one state diagram for each kind of case, drawn from what the code declares.

``python -m workflows.rules.diagrams`` prints the page.
"""

from collections.abc import Iterable

from workflows.messages.stages import CaseKind, OutcomeKind, StageName
from workflows.rules.bilingual import Language, said
from workflows.rules.processes import MONEY, PROCESSES, Arrows, stages_of
from workflows.rules.stages import PASSING, STAGES

TITLES: dict[CaseKind, str] = {
    CaseKind.UNSHIPPED_REFUND: "Unshipped refund 未发货退款 (R1, R7)",
    CaseKind.SHIPPED_REFUND: "Refund only 已发货仅退款, and refunds whose goods have shipped meanwhile (R2, R6, R7)",
    CaseKind.CANCELLATION: "Cancellation of a self-operated order (R3)",
    CaseKind.MERCHANT_REFUND: "Refund that the merchant opens (R9)",
    CaseKind.RETURN: "Return 退货退款 (T1 to T7)",
    CaseKind.EXCHANGE: "Exchange 换货 (T1 to T9)",
    CaseKind.DISPUTE: "Dispute 纠纷 (D1 to D8)",
    CaseKind.LATE_SHIPMENT: "Compensation for late shipment 延迟发货赔付 (L1, L2)",
    CaseKind.FREIGHT_INSURANCE: "Freight insurance 运费险 (T10)",
    CaseKind.RETURN_FREIGHT: "Return freight (T10)",
    CaseKind.WITHDRAWAL: "Allowance withdrawal 膨胀金提现 (A1 to A5)",
    CaseKind.EXPIRY: "Allowance expiry (A6)",
}

HEAD = """# The processes

Written by `make docs` from `workflows/rules/processes.py` and `workflows/rules/stages.py`; a test fails when this page
is not what they say, and others hold every move that a case makes against the same table.

An arrow bears the line of the case log that tells of it; an end bears the outcome. In *italics* below each diagram:
until when a stage lasts and what silence does. `paying` leads into the money leg, which is the same for every kind.
"""


def page() -> str:
    """The whole page as Markdown."""
    parts = [HEAD]
    for kind, arrows in PROCESSES.items():
        parts += [f"## {TITLES[kind]}", "", _diagram(arrows), "", *_silences(arrows), ""]
    parts += ["## The money leg (section 10, R5, R8, T4)", "", _diagram(MONEY), "", *_silences(MONEY), ""]
    parts += [
        "## A case under dispute (D2, D3, D8)",
        "",
        "What a dispute adds to unshipped and shipped refunds, cancellations, returns and exchanges; *where it stood*",
        "is any stage in which money has not been decided on.",
        "",
        _under_dispute(),
        "",
    ]
    return "\n".join(parts)


def _diagram(arrows: Arrows) -> str:
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f"    {name}: {name}<br/>{STAGES[name].title.partition(' · ')[0]}" for name in _shown(arrows)]
    joined: dict[tuple[str, str], list[str]] = {}
    for come_from, event, to in arrows:
        ends = isinstance(to, OutcomeKind)
        start = "[*]" if come_from is StageName.OPENING else str(come_from)
        label = f"{event}: {to}" if ends else event
        joined.setdefault((start, "[*]" if ends else str(to)), []).append(label)
    lines += [f"    {start} --> {end}: {'<br/>'.join(labels)}" for (start, end), labels in joined.items()]
    return "\n".join([*lines, "```"])


def _shown(arrows: Arrows) -> Iterable[StageName]:
    return (name for name in stages_of(arrows) if name is not StageName.OPENING)


def _silences(arrows: Arrows) -> list[str]:
    lines: list[str] = []
    for name in _shown(arrows):
        stage = STAGES[name]
        if name in PASSING:
            continue
        waits = f"waits for the {stage.waits_for}" if stage.waits_for else "waits for nobody"
        until = f"on silence: {stage.silence}" if stage.span else f"no deadline: {said(stage.no_deadline, Language.EN)}"
        lines.append(f"- `{name}` ({stage.rule}) *{waits}; {until}*")
    return lines


def _under_dispute() -> str:
    return "\n".join(
        [
            "```mermaid",
            "stateDiagram-v2",
            "    stood: where it stood",
            "    stood --> disputed: dispute_opened (where the case waited for the buyer)",
            "    stood --> locked: locked",
            "    disputed --> locked: locked",
            "    disputed --> paying: approved",
            "    disputed --> [*]: withdrawn",
            "    disputed --> stood: dispute_resolved<br/>dispute_broken_off",
            "    locked --> stood: dispute_resolved<br/>dispute_broken_off",
            "    stood --> paying: ruling_carried_out (settled in the negotiation)",
            "    disputed --> paying: ruling_carried_out",
            "    locked --> paying: ruling_carried_out",
            "    locked --> [*]: ruling_carried_out: dismissed",
            "```",
        ]
    )


if __name__ == "__main__":
    print(page(), end="")
