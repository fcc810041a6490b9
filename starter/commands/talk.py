"""What was said about a case, as it is printed: what is proposed, and remarks (N1, section 12)."""

from collections.abc import Iterable, Mapping

from rich.table import Table
from rich.text import Text

from starter.commands.printing import in_words
from workflows.messages.flags import Remark
from workflows.messages.money import in_print
from workflows.messages.proposals import Proposal
from workflows.rules.local_time import local
from workflows.rules.negotiation import terms_facts
from workflows.rules.wording import PROPOSALS


def proposal_words(proposal: Proposal, currency: str, zone: str | None = None) -> str:
    """N1: what is proposed, by whom, and until when; it lapses then."""
    paid = "" if proposal.amount is None else f", {in_print(proposal.amount, currency)} {currency}"
    facts = terms_facts(proposal.terms)
    more = "".join(f", {name} {facts[name]}" for name in ("pieces", "parts", "wanted") if name in facts)
    meant = PROPOSALS.get(proposal.terms.kind, proposal.terms.kind)
    return f"{proposal.by.role}: {meant}{paid}{more}; until {local(proposal.until, zone)}, then it lapses"


def remarks_table(remarks: Iterable[Remark], title: str | None = None, zone: str | None = None) -> Table:
    """What was noted down, where and by whom, oldest first (section 12)."""
    table = Table("when", "at", "by", "remark", title=title)
    for each in remarks:
        words = Text(in_words(each.text))
        table.add_row(local(each.at, zone), each.subject, f"{each.by.role} {each.by.id}", words)
    return table


def remark_in_clear(remark: Remark) -> Mapping[str, object]:
    """As JSON, its words with it: a secret does not write itself, and here it is shown to whoever may read it."""
    return remark.model_dump(mode="json") | {"text": in_words(remark.text) if remark.text else None}
