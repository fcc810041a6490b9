"""The stages of goods that are sent again, as asked for (C1 to C5) or agreed on (N1). What is done: ``resending``."""

from workflows.kinds.stage import Stage, days, hours
from workflows.messages.actors import Role
from workflows.messages.stages import Silence, StageName, WorkList

RESEND_REVIEW = Stage(
    StageName.RESEND_REVIEW,
    "C2",
    "补寄待处理 · the goods, or a part, are to be sent again: the merchant decides",
    waits_for=Role.MERCHANT,
    silence=Silence.AGREE_TO_RESEND,
    span=lambda policy: hours(policy.resend.review_hours, policy.resend.reminder_hours),
    work_list=WorkList.RESENDS,
)

RESEND = Stage(
    StageName.RESEND,
    "C3",
    "补寄待发出 · agreed on: the merchant sends the goods, or a missing part, again",
    waits_for=Role.MERCHANT,
    silence=Silence.RIGHT_TO_INTERVENTION,
    span=lambda policy: hours(policy.resend.ship_hours, policy.resend.reminder_hours),
    work_list=WorkList.RESHIPMENTS,
)

RESEND_OVERDUE = Stage(
    StageName.RESEND_OVERDUE,
    "C3",
    "补寄超时未发 · not sent again in time: the buyer may ask the platform to intervene",
    waits_for=Role.MERCHANT,
    silence=Silence.NOTHING,
    no_deadline="规则不作决定：商家仍应补寄，买家可申请平台介入"
    " · the rulebook decides nothing here: the goods are owed, and the buyer has the right to intervention",
    work_list=WorkList.ATTENTION,
)

RESEND_UNDERWAY = Stage(
    StageName.RESEND_UNDERWAY,
    "C4",
    "补寄已发出，待买家确认 · sent again; the buyer confirms",
    waits_for=Role.BUYER,
    silence=Silence.CLOSE_AS_RESENT,
    span=lambda policy: days(policy.resend.confirm_days),
    work_list=WorkList.AWAITING_BUYER,
)

RESEND_FAILED = Stage(
    StageName.RESEND_FAILED,
    "T14",
    "补寄商品未送达 · what was sent again has not reached the buyer",
    waits_for=Role.MERCHANT,
    silence=Silence.NOTHING,
    no_deadline="买家既无货也无款，已通知平台人员核实"
    " · the buyer has neither goods nor money: the platform's staff has been called",
    work_list=WorkList.ATTENTION,
)
