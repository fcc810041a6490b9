"""One payment beside a refund, once for each return and cause (T10)."""

from workflows.kinds import money
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.process import Process
from workflows.messages.actors import CLOCK
from workflows.messages.payouts import Part, Payer
from workflows.messages.requests import CompensationCause, CompensationRequest, OriginalRoute
from workflows.rules.allocation import COMPENSATION
from workflows.rules.identity import compensation_fund

PAYERS = {
    CompensationCause.FREIGHT_INSURANCE: Payer.PLATFORM,
    CompensationCause.RETURN_FREIGHT: Payer.MERCHANT,
}


def process(title: str) -> Process:
    """T10: nothing but the money leg."""
    return Process(title, opens=(money.PAYING,), table=money.table(compensates=True))


def opened(case: Case) -> Decision:
    """T10: it is paid at once; nobody is asked."""
    owed, amount = case.request, case.asked.amount
    if not isinstance(owed, CompensationRequest):
        raise TypeError("compensation is paid for what is owed")
    return money.pay(
        case,
        case.entry("compensation_owed", CLOCK, "T10", None, cause=owed.cause, amount=amount),
        fund=compensation_fund(owed),
        wanted=(Part(name=COMPENSATION, amount=amount),),
        method=OriginalRoute(),
        by=CLOCK,
        rule="T10",
        payer=PAYERS[owed.cause],
        compensates=True,
    )
