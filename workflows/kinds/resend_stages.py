"""The stages of goods that the merchant sends again, as both sides have agreed (N1). What is done: ``resending``."""

from workflows.kinds.stage import Stage, days, hours
from workflows.messages.actors import Role
from workflows.messages.stages import Silence, StageName, WorkList

RESEND = Stage(
    StageName.RESEND,
    "N3",
    "补寄待发出 · agreed on: the merchant sends the goods, or a missing part, again",
    waits_for=Role.MERCHANT,
    silence=Silence.RIGHT_TO_INTERVENTION,
    span=lambda policy: hours(policy.returns.reship_hours, policy.returns.reminder_hours),
    work_list=WorkList.RESHIPMENTS,
)

RESEND_OVERDUE = Stage(
    StageName.RESEND_OVERDUE,
    "N3",
    "补寄超时未发 · not sent again in time: the buyer may ask the platform to intervene",
    waits_for=Role.MERCHANT,
    silence=Silence.NOTHING,
    no_deadline="规则不作决定：商家仍应补寄，买家可申请平台介入"
    " · the rulebook decides nothing here: the goods are owed, and the buyer has the right to intervention",
    work_list=WorkList.ATTENTION,
)

RESEND_UNDERWAY = Stage(
    StageName.RESEND_UNDERWAY,
    "N3",
    "补寄已发出，待买家确认 · sent again; the buyer confirms",
    waits_for=Role.BUYER,
    silence=Silence.CLOSE_AS_RESENT,
    span=lambda policy: days(policy.returns.confirm_days),
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
