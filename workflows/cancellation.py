"""Cancellations of orders that the platform ships itself (R3, T14): by how far the goods have gone."""

from workflows.case import DisputeEnded, Happening
from workflows.messages.actors import CLOCK
from workflows.messages.cases import LogEntry, Outcome
from workflows.messages.commands import Approve, CloseCase, ReportParcel, Withdraw
from workflows.messages.parcels import ParcelEvent
from workflows.messages.rulings import Ruling
from workflows.messages.stages import Attention
from workflows.returning import ReturningCase
from workflows.rules.stages import ESCALATED, INTERCEPTING, OUTBOUND_REVIEW, WAREHOUSE_REVIEW

ON_ITS_WAY = frozenset({ParcelEvent.SHIPPED, ParcelEvent.ON_DELIVERY_RUN, ParcelEvent.REFUSED})
"""The parcel is out of the warehouse's hands: it must be intercepted, or comes back refused."""


async def cancellation(case: ReturningCase) -> Outcome:
    """Carry an opened cancellation to its outcome."""
    while True:
        event = await case.next(ReportParcel)
        if isinstance(event, ReportParcel):
            case.follow(event)
        match event:
            case Approve():
                return await case.refund(case.obeyed(event, "approved"), by=event.by, rule="R3")
            case Withdraw():  # R6
                return await case.withdrawn(event, "R6")
            case CloseCase():
                return await case.closed_by_officer(event)
            case ReportParcel() if not case.application.lines:  # R13: freight alone is not on its way
                await case.note(case.parcel(event))
            case Happening.SILENCE if case.stage is WAREHOUSE_REVIEW:
                return await case.refund(case.silent("approved_by_silence"), by=CLOCK, rule="R3")
            case Happening.SILENCE:  # the goods are out: only a person may decide
                await _escalate(case, case.silent("escalated"))
            case ReportParcel() if event.event is ParcelEvent.RETURNED_TO_WAREHOUSE and case.all_back:
                return await case.refund_back(event, "R3")
            case ReportParcel() if event.event in ON_ITS_WAY and _in_the_warehouse(case):
                await case.enter(INTERCEPTING, case.parcel(event))
            case ReportParcel() if event.event is ParcelEvent.OUTBOUND and case.stage is WAREHOUSE_REVIEW:
                await case.enter(OUTBOUND_REVIEW, case.parcel(event))
            case ReportParcel() if case.contradicted(event):  # T14
                await case.ask_who_has_the_goods(event)
            case ReportParcel() if event.event is ParcelEvent.SIGNED:
                stepped = await case.become_return(case.parcel(event))  # R7: the buyer has the goods
                if stepped.refusal is None:
                    return await case.returning()
                await _escalate(case, case.parcel(event))  # R13: they come back in another case already
            case DisputeEnded(ruling=Ruling() as ruling):  # D8
                return await case.carry_out(ruling)
            case ReportParcel():
                await case.note(case.parcel(event))
            case _:
                raise AssertionError(f"{event} does not belong to {case.stage.name}")


def _in_the_warehouse(case: ReturningCase) -> bool:
    return case.stage in (WAREHOUSE_REVIEW, OUTBOUND_REVIEW)


async def _escalate(case: ReturningCase, entry: LogEntry) -> None:
    overdue = Attention.REVIEW_OVERDUE if _in_the_warehouse(case) else Attention.INTERCEPT_OVERDUE
    await case.enter(ESCALATED, entry, attention=overdue)
