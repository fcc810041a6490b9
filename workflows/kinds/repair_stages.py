"""The stages of goods that are mended, beside those of their way to the merchant (M2 to M4): ``return_stages``."""

from workflows.kinds.stage import Stage, days, hours
from workflows.messages.actors import Role
from workflows.messages.stages import Silence, StageName, WorkList

REPAIR_REVIEW = Stage(
    StageName.REPAIR_REVIEW,
    "M2",
    "维修待处理 · goods are to be mended: the merchant decides",
    waits_for=Role.MERCHANT,
    silence=Silence.AGREE_TO_REPAIR,
    span=lambda policy: hours(policy.repair.review_hours, policy.repair.reminder_hours),
    work_list=WorkList.REPAIRS,
)

REPAIRING = Stage(
    StageName.REPAIRING,
    "M3",
    "维修中 · the merchant has the goods, mends them and sends them back",
    waits_for=Role.MERCHANT,
    silence=Silence.RIGHT_TO_INTERVENTION,
    span=lambda policy: hours(policy.repair.repair_days * 24 + policy.repair.ship_hours, policy.repair.reminder_hours),
    work_list=WorkList.REPAIRS,
)

REPAIR_OVERDUE = Stage(
    StageName.REPAIR_OVERDUE,
    "M3",
    "维修超时未寄回 · not sent back in time",
    waits_for=Role.MERCHANT,
    silence=Silence.NOTHING,
    no_deadline="规则不作决定：商家仍应寄回，买家可申请平台介入，已裁决的由平台人员处理"
    " · the rulebook decides nothing here: the goods are owed; the buyer may ask the platform to intervene,"
    " or an officer sees to it once it has ruled",
    work_list=WorkList.ATTENTION,
)

REPAIR_UNDERWAY = Stage(
    StageName.REPAIR_UNDERWAY,
    "M4",
    "维修品已寄回，待买家确认 · sent back; the buyer confirms",
    waits_for=Role.BUYER,
    silence=Silence.CLOSE_AS_REPAIRED,
    span=lambda policy: days(policy.repair.confirm_days),
    work_list=WorkList.AWAITING_BUYER,
)

REPAIR_FAILED = Stage(
    StageName.REPAIR_FAILED,
    "T14",
    "维修品未送达 · what was mended has not reached the buyer",
    waits_for=Role.MERCHANT,
    silence=Silence.NOTHING,
    no_deadline="买家既无货也无款，已通知平台人员核实"
    " · the buyer has neither goods nor money: the platform's staff has been called",
    work_list=WorkList.ATTENTION,
)
