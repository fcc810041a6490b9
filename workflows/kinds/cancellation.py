"""Cancellations of orders that the platform ships itself (R3, T14): by how far the goods have gone."""

from workflows.kinds import disputed, every_case
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.order_money import PAID_BACK, refund
from workflows.kinds.process import Process, Table, hears, silence, takes
from workflows.kinds.return_stages import RETURN_REVIEW
from workflows.kinds.returning import become_return
from workflows.kinds.shipped_goods import (
    ESCALATED,
    all_back,
    ask_who_has_the_goods,
    by_first_word,
    contradicted,
    followed,
    refund_back,
)
from workflows.kinds.stage import BUYER, PLATFORM, Stage, hours
from workflows.messages.actors import CLOCK, Role
from workflows.messages.cases import LogEntry, Span
from workflows.messages.commands import Approve, CloseCase, OpenDispute, ReportParcel, Withdraw
from workflows.messages.parcels import ParcelEvent
from workflows.messages.stages import Attention, OutcomeKind, Silence, StageName, WorkList
from workflows.rules.parcels import ON_ITS_WAY

_OUT = ON_ITS_WAY | {ParcelEvent.REFUSED}
"""The parcel is out of the warehouse's hands: it must be intercepted, or comes back refused."""

WAREHOUSE_REVIEW = Stage(
    StageName.WAREHOUSE_REVIEW,
    "R3",
    "出库前取消待审核 · cancellation before outbound, the platform reviews",
    waits_for=Role.PLATFORM,
    silence=Silence.REFUND,
    span=lambda policy: Span(minutes=policy.cancellation.before_outbound_minutes),
    work_list=WorkList.PLATFORM_REVIEW,
)

OUTBOUND_REVIEW = Stage(
    StageName.OUTBOUND_REVIEW,
    "R3",
    "已出库未配送取消待审核 · cancellation after outbound, the platform reviews",
    waits_for=Role.PLATFORM,
    silence=Silence.ESCALATE,
    span=lambda policy: hours(policy.cancellation.outbound_hours),
    work_list=WorkList.PLATFORM_REVIEW,
)

INTERCEPTING = Stage(
    StageName.INTERCEPTING,
    "R3",
    "拦截中 · the parcel is being intercepted; refund once it is back in the warehouse",
    waits_for=Role.CARRIER,
    silence=Silence.ESCALATE,
    span=lambda policy: hours(policy.cancellation.intercept_days * 24),
    work_list=WorkList.PLATFORM_REVIEW,
)


def process() -> Process:
    """R3: in the warehouse silence refunds; what has left it is stopped first, and only a person may let it go."""
    approve = takes(Approve, PLATFORM, _approve, approved=PAID_BACK)
    withdraw = takes(Withdraw, BUYER, every_case.withdrawn, withdrawn=OutcomeKind.WITHDRAWN)  # R6
    on_its_way = hears(
        ReportParcel,
        _parcel_moves,
        goods_returned_to_warehouse=PAID_BACK,
        goods_signed=(RETURN_REVIEW, ESCALATED),
    )
    in_warehouse = on_its_way.leading(
        goods_shipped=INTERCEPTING,
        goods_in_transit=INTERCEPTING,
        goods_on_delivery_run=INTERCEPTING,
        goods_refused=INTERCEPTING,
    )
    own: Table = {
        WAREHOUSE_REVIEW: (
            approve,
            withdraw,
            in_warehouse.leading(goods_outbound=OUTBOUND_REVIEW),
            silence(_approve_by_silence, approved_by_silence=PAID_BACK),
        ),
        OUTBOUND_REVIEW: (approve, withdraw, in_warehouse, silence(_escalate_by_silence, escalated=ESCALATED)),
        INTERCEPTING: (approve, withdraw, on_its_way, silence(_escalate_by_silence, escalated=ESCALATED)),
        ESCALATED: (
            approve,
            withdraw,
            takes(OpenDispute, BUYER, disputed.open_dispute),
            takes(CloseCase, PLATFORM, every_case.closed_by_officer, closed_by_officer=OutcomeKind.CLOSED_BY_OFFICER),
            on_its_way,
        ),
    }
    return Process(
        "Cancellation of a self-operated order (R3)",
        opens=(WAREHOUSE_REVIEW, OUTBOUND_REVIEW, INTERCEPTING),
        table=disputed.disputable(
            own, approve=_approve, note_parcel=_parcel_moves, carry_out=disputed.carry_out_ruling
        ),
    )


def _approve(case: Case, command: Approve) -> Decision:
    return refund(case, case.obeyed(command, "approved"), by=command.by, rule="R3")


def _approve_by_silence(case: Case) -> Decision:
    return refund(case, case.silent("approved_by_silence"), by=CLOCK, rule="R3")


def _escalate_by_silence(case: Case) -> Decision:
    """The goods are out: only a person may decide."""
    return _escalate(case, case.silent("escalated"))


def _parcel_moves(case: Case, report: ReportParcel) -> Decision:
    """R3, R7, T14: how far the goods have gone, and where they are now."""
    case = followed(case, report)
    line = every_case.parcel_line(case, report)
    if not case.application.lines:  # R13: freight alone is not on its way
        return every_case.note_parcel(case, report)
    match report.event:
        case ParcelEvent.RETURNED_TO_WAREHOUSE if all_back(case):
            return refund_back(case, report, "R3")
        case ParcelEvent.IN_TRANSIT if _in_the_warehouse(case):
            return by_first_word(case, report, case.enter(INTERCEPTING, line))
        case event if event in _OUT and _in_the_warehouse(case):
            return case.enter(INTERCEPTING, line)
        case ParcelEvent.OUTBOUND if case.stage is WAREHOUSE_REVIEW:
            return case.enter(OUTBOUND_REVIEW, line)
        case _ if contradicted(case, report):  # T14
            return ask_who_has_the_goods(case, report)
        case ParcelEvent.SIGNED:  # R7: the buyer has the goods
            instead = _escalate(case, line)  # R13: where they come back in another case already
            return become_return(case, line).otherwise(instead)
        case _:
            return every_case.note_parcel(case, report)


def _in_the_warehouse(case: Case) -> bool:
    return case.stage in (WAREHOUSE_REVIEW, OUTBOUND_REVIEW)


def _escalate(case: Case, entry: LogEntry) -> Decision:
    overdue = Attention.REVIEW_OVERDUE if _in_the_warehouse(case) else Attention.INTERCEPT_OVERDUE
    return case.enter(ESCALATED, entry, attention=overdue)
