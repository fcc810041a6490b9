"""What a language must have: a text of each template, and words for each code that may stand in one."""

from collections.abc import Mapping
from dataclasses import dataclass

from workflows.messages.actors import Role
from workflows.messages.addresses import ReturnClause
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import RejectReason
from workflows.messages.proposals import ProposalEnd, ProposalKind
from workflows.messages.rulings import Fault, Verdict
from workflows.messages.stages import Attention, OutcomeKind, Silence, StageName


@dataclass(frozen=True)
class Texts:
    """All that people are told in one language. How the words of codes fit into the texts is the language's own."""

    notices: Mapping[NoticeTemplate, str]
    """They name fields as ``{amount}``, and the same ones in each language."""
    e_mail_subject: str
    """Of an e-mail, where a platform has no text of its own; it names values as ``${subject}``."""
    moment: str
    """How moments are written, as `strftime` takes it."""
    decimal_mark: str
    beijing_time: str
    """What ``{time_zone}`` is where the profile does not say otherwise (G6),"""
    other_time: str
    """and where it does; with the name of the ``{zone}``."""
    silences: Mapping[Silence, str]
    outcomes: Mapping[OutcomeKind, str]
    attentions: Mapping[Attention, str]
    reject_reasons: Mapping[RejectReason, str]
    sides: Mapping[Role, str]
    proposals: Mapping[ProposalKind, str]
    proposal_ends: Mapping[ProposalEnd, str]
    verdicts: Mapping[Verdict, str]
    faults: Mapping[Fault, str]
    clauses: Mapping[ReturnClause, str]
    """Nobody can edit them (T2)."""
    stages: Mapping[StageName, str]
