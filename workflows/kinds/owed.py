"""What a return owes the buyer beside the refund: freight insurance and return freight (T10).

A case of its own, booked apart: trouble with it does not hold up the refund, nor the other way round.
"""

from dataclasses import replace
from typing import Final

from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision, OwedSince
from workflows.messages.orders import OrderFacts
from workflows.messages.requests import CompensationCause, CompensationRequest
from workflows.rules.compensation import return_freight_owed
from workflows.rules.reasons import bears_return_freight
from workflows.rules.returns import is_whole_order

_HOWEVER_IT_ENDS: Final = "freight-however-it-ends"
"""The mark of the release since which freight is owed by fault however a case ends in the buyer's favour (T10)."""


def compensation_of(
    order: OrderFacts, about: str, cause: CompensationCause, amount: int, insured: int = 0
) -> CompensationRequest:
    """The request for what the case ``about`` owes beside its refund, in minor units.

    What it comes to is settled when it opens: insurance is paid once an order, freight once a parcel (R16), less what
    is ``insured`` if that is paid for this parcel.
    """
    return CompensationRequest(
        about=about,
        order_no=order.order_no,
        merchant_id=order.merchant_id,
        buyer_id=order.buyer_id,
        cause=cause,
        amount=amount,
        insured=insured,
    )


def insurance(case: Case) -> tuple[Case, tuple[CompensationRequest, ...]]:
    """T10: owed once, when the return is signed for."""
    insured = case.order.freight_insured
    if not insured or case.state.goods.insurance_paid:
        return case, ()
    owed = compensation_of(case.order, case.case_id, CompensationCause.FREIGHT_INSURANCE, insured)
    return case.but(goods=case.state.goods.but(insurance_paid=insured)), (owed,)


def granted(case: Case, decision: Decision, *, owed_before: bool = False) -> Decision:
    """T10: ``decision`` gives the buyer money or goods; the freight of what was sent in is owed by fault besides.

    By the reason that was given; once the case was ruled on, by the ruling alone (D8), and by nobody's fault where
    both sides have settled (D2). The release before owed it in some places only (``owed_before``), and there also
    after a ruling.
    """
    freight = return_freight(case) if bears_return_freight(case.application, case.policy) else ()
    owed, before = () if case.state.ruling else freight, freight if owed_before else ()
    if owed == before:
        return with_owed(owed, decision)
    return replace(decision, first=(OwedSince(_HOWEVER_IT_ENDS, owed, before), *decision.first))


def with_owed(owed: tuple[CompensationRequest, ...], decision: Decision) -> Decision:
    """The same, and what is owed besides."""
    return replace(decision, first=(*owed, *decision.first))


def return_freight(case: Case) -> tuple[CompensationRequest, ...]:
    """T10: what the insurance has paid is not paid twice."""
    goods = case.state.goods
    owed = return_freight_owed(goods.freight_paid, case.policy.returns.most_return_freight, 0)
    insured = goods.insurance_paid
    # R16: another parcel of the order may be the insured one, unless all of the order is in this one.
    if owed > insured or (owed and not is_whole_order(case.application, case.order)):
        return (compensation_of(case.order, case.case_id, CompensationCause.RETURN_FREIGHT, owed, insured),)
    return ()
