"""Goods of a case that are on their way to the buyer although nobody wants them there any more (R3, R7, R15)."""

from dataclasses import replace

from workflows.kinds import every_case
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.order_money import refund
from workflows.kinds.outgoing import heard_of, with_goods
from workflows.kinds.stage import Stage
from workflows.messages.actors import Role
from workflows.messages.commands import ReportParcel
from workflows.messages.parcels import Parcel, ParcelEvent
from workflows.messages.pieces import PieceUse
from workflows.messages.stages import Attention, Silence, StageName, WorkList
from workflows.rules.parcels import DIRECTORY, ON_ITS_WAY, came_back
from workflows.rules.pieces import pieces_of

ESCALATED = Stage(
    StageName.ESCALATED,
    "R3",
    "已升级，待人工处理 · escalated, an operator decides",
    waits_for=Role.PLATFORM,
    silence=Silence.NOTHING,
    no_deadline="已转人工，只能由人决定"
    " · silence has already been answered by calling an operator; only a person may decide now",
    work_list=WorkList.ATTENTION,
)


def by_first_word(case: Case, report: ReportParcel, decision: Decision) -> Decision:
    """R3, R7: what follows from any word of having left; the release before waited for certain ones, and noted this."""
    return replace(decision, mark=f"left-by-{report.event}", before=every_case.note_parcel(case, report))


def followed(case: Case, report: ReportParcel) -> Case:
    """R3, R7, R15: which parcels are on their way to the buyer; one that is back is not sent again."""
    case = heard_of(case, report)
    goods = case.state.goods
    match report.event:
        case ParcelEvent.RETURNED_TO_WAREHOUSE:
            out = tuple(each for each in goods.out if each != report.parcel)
            return with_goods(case, out=out, back=(*goods.back, report.parcel))
        case event if event in ON_ITS_WAY or event is ParcelEvent.REFUSED:
            return sent_in(case, report.parcel)
        case _:
            return case


def sent_in(case: Case, *parcels: Parcel) -> Case:
    """Goods of this case are on their way to the buyer in these parcels."""
    goods = case.state.goods
    known = (*goods.out, *goods.back)
    new = tuple(each for each in parcels if each not in known and each.carrier != DIRECTORY)
    return with_goods(case, out=(*goods.out, *new)) if new else case


def all_back(case: Case) -> bool:
    """Whether no parcel with goods of this case is known to be on its way to the buyer (R3, R7, R15)."""
    return not case.state.goods.out


def contradicted(case: Case, report: ReportParcel) -> bool:
    """T14: whether a sign-off is told of a parcel that was refused, or went back to who sent it."""
    return report.event is ParcelEvent.SIGNED and came_back(case.state.goods.told, report.parcel, None)


def ask_who_has_the_goods(case: Case, report: ReportParcel) -> Decision:
    """T14: what the carrier says cannot all be true; silence decides nothing, and a person finds out."""
    line = every_case.parcel_line(case, report)
    return case.enter(ESCALATED, line, attention=Attention.GOODS_CONTRADICTED)


def refund_back(case: Case, report: ReportParcel, rule: str) -> Decision:
    """R3, R7: the goods are in the warehouse again."""
    pieces = pieces_of(case.application, PieceUse.BACK)
    return refund(case, every_case.parcel_line(case, report), by=report.by, rule=rule, pieces=pieces)
