"""Cancellations of orders that the platform ships itself (R3, T14): by how far the goods have gone."""

from workflows.kinds import disputed, every_case
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.disputed import ruling_of
from workflows.kinds.events import DeadlinePassed, Event
from workflows.kinds.order_money import refund
from workflows.kinds.returning import (
    all_back,
    ask_who_has_the_goods,
    become_return,
    contradicted,
    followed,
    refund_back,
)
from workflows.messages.actors import CLOCK
from workflows.messages.cases import LogEntry
from workflows.messages.commands import Approve, CloseCase, ReportParcel, Withdraw
from workflows.messages.parcels import ParcelEvent
from workflows.messages.stages import Attention
from workflows.rules.stages import ESCALATED, INTERCEPTING, OUTBOUND_REVIEW, WAREHOUSE_REVIEW

ON_ITS_WAY = frozenset({ParcelEvent.SHIPPED, ParcelEvent.ON_DELIVERY_RUN, ParcelEvent.REFUSED})
"""The parcel is out of the warehouse's hands: it must be intercepted, or comes back refused."""


def cancellation(case: Case, event: Event) -> Decision:
    """What becomes of an event while an order is being cancelled."""
    if isinstance(event, ReportParcel):
        case = followed(case, event)
    match event:
        case Approve():
            return refund(case, case.obeyed(event, "approved"), by=event.by, rule="R3")
        case Withdraw():  # R6
            return every_case.withdrawn(case, event)
        case CloseCase():
            return every_case.closed_by_officer(case, event)
        case ReportParcel() if not case.application.lines:  # R13: freight alone is not on its way
            return every_case.note_parcel(case, event)
        case DeadlinePassed() if case.stage is WAREHOUSE_REVIEW:
            return refund(case, case.silent("approved_by_silence"), by=CLOCK, rule="R3")
        case DeadlinePassed():  # the goods are out: only a person may decide
            return _escalate(case, case.silent("escalated"))
        case ReportParcel() if event.event is ParcelEvent.RETURNED_TO_WAREHOUSE and all_back(case):
            return refund_back(case, event, "R3")
        case ReportParcel() if event.event in ON_ITS_WAY and _in_the_warehouse(case):
            return case.enter(INTERCEPTING, every_case.parcel_line(case, event))
        case ReportParcel() if event.event is ParcelEvent.OUTBOUND and case.stage is WAREHOUSE_REVIEW:
            return case.enter(OUTBOUND_REVIEW, every_case.parcel_line(case, event))
        case ReportParcel() if contradicted(case, event):  # T14
            return ask_who_has_the_goods(case, event)
        case ReportParcel() if event.event is ParcelEvent.SIGNED:  # R7: the buyer has the goods
            line = every_case.parcel_line(case, event)
            instead = _escalate(case, line)  # R13: where they come back in another case already
            return become_return(case, line).otherwise(instead)
        case ReportParcel():
            return every_case.note_parcel(case, event)
        case _ if ruling := ruling_of(event):  # D8
            return disputed.carry_out(disputed.ruled(case), ruling)
        case _:
            raise AssertionError(f"{event} does not belong to {case.stage.name}")


def _in_the_warehouse(case: Case) -> bool:
    return case.stage in (WAREHOUSE_REVIEW, OUTBOUND_REVIEW)


def _escalate(case: Case, entry: LogEntry) -> Decision:
    overdue = Attention.REVIEW_OVERDUE if _in_the_warehouse(case) else Attention.INTERCEPT_OVERDUE
    return case.enter(ESCALATED, entry, attention=overdue)
