"""The codes that stand in notices, in words; Chinese first, English second."""

from collections.abc import Mapping
from typing import Final, TypeAlias

from workflows.messages.commands import RejectReason
from workflows.messages.stages import Attention, OutcomeKind, Silence

Words: TypeAlias = tuple[str, str]

SILENCES: Final[Mapping[Silence, Words]] = {
    Silence.REFUND: ("系统将自动同意退款", "the refund is approved automatically"),
    Silence.PAY_PRINCIPAL: ("系统将自动退还本金", "the principal is paid back automatically"),
    Silence.APPROVE: ("系统将自动通过申请", "the request is approved automatically"),
    Silence.CLOSE_AS_REJECTED: ("售后单将以拒绝关闭", "the case closes as rejected"),
    Silence.ESCALATE: ("将升级至平台人工处理", "an operator of the platform takes over"),
    Silence.ASK_GATEWAY: ("系统将向支付渠道查询结果", "the payment provider is asked for the result"),
    Silence.RAISE_ATTENTION: ("将转人工跟进", "a person follows it up"),
    Silence.NOTHING: ("售后单将继续等待", "the case goes on waiting"),
}

OUTCOMES: Final[Mapping[OutcomeKind, Words]] = {
    OutcomeKind.REFUNDED: ("已退款", "refunded"),
    OutcomeKind.PAID_BY_PLATFORM: ("平台已先行赔付", "paid in advance by the platform"),
    OutcomeKind.PAID_MANUALLY: ("已人工打款", "paid by hand"),
    OutcomeKind.WITHDRAWN: ("买家已撤销", "withdrawn by the buyer"),
    OutcomeKind.RETAINED: ("挽留成功，买家已撤销", "retained: the buyer keeps the allowance"),
    OutcomeKind.REJECTED: ("已拒绝", "rejected"),
    OutcomeKind.NOTHING_LEFT: ("可退金额已全部退还", "nothing was left to refund"),
    OutcomeKind.HANDED_OVER: ("由另一售后单处理", "handled by another case"),
    OutcomeKind.CLOSED_BY_OFFICER: ("由平台客服关闭", "closed by the platform's staff"),
    OutcomeKind.REFUSED: ("申请不符合条件", "the request could not be accepted"),
}

ATTENTIONS: Final[Mapping[Attention, Words]] = {
    Attention.NEEDS_RETURN: ("商品已发出，需要退货", "the goods have shipped and must come back"),
    Attention.REVIEW_OVERDUE: ("审核超时", "the review is overdue"),
    Attention.INTERCEPT_OVERDUE: ("拦截超时，包裹未回仓", "the intercepted parcel is not back in time"),
    Attention.REFUND_DECLINED: ("支付渠道拒绝退款", "the payment provider declined the refund"),
    Attention.MERCHANT_ACCOUNT_SHORT: ("商家账户余额不足", "the merchant's account is short"),
    Attention.ARRIVAL_OVERDUE: ("退款到账超时", "the refund has not arrived in time"),
    Attention.OUTCOME_UNKNOWN: ("退款结果未知", "the result of the refund is not known"),
}

REJECT_REASONS: Final[Mapping[RejectReason, Words]] = {
    RejectReason.GOODS_SHIPPED: ("商品已发货", "the goods have shipped"),
    RejectReason.GOODS_RECEIVED_AS_DESCRIBED: ("商品已签收且与描述相符", "the goods were received as described"),
    RejectReason.NO_FAULT_SHOWN: ("未能证明商品存在问题", "no fault of the goods is shown"),
    RejectReason.AMOUNT_TOO_HIGH: ("申请金额过高", "the amount is too high"),
    RejectReason.OUT_OF_TERMS: ("超出售后条款范围", "it is outside the terms of sale"),
    RejectReason.OTHER: ("其他原因，详见售后单", "another reason, see the case"),
}
