"""The codes that stand in notices, in words; Chinese first, English second."""

from collections.abc import Mapping
from typing import Final, TypeAlias

from workflows.messages.actors import Role
from workflows.messages.commands import RejectReason
from workflows.messages.proposals import ProposalEnd, ProposalKind
from workflows.messages.rulings import Fault, Verdict
from workflows.messages.stages import Attention, OutcomeKind, Silence

Words: TypeAlias = tuple[str, str]

SILENCES: Final[Mapping[Silence, Words]] = {
    Silence.REFUND: ("系统将自动同意退款", "the refund is approved automatically"),
    Silence.PAY_PRINCIPAL: ("系统将自动退还本金", "the principal is paid back automatically"),
    Silence.APPROVE: ("系统将自动通过申请", "the request is approved automatically"),
    Silence.CLOSE_AS_REJECTED: ("售后单将以拒绝关闭", "the case closes as rejected"),
    Silence.CLOSE_UNDECIDED: ("售后单将关闭", "the case closes undecided"),
    Silence.ESCALATE: ("将升级至平台人工处理", "an operator of the platform takes over"),
    Silence.ASK_GATEWAY: ("系统将向支付渠道查询结果", "the payment provider is asked for the result"),
    Silence.RAISE_ATTENTION: ("将转人工跟进", "a person follows it up"),
    Silence.AGREE_TO_RETURN: ("系统将自动同意退货", "the return is agreed to automatically"),
    Silence.CLOSE_NOT_RETURNED: ("售后单将以未退货关闭", "the case closes as not returned"),
    Silence.OFFER_EXTENSION: ("可延长收货", "the receipt may be extended"),
    Silence.ASK_CARRIER: ("系统将向承运商查询", "the carrier is asked"),
    Silence.ASK_AGAIN: ("系统将再次提醒", "you are asked again"),
    Silence.RIGHT_TO_INTERVENTION: ("买家可申请平台介入", "the buyer may ask the platform to intervene"),
    Silence.CLOSE_AS_EXCHANGED: ("换货将自动确认完成", "the exchange counts as completed"),
    Silence.CLOSE_AS_RESENT: ("补寄将自动确认完成", "what was sent again counts as received"),
    Silence.GO_TO_PLATFORM: ("平台将介入", "the platform steps in"),
    Silence.UPHOLD: ("将支持买家诉求", "the buyer's request is upheld"),
    Silence.RULE_AS_IT_STANDS: ("平台将按现有证据判责", "the platform rules on what is there"),
    Silence.PROPOSE_FAULT: ("将拟判商家责任", "the merchant's fault is proposed"),
    Silence.CLOSE_UNCLAIMED: ("赔付资格将失效", "the claim lapses"),
    Silence.PAY_COMPENSATION: ("系统将自动赔付", "the compensation is paid automatically"),
    Silence.NOTHING: ("售后单将继续等待", "the case goes on waiting"),
}

OUTCOMES: Final[Mapping[OutcomeKind, Words]] = {
    OutcomeKind.REFUNDED: ("已退款", "refunded"),
    OutcomeKind.PAID_BY_PLATFORM: ("平台已先行赔付", "paid in advance by the platform"),
    OutcomeKind.PAID_MANUALLY: ("已人工打款", "paid by hand"),
    OutcomeKind.WITHDRAWN: ("买家已撤销", "withdrawn by the buyer"),
    OutcomeKind.RETAINED: ("挽留成功，买家已撤销", "retained: the buyer keeps the allowance"),
    OutcomeKind.REJECTED: ("已拒绝", "rejected"),
    OutcomeKind.UNDECIDED: ("商家未处理且买家未申请介入，已关闭", "closed: nobody has decided"),
    OutcomeKind.NOTHING_LEFT: (
        "所申请的金额此前已全部由其他售后单退还，本单未付款",
        "other cases had paid back all that was asked for; this one has paid nothing",
    ),
    OutcomeKind.NOTHING_TO_PAY: ("已完成，无需付款", "done; nothing was to be paid"),
    OutcomeKind.HANDED_OVER: ("由另一售后单处理", "handled by another case"),
    OutcomeKind.CLOSED_BY_OFFICER: ("由平台客服关闭", "closed by the platform's staff"),
    OutcomeKind.NOT_RETURNED: ("买家未退货，已关闭", "closed: the goods were not sent back"),
    OutcomeKind.EXCHANGED: ("换货完成", "exchanged"),
    OutcomeKind.RESENT: ("已补寄", "sent again"),
    OutcomeKind.RESOLVED: ("双方已解决，不判责", "resolved by the parties, nobody at fault"),
    OutcomeKind.SETTLED: ("双方已和解", "settled by the parties"),
    OutcomeKind.RULED: ("平台已判责", "ruled on by the platform"),
    OutcomeKind.DISMISSED: ("平台判定不予退款", "dismissed: nothing is to be paid"),
    OutcomeKind.COVERED: ("应退金额此前已退", "what is owed had been paid before"),
    OutcomeKind.COMPENSATED: ("已赔付", "compensated"),
    OutcomeKind.SHIPPED_IN_TIME: ("已按时发货", "shipped in time"),
    OutcomeKind.EXEMPT: ("商家免责", "the merchant is exempt"),
    OutcomeKind.UNCLAIMED: ("买家未申请赔付", "not claimed"),
    OutcomeKind.REFUSED: ("申请不符合条件", "the request could not be accepted"),
}

ATTENTIONS: Final[Mapping[Attention, Words]] = {
    Attention.ADDRESS_MISSING: ("缺少退货地址", "a return address is missing"),
    Attention.ACCOUNT_MISSING: ("买家未提供退款账户", "the buyer has named no account for the refund"),
    Attention.RETURN_OVERDUE: ("退货超时未签收", "the return has not been signed for in time"),
    Attention.RETURN_REFUSED: ("商品被拒收或退回", "the goods were refused, or went back to who sent them"),
    Attention.GOODS_HELD: ("拒收的退货未寄回买家", "goods that were rejected have not gone back to the buyer"),
    Attention.RESHIP_FAILED: ("换货商品未送达买家", "the goods of the exchange have not reached the buyer"),
    Attention.RESHIP_OVERDUE: ("换货超时未发出", "the exchange has not been shipped in time"),
    Attention.RESEND_OVERDUE: ("补寄超时未发出", "what was to be sent again has not been sent in time"),
    Attention.RESEND_FAILED: ("补寄商品未送达买家", "what was sent again has not reached the buyer"),
    Attention.RULING_OVERDUE: ("判责超时", "the ruling is overdue"),
    Attention.DISPUTE_BROKEN_OFF: ("纠纷流程被中止", "the dispute was stopped from outside"),
    Attention.REVIEW_OVERDUE: ("审核超时", "the review is overdue"),
    Attention.INTERCEPT_OVERDUE: ("拦截超时，包裹未回仓", "the intercepted parcel is not back in time"),
    Attention.GOODS_CONTRADICTED: (
        "承运商既报拒收又报签收",
        "the carrier says both that the parcel was refused and that it was signed for",
    ),
    Attention.REFUND_DECLINED: ("支付渠道拒绝退款", "the payment provider declined the refund"),
    Attention.REFUND_RETURNED: ("退款到账后被退回", "the refund had arrived and came back"),
    Attention.MONEY_STRANDED: (
        "买家收款账户失效，退款滞留在支付渠道",
        "the buyer's card or account takes no money, and the payment provider holds it",
    ),
    Attention.MERCHANT_ACCOUNT_SHORT: ("商家账户余额不足", "the merchant's account is short"),
    Attention.ARRIVAL_OVERDUE: ("退款到账超时", "the refund has not arrived in time"),
    Attention.OUTCOME_UNKNOWN: ("退款结果未知", "the result of the refund is not known"),
    Attention.BOOK_BEHIND: ("案件簿缺少已执行的步骤", "the case book lacks steps that were taken"),
    Attention.ROOM_OVERDUE: ("可退金额长期被在途付款占用", "payments in flight have held what is left for too long"),
}

REJECT_REASONS: Final[Mapping[RejectReason, Words]] = {
    RejectReason.GOODS_SHIPPED: ("商品已发货", "the goods have shipped"),
    RejectReason.GOODS_RECEIVED_AS_DESCRIBED: ("商品已签收且与描述相符", "the goods were received as described"),
    RejectReason.NO_FAULT_SHOWN: ("未能证明商品存在问题", "no fault of the goods is shown"),
    RejectReason.AMOUNT_TOO_HIGH: ("申请金额过高", "the amount is too high"),
    RejectReason.OUT_OF_TERMS: ("超出售后条款范围", "it is outside the terms of sale"),
    RejectReason.OTHER: ("其他原因，详见售后单", "another reason, see the case"),
}

SIDES: Final[Mapping[Role, Words]] = {
    Role.BUYER: ("买家", "the buyer"),
    Role.MERCHANT: ("商家", "the merchant"),
    Role.PLATFORM: ("平台", "the platform"),
    Role.CARRIER: ("承运商", "the carrier"),
    Role.GATEWAY: ("支付渠道", "the payment provider"),
    Role.CLOCK: ("系统", "the system"),
}

PROPOSALS: Final[Mapping[ProposalKind, Words]] = {
    ProposalKind.AMOUNT: ("调整金额", "another amount"),
    ProposalKind.COMPENSATION: ("调整赔付金额", "another compensation"),
    ProposalKind.RETURN: ("退货退款", "a refund once the goods are back"),
    ProposalKind.REFUND: ("仅退款，无需退货", "a refund without the goods coming back"),
    ProposalKind.KEEP_GOODS: ("保留商品，部分退款", "to keep the goods for a part of the money"),
    ProposalKind.SEND_AGAIN: ("补寄商品", "to send the goods, or a missing part, again"),
    ProposalKind.MORE_PROOF: ("补充凭证", "to be shown more proof"),
}

PROPOSAL_ENDS: Final[Mapping[ProposalEnd, Words]] = {
    ProposalEnd.ACCEPTED: ("已被接受", "has been accepted"),
    ProposalEnd.DECLINED: ("已被拒绝", "has been declined"),
    ProposalEnd.WITHDRAWN: ("已被撤回", "has been taken back"),
    ProposalEnd.LAPSED: ("已失效", "has lapsed"),
    ProposalEnd.CLOSED: ("因售后单已另行处理而终止", "has ended, because the case was decided or amended"),
}

VERDICTS: Final[Mapping[Verdict, Words]] = {
    Verdict.RESOLVED: ("双方已解决", "resolved by the parties"),
    Verdict.SETTLED: ("双方已和解", "settled by the parties"),
    Verdict.UPHELD: ("商家未举证，支持买家诉求", "upheld, since the merchant gave no evidence"),
    Verdict.RULED: ("平台已判责", "ruled on by the platform"),
}

FAULTS: Final[Mapping[Fault, Words]] = {
    Fault.BUYER: ("买家责任", "the buyer is at fault"),
    Fault.MERCHANT: ("商家责任", "the merchant is at fault"),
    Fault.BOTH: ("双方责任", "both are at fault"),
    Fault.NOBODY: ("不判责", "nobody is at fault"),
}
