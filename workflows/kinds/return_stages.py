"""The stages of returns and exchanges, in the order of the guide (T1 to T15). What is done in them: ``returning``."""

from workflows.kinds.stage import Stage, days, hours
from workflows.messages.actors import Role
from workflows.messages.stages import Silence, StageName, WorkList

RETURN_REVIEW = Stage(
    StageName.RETURN_REVIEW,
    "T1",
    "退货/换货待处理 · return or exchange, the merchant decides",
    waits_for=Role.MERCHANT,
    silence=Silence.AGREE_TO_RETURN,
    span=lambda policy: hours(policy.returns.review_hours, policy.returns.reminder_hours),
    work_list=WorkList.RETURNS_TO_DECIDE,
)

ADDRESS_MISSING = Stage(
    StageName.ADDRESS_MISSING,
    "T2",
    "缺退货地址 · agreed by silence, but the merchant has no address to send the goods to",
    waits_for=Role.MERCHANT,
    silence=Silence.NOTHING,
    no_deadline="没有地址无法寄回，已通知平台人员索取地址"
    " · nobody can send anything anywhere: the platform's staff has been called to get an address",
    work_list=WorkList.ATTENTION,
)

AWAITING_RETURN = Stage(
    StageName.AWAITING_RETURN,
    "T3",
    "待买家退货 · the buyer sends the goods back and enters the tracking number",
    waits_for=Role.BUYER,
    silence=Silence.CLOSE_NOT_RETURNED,
    span=lambda policy: days(policy.returns.send_days),
    work_list=WorkList.AWAITING_RETURN,
)

RETURN_IN_TRANSIT = Stage(
    StageName.RETURN_IN_TRANSIT,
    "T6",
    "退货在途，待签收 · the goods are on their way back",
    waits_for=Role.CARRIER,
    silence=Silence.OFFER_EXTENSION,
    span=lambda policy: days(policy.returns.extension_offered_after_days),
    work_list=WorkList.AWAITING_RECEIPT,
)

RETURN_DELAYED = Stage(
    StageName.RETURN_DELAYED,
    "T7",
    "退货未签收，可延长收货 · not signed for yet: the merchant may extend the receipt",
    waits_for=Role.CARRIER,
    silence=Silence.ASK_CARRIER,
    span=lambda policy: days(policy.returns.receipt_days - policy.returns.extension_offered_after_days),
    work_list=WorkList.AWAITING_RECEIPT,
)

RETURN_EXTENDED = Stage(
    StageName.RETURN_EXTENDED,
    "T7",
    "已延长收货 · the receipt has been extended",
    waits_for=Role.CARRIER,
    silence=Silence.ASK_CARRIER,
    span=lambda policy: days(policy.returns.extension_days),
    work_list=WorkList.AWAITING_RECEIPT,
)

RETURN_OVERDUE = Stage(
    StageName.RETURN_OVERDUE,
    "T6",
    "退货超时未签收 · nobody has signed for the goods in time",
    waits_for=Role.PLATFORM,
    silence=Silence.NOTHING,
    no_deadline="承运商无签收记录，需人工查找货物"
    " · the carrier does not know of a sign-off: a person finds out where the goods are",
    work_list=WorkList.ATTENTION,
)

RETURN_REFUSED = Stage(
    StageName.RETURN_REFUSED,
    "T14",
    "商品被拒收或退回 · goods on their way were refused, or went back to who sent them",
    waits_for=Role.PLATFORM,
    silence=Silence.NOTHING,
    no_deadline="货物未送达，需人工核实在谁手中 · the goods have not been received: a person finds out who has them",
    work_list=WorkList.ATTENTION,
)

RETURN_RECEIVED = Stage(
    StageName.RETURN_RECEIVED,
    "T6",
    "退货已签收，待商家确认 · signed for; the merchant inspects, refunds or rejects",
    waits_for=Role.MERCHANT,
    silence=Silence.REFUND,
    span=lambda policy: days(policy.returns.receipt_days),
    work_list=WorkList.AWAITING_RECEIPT,
)

RECEIPT_REJECTED = Stage(
    StageName.RECEIPT_REJECTED,
    "T6",
    "商家拒绝退款：退货不符 · rejected after receipt: the goods are not as agreed",
    waits_for=Role.BUYER,
    silence=Silence.ESCALATE,
    span=lambda policy: days(policy.refund.escalation_window_days),
    work_list=WorkList.AWAITING_BUYER,
)

SENT_BACK = Stage(
    StageName.SENT_BACK,
    "T15",
    "拒收商品已寄回买家 · rejected after receipt, and on its way back to the buyer",
    waits_for=Role.BUYER,
    silence=Silence.CLOSE_AS_REJECTED,
    span=lambda policy: days(policy.returns.confirm_days),
    work_list=WorkList.AWAITING_BUYER,
)

GOODS_HELD = Stage(
    StageName.GOODS_HELD,
    "T15",
    "商家既未退款也未寄回商品 · the merchant has neither paid for the goods nor sent them back",
    waits_for=Role.MERCHANT,
    silence=Silence.NOTHING,
    no_deadline="货款不能都留在商家，已通知平台人员督促"
    " · goods and money must not both stay with the merchant: the platform's staff has been called",
    work_list=WorkList.ATTENTION,
)

RESHIPMENT = Stage(
    StageName.RESHIPMENT,
    "T8",
    "换货待发出 · the merchant has the goods and sends others",
    waits_for=Role.MERCHANT,
    silence=Silence.RIGHT_TO_INTERVENTION,
    span=lambda policy: hours(policy.returns.reship_hours, policy.returns.reminder_hours),
    work_list=WorkList.RESHIPMENTS,
)

RESHIP_OVERDUE = Stage(
    StageName.RESHIP_OVERDUE,
    "T8",
    "换货超时未发 · not re-shipped in time",
    waits_for=Role.MERCHANT,
    silence=Silence.NOTHING,
    no_deadline="规则不作决定：商家仍应发货，买家可申请平台介入，已裁决的由平台人员处理"
    " · the rulebook decides nothing here: the goods are owed; the buyer may ask the platform to intervene,"
    " or an officer sees to it once it has ruled",
    work_list=WorkList.ATTENTION,
)

EXCHANGE_UNDERWAY = Stage(
    StageName.EXCHANGE_UNDERWAY,
    "T8",
    "换货已发出，待买家确认 · re-shipped; the buyer confirms",
    waits_for=Role.BUYER,
    silence=Silence.CLOSE_AS_EXCHANGED,
    span=lambda policy: days(policy.returns.confirm_days),
    work_list=WorkList.AWAITING_BUYER,
)

RESHIP_FAILED = Stage(
    StageName.RESHIP_FAILED,
    "T14",
    "换货商品未送达 · the goods of the exchange have not reached the buyer",
    waits_for=Role.MERCHANT,
    silence=Silence.NOTHING,
    no_deadline="买家既无货也无款，已通知平台人员核实"
    " · the buyer has neither goods nor money: the platform's staff has been called",
    work_list=WorkList.ATTENTION,
)
