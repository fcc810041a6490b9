"""What people read of codes: silences, reasons for attention, kinds, outcomes, the events of the case log.

Each is ``中文 · English``; see ``rules.bilingual``.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from workflows.messages.actors import Role
from workflows.messages.payouts import PaidBy
from workflows.messages.proposals import ProposalKind
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, Silence, Stopped

SILENCE_MEANS: Final[Mapping[Silence, str]] = MappingProxyType(
    {
        Silence.REFUND: "自动退款 · the refund is paid",
        Silence.PAY_PRINCIPAL: "自动退还本金 · the principal is paid back",
        Silence.APPROVE: "自动同意 · the refund is approved and paid",
        Silence.CLOSE_AS_REJECTED: "按拒绝关闭 · the case closes as rejected",
        Silence.CLOSE_UNDECIDED: "买家未申请介入则关闭 · the case closes undecided",
        Silence.ESCALATE: "升级人工 · an operator is called",
        Silence.ASK_GATEWAY: "查询支付网关 · the gateway is asked, then an officer is called",
        Silence.RAISE_ATTENTION: "标记待关注 · an officer is called",
        Silence.AGREE_TO_RETURN: "自动同意退货 · the return is agreed to",
        Silence.CLOSE_NOT_RETURNED: "按未退货关闭 · the case closes as not returned",
        Silence.OFFER_EXTENSION: "可延长收货 · the merchant is offered more time",
        Silence.ASK_CARRIER: "查询承运商，再转人工 · the carrier is asked, then an operator is called",
        Silence.ASK_AGAIN: "再次提醒 · the buyer is asked again",
        Silence.RIGHT_TO_INTERVENTION: "买家可申请平台介入 · the buyer gains the right to intervention",
        Silence.CLOSE_AS_EXCHANGED: "已签收则确认换货完成，否则转人工"
        " · signed for, the exchange counts as completed; else an operator is called",
        Silence.AGREE_TO_REPAIR: "自动同意维修 · it is agreed to mend it",
        Silence.CLOSE_AS_REPAIRED: "已签收则维修完成，否则转人工"
        " · signed for, the repair counts as completed; else an operator is called",
        Silence.AGREE_TO_RESEND: "自动同意补寄 · it is agreed to send it again",
        Silence.CLOSE_AS_RESENT: "已签收则补寄完成，否则转人工"
        " · signed for, what was sent again counts as received; else an operator is called",
        Silence.GO_TO_PLATFORM: "平台介入 · the platform steps in",
        Silence.UPHOLD: "支持买家诉求 · the buyer's request is upheld",
        Silence.RULE_AS_IT_STANDS: "平台将按现有证据判责 · the platform rules on what is there",
        Silence.PROPOSE_FAULT: "拟判商家责任，待确认 · the merchant's fault is proposed to an officer",
        Silence.CLOSE_UNCLAIMED: "赔付资格失效 · the claim lapses",
        Silence.PAY_COMPENSATION: "自动赔付 · the compensation is paid",
        Silence.NOTHING: "无自动处理 · nothing by itself",
    }
)

STOPPED_MEANS: Final[Mapping[Stopped, str]] = MappingProxyType(
    {
        Stopped.PAUSED: "流程已暂停，恢复后继续；期限照常计算"
        " · an operator has paused the workflow: it goes on when it is unpaused, and its clock runs meanwhile",
        Stopped.TERMINATED: "流程已被终止，无人跟进 · the workflow was terminated: nobody follows the case",
        Stopped.FAILED: "流程已失败，无人跟进 · the workflow has failed: nobody follows the case",
        Stopped.TIMED_OUT: "流程已超时结束，无人跟进 · the workflow has timed out: nobody follows the case",
        Stopped.CANCELED: "流程已取消，无人跟进 · the workflow was cancelled: nobody follows the case",
        Stopped.ENDED: "流程已结束，案件簿仍未结案，无人跟进"
        " · the workflow has ended and the case book has not: nobody follows the case",
        Stopped.FORGOTTEN: "流程已不存在，无人跟进 · Temporal has no such workflow any more: nobody follows the case",
    }
)

ATTENTION_MEANS: Final[Mapping[Attention, str]] = MappingProxyType(
    {
        Attention.REVIEW_OVERDUE: "审核超时，请人工决定：approve 或 close_case"
        " · the review is overdue: decide it, with approve or close_case",
        Attention.INTERCEPT_OVERDUE: "拦截超时，请向仓库或承运商查包裹，再决定：approve 或 close_case"
        " · the parcel is not back: find it, then decide with approve or close_case",
        Attention.GOODS_CONTRADICTED: "承运商既报拒收又报签收，请核实货物在谁手中，再决定：approve 或 close_case"
        " · refused, and signed for: find out who has the goods, then decide with approve or close_case",
        Attention.ADDRESS_MISSING: "商家没有退货地址，请商家补充后 agree_return"
        " · the merchant has no return address: have one entered, then agree_return",
        Attention.ACCOUNT_MISSING: "买家未提供退款账户，请联系买家：give_refund_account"
        " · the buyer has named no account to pay to: reach the buyer, then give_refund_account",
        Attention.RETURN_OVERDUE: "退货无签收记录，请查包裹：confirm_receipt、refund_directly 或 close_case"
        " · nobody has signed for the goods: find them, then confirm_receipt, refund_directly or close_case",
        Attention.RETURN_REFUSED: "商品被拒收或退回，请核实：enter_tracking、confirm_receipt 或 refund_directly"
        " · the goods were refused or went back: find them, then enter_tracking, confirm_receipt or refund_directly",
        Attention.GOODS_HELD: "商家拒绝退款且未寄回商品，请督促：send_back、confirm_receipt 或 refund_directly"
        " · the merchant has the goods and the money: press for send_back, or confirm_receipt or refund_directly",
        Attention.RESHIP_FAILED: "换货商品未送达买家：reship 重发，或 convert_to_refund"
        " · the goods of the exchange have not reached the buyer: reship, or convert_to_refund",
        Attention.RESHIP_OVERDUE: "商家未重新发货，请催促：reship、convert_to_refund 或 refund_directly"
        " · the goods of the exchange have not been sent: press for reship, convert_to_refund or refund_directly",
        Attention.REPAIR_OVERDUE: "维修品未寄回，请催促：reship、convert_to_refund 或 refund_directly"
        " · what was to be mended has not been sent back: press for reship, convert_to_refund or refund_directly",
        Attention.REPAIR_FAILED: "维修品未送达买家：reship 重发，或 convert_to_refund"
        " · what was mended has not reached the buyer: reship, or convert_to_refund",
        Attention.RESEND_OVERDUE: "商家未补寄，请催促：reship，或 refund_directly"
        " · what was to be sent again has not been sent: press for reship, or refund_directly",
        Attention.RESEND_FAILED: "补寄商品未送达买家：reship 重发，或 refund_directly"
        " · what was sent again has not reached the buyer: reship, or refund_directly",
        Attention.RULING_OVERDUE: "判责超时，请立即判责：rule · the ruling is overdue: rule now",
        Attention.DISPUTE_BROKEN_OFF: "纠纷流程被外部终止，案件按原状态继续，请核查"
        " · the dispute was stopped from outside and the case goes on without it: find out why",
        Attention.REFUND_DECLINED: "网关已拒绝退款，钱未动：retry_payment、pay_in_advance 或 record_manual_transfer"
        " · the gateway has declined, no money moved: retry_payment, pay_in_advance or record_manual_transfer",
        Attention.REFUND_RETURNED: "退款到账后又退回：retry_payment、pay_in_advance 或 record_manual_transfer"
        " · the refund came back, the buyer has no money: retry_payment, pay_in_advance or record_manual_transfer",
        Attention.MONEY_STRANDED: "买家卡已失效，钱在支付渠道中间户，请勿另行付款：retry_payment 附新收款账户"
        " · the card is dead and the provider holds the money: never pay by hand, retry_payment with an account",
        Attention.NUMBER_CONFLICT: "该退款单号下另有一笔退款，请先查明归属：record_manual_transfer 附 number_holds"
        " · the provider has another refund of this number: see whose, then record_manual_transfer with number_holds",
        Attention.REFUND_LOST: "网关曾受理退款，现查无此单，请向网关核查：retry_payment 或 pay_in_advance"
        " · the gateway had taken the refund and knows it no more: ask it, then retry_payment or pay_in_advance",
        Attention.MERCHANT_ACCOUNT_SHORT: "商家账户余额不足：充值后 retry_payment，或 pay_in_advance"
        " · the merchant's account is short: retry_payment once it is filled, or pay_in_advance",
        Attention.ARRIVAL_OVERDUE: "网关已受理但未到账，请向网关核查；无需重复付款"
        " · the gateway has it but it has not arrived: ask the gateway; never pay twice",
        Attention.OUTCOME_UNKNOWN: "付款结果未知，请向网关核查退款单；系统会继续查询"
        " · the outcome is not known: look the refund number up at the gateway; it is asked on meanwhile",
        Attention.ROOM_OVERDUE: "同一订单的在途付款长期占用可退金额，请查明：retry_payment 或 close_case"
        " · payments in flight have held what is left for too long: find out why, then retry_payment or close_case",
        Attention.BOOK_BEHIND: "案件簿缺少已执行的步骤，案件已停下，请用 aftersales recover --rebuild 恢复"
        " · the case book lacks steps that were taken, and the case has stopped: aftersales recover --rebuild",
    }
)
"""What each reason means, and what to do."""

KINDS: Final[Mapping[CaseKind, str]] = MappingProxyType(
    {
        CaseKind.UNSHIPPED_REFUND: "未发货退款 · unshipped refund",
        CaseKind.SHIPPED_REFUND: "已发货仅退款 · shipped refund",
        CaseKind.CANCELLATION: "取消订单 · cancellation",
        CaseKind.MERCHANT_REFUND: "商家主动退款 · merchant refund",
        CaseKind.WITHDRAWAL: "膨胀金提现 · withdrawal",
        CaseKind.EXPIRY: "膨胀金到期 · expiry",
        CaseKind.RETURN: "退货退款 · return",
        CaseKind.EXCHANGE: "换货 · exchange",
        CaseKind.PRICE_PROTECTION: "保价 · price protection",
        CaseKind.REPAIR: "维修 · repair",
        CaseKind.RESEND: "补寄 · re-send",
        CaseKind.DISPUTE: "纠纷 · dispute",
        CaseKind.LATE_SHIPMENT: "延迟发货 · late shipment",
        CaseKind.FREIGHT_INSURANCE: "运费险 · freight insurance",
        CaseKind.RETURN_FREIGHT: "退货运费 · return freight",
    }
)

OUTCOMES: Final[Mapping[OutcomeKind, str]] = MappingProxyType(
    {
        OutcomeKind.REFUNDED: "已退款 · refunded",
        OutcomeKind.PAID_BY_PLATFORM: "平台先行赔付 · paid by the platform",
        OutcomeKind.PAID_MANUALLY: "人工打款 · paid by hand",
        OutcomeKind.WITHDRAWN: "买家撤销 · withdrawn by the buyer",
        OutcomeKind.RETAINED: "已挽留 · retained",
        OutcomeKind.REJECTED: "已拒绝 · rejected",
        OutcomeKind.UNDECIDED: "商家未处理，买家未申请介入 · undecided",
        OutcomeKind.NOTHING_LEFT: "无可退金额 · nothing was left to refund",
        OutcomeKind.NOTHING_TO_PAY: "无需付款 · nothing was to be paid",
        OutcomeKind.HANDED_OVER: "由其他案件支付 · another case pays",
        OutcomeKind.CLOSED_BY_OFFICER: "人工关闭 · closed by an officer",
        OutcomeKind.NOT_RETURNED: "买家未退货 · the goods were not returned",
        OutcomeKind.EXCHANGED: "已换货 · exchanged",
        OutcomeKind.REPAIRED: "已维修 · repaired",
        OutcomeKind.RESENT: "已补寄 · sent again",
        OutcomeKind.RESOLVED: "已解决 · resolved",
        OutcomeKind.SETTLED: "已和解 · settled",
        OutcomeKind.RULED: "已判责 · ruled",
        OutcomeKind.DISMISSED: "不予退款 · dismissed",
        OutcomeKind.COVERED: "此前已付足 · paid before",
        OutcomeKind.COMPENSATED: "已赔付 · compensated",
        OutcomeKind.SHIPPED_IN_TIME: "按时发货 · shipped in time",
        OutcomeKind.EXEMPT: "免责 · exempt",
        OutcomeKind.UNCLAIMED: "未申请赔付 · not claimed",
        OutcomeKind.REFUSED: "不予受理 · refused",
    }
)

PROPOSALS: Final[Mapping[str, str]] = MappingProxyType(
    {
        ProposalKind.AMOUNT: "调整金额 · another amount",
        ProposalKind.COMPENSATION: "调整赔付金额 · another compensation",
        ProposalKind.RETURN: "退货退款 · the goods come back, for money",
        ProposalKind.REFUND: "仅退款 · a refund, and the goods stay with the buyer",
        ProposalKind.KEEP_GOODS: "保留商品并部分退款 · keep the goods for a part of the money",
        ProposalKind.SEND_AGAIN: "补寄 · the goods, or a part of them, sent again",
        ProposalKind.MORE_PROOF: "补充凭证 · more proof",
    }
)

ROLES: Final[Mapping[Role, str]] = MappingProxyType(
    {
        Role.BUYER: "买家 · buyer",
        Role.MERCHANT: "商家 · merchant",
        Role.PLATFORM: "平台 · platform",
        Role.CARRIER: "承运商 · carrier",
        Role.GATEWAY: "支付网关 · gateway",
        Role.CLOCK: "超时自动 · silence",
    }
)

OWN_BOOKS: Final[Mapping[PaidBy | None, str]] = MappingProxyType(
    {
        PaidBy.ALLOWANCE: "已退回膨胀金 · back in the allowance",
        PaidBy.LOST_BONUS: "权益金已失效 · bonus, lost with the allowance",
    }
)
"""How a payment stands that no provider was told of (A7)."""

WARNINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "paused": "暂停计时已顺延 · later because of a declared pause",
        "calendar_unknown_year": "节假日安排未公布，按法定节假日计算，未计调休"
        " · that year's calendar is not known yet: counted by the holidays of the law",
    }
)

EVENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "account_refused": "账户非买家本人 · account not the buyer's",
        "account_asked": "请买家提供账户 · account asked for",
        "activity_begun_anew": "后台步骤重新执行 · a step in the background was begun anew",
        "amended": "买家修改后再次申请 · amended",
        "approved": "同意 · approved",
        "approved_by_policy": "按规则自动同意 · approved by policy",
        "approved_by_silence": "超时自动同意 · approved by silence",
        "attention_raised": "标记待关注 · attention raised",
        "balance_thawed": "余额解冻 · balance thawed",
        "book_behind": "案件簿缺少步骤 · the case book lacks steps",
        "cancellation_ignored": "忽略外部取消 · cancellation ignored",
        "closed_as_rejected": "按拒绝关闭 · closed as rejected",
        "closed_by_officer": "人工关闭 · closed by an officer",
        "command_refused": "指令被拒 · command refused",
        "compensated_by_silence": "超时自动赔付 · compensated by silence",
        "compensation_claimed": "买家申请赔付 · compensation claimed",
        "compensation_owed": "产生赔付 · compensation owed",
        "compensation_paid": "赔付到账 · compensation paid",
        "converted_to_refund": "转为退款 · converted to a refund",
        "covered": "此前已付足 · paid before",
        "deadline_moved": "截止时间变更 · deadline moved",
        "deadline_set": "人工改期 · deadline set by an officer",
        "deadline_near": "临近截止提醒 · deadline near",
        "disputed_case_stopped": "被申诉案件已被外部终止 · the disputed case was stopped from outside",
        "dispute_broken_off": "纠纷流程中断 · dispute broken off",
        "dispute_intervened": "平台介入 · platform stepped in",
        "dispute_opened": "申请平台介入 · dispute opened",
        "dispute_refused": "已有同一事项的纠纷 · disputed otherwise already",
        "dispute_resolved": "纠纷已解决 · dispute resolved",
        "dispute_ruled": "平台判责 · dispute ruled",
        "dispute_settled": "双方和解 · dispute settled",
        "dispute_upheld": "支持买家 · dispute upheld",
        "look_at_book": "核对案卷 · asked to look at its book",
        "escalated": "升级人工 · escalated",
        "evidence_demanded": "平台要求举证 · evidence demanded",
        "evidence_closed": "举证结束 · evidence closed",
        "evidence_submitted": "提交举证 · evidence submitted",
        "exchange_confirmed": "确认换货 · exchange confirmed",
        "exchange_confirmed_by_silence": "超时确认换货 · exchange confirmed by silence",
        "exemption_shown": "商家举证免责 · exemption shown",
        "extension_offered": "可延长收货 · extension offered",
        "fault_proposed": "拟判商家责任 · fault proposed",
        "goods_came_back": "包裹被拒收或退回 · the parcel was refused or went back",
        "goods_held": "商品未退回买家 · goods not sent back",
        "goods_not_signed": "无签收记录 · nobody has signed for the goods",
        "goods_refused": "拒收 · goods refused",
        "goods_returned_to_warehouse": "商品回仓 · goods back in the warehouse",
        "goods_shipped": "商品已发出 · goods shipped",
        "goods_signed": "已签收 · goods signed for",
        "goods_in_transit": "运输中 · goods on their way",
        "goods_on_delivery_run": "派送中 · goods out for delivery",
        "goods_outbound": "已出库 · goods have left the warehouse",
        "handed_over": "移交其他案件 · handed over",
        "intervened": "平台介入 · platform stepped in",
        "locked": "锁定 · locked",
        "merchant_overdue": "商家超时未处理，买家可申请介入 · the merchant has not decided in time",
        "more_refused": "更多指令未受理 · more was refused or known already",
        "not_returned": "未退货 · not returned",
        "nothing_spent": "本金未使用 · nothing spent",
        "opened": "建单 · opened",
        "paid_in_advance": "先行赔付 · paid in advance",
        "paid_manually": "人工打款 · paid by hand",
        "paid_out": "商家付款 · paid out",
        "paid_out_by_silence": "超时自动付款 · paid out by silence",
        "nothing_left": "已无可退金额 · nothing left to refund",
        "nothing_to_pay": "无需付款 · nothing to pay",
        "allowance_refunded": "已退回店铺膨胀金 · back in the allowance",
        "allowance_paid_out": "膨胀金已不存在，本金原路退回 · the allowance is no more: its principal went as money",
        "payment_reduced": "部分已由其他售后单支付 · others have been paid a part",
        "payment_retried": "重试付款 · payment retried",
        "proposed": "提出协商方案 · proposed",
        "proposal_accepted": "接受协商方案 · proposal accepted",
        "proposal_closed": "协商方案终止 · proposal ended by what was decided",
        "proposal_declined": "拒绝协商方案 · proposal declined",
        "proposal_lapsed": "协商方案失效 · proposal lapsed",
        "proposal_withdrawn": "撤回协商方案 · proposal taken back",
        "said": "留言 · said",
        "policy_moved": "规则版本变更 · policy moved",
        "receipt_confirmed": "确认收货 · receipt confirmed",
        "receipt_recorded": "确认收货已记录，案件继续时处理 · receipt recorded: looked at once the case goes on",
        "report_recorded": "物流消息已记录，案件继续时处理 · carrier's word recorded: looked at once the case goes on",
        "receipt_extended": "延长收货 · receipt extended",
        "refund_account_given": "提供退款账户 · refund account given",
        "refund_submitted": "已提交网关 · submitted to the gateway",
        "refund_accepted": "网关已受理 · the gateway has taken the refund, and it is known when it arrives",
        "refund_returned": "退款到账后被退回 · refund came back after it had arrived",
        "refund_succeeded": "退款到账 · refund arrived",
        "refund_wanted": "一方希望退款 · refund wanted",
        "refunded_directly": "直接退款 · refunded directly",
        "rejected": "拒绝 · rejected",
        "reshipment_overdue": "换货超时未发 · re-shipment overdue",
        "reshipped": "换货已发出 · re-shipped",
        "repair_sent": "维修品已寄回 · sent back, mended",
        "repair_overdue": "维修超时未寄回 · repair overdue",
        "repair_confirmed": "确认收到维修品 · repair confirmed",
        "repair_confirmed_by_silence": "超时确认维修 · repair confirmed by silence",
        "resend_confirmed": "确认收到补寄 · what was sent again has arrived",
        "resend_confirmed_by_silence": "超时确认补寄 · sent again, confirmed by silence",
        "resend_overdue": "补寄超时未发 · not sent again in time",
        "sent_again": "补寄已发出 · sent again",
        "retention_offered": "商家挽留 · retention offered",
        "return_agreed": "同意退货 · return agreed",
        "return_agreed_by_silence": "超时同意退货 · return agreed by silence",
        "return_overdue": "退货超时未签收 · return overdue",
        "room_awaited": "等待额度 · room awaited",
        "room_found": "额度已释放 · room found",
        "room_overdue": "等待额度超时 · room overdue",
        "ruling_after_end": "案件已结，判责未执行 · ruled after the end",
        "ruling_carried_out": "执行判责 · ruling carried out",
        "ruling_overdue": "判责超时 · ruling overdue",
        "sent_back": "商品寄回买家 · goods sent back to the buyer",
        "settlement_offered": "商家提出和解 · settlement offered",
        "shipment_proved": "商家举证已发货 · shipment proved",
        "tracking_entered": "买家填写运单 · tracking entered",
        "unclaimed": "未申请赔付 · not claimed",
        "undecided": "无人处理 · undecided",
        "validity_ended": "有效期结束 · validity ended",
        "withdrawn": "买家撤销 · withdrawn",
    }
)


def event_words(event: str) -> str:
    """What people read of an event; what is not in the table stays a code in plain words."""
    return EVENTS.get(event, event.replace("_", " "))
