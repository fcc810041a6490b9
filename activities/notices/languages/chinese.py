"""What people are told, in Chinese."""

from typing import Final

from activities.notices.languages.texts import Texts
from workflows.kinds.stage import STAGES
from workflows.messages.actors import Role
from workflows.messages.addresses import ReturnClause
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import RejectReason
from workflows.messages.proposals import ProposalEnd, ProposalKind
from workflows.messages.rulings import Fault, Verdict
from workflows.messages.stages import Attention, OutcomeKind, Silence
from workflows.rules.bilingual import Language, said

CHINESE: Final = Texts(
    e_mail_subject="售后通知：${subject}",
    moment="%Y-%m-%d %H:%M",
    decimal_mark=".",
    beijing_time="北京时间",
    other_time="当地时间（{zone}）",
    notices={
        NoticeTemplate.REQUEST_OPENED: (
            "【售后】{subject} 有新的售后申请，金额 {amount}，请在{time_zone} {due} 前处理。"
        ),
        NoticeTemplate.REQUEST_CONFIRMED: (
            "【售后】{subject} 的售后申请（{reason}）已于{time_zone} {due} 收到，金额 {amount}。请保存本通知。"
        ),
        NoticeTemplate.REQUEST_AMENDED: (
            "【售后】{subject} 的买家修改了售后申请（第 {version} 版），现申请 {amount}，"
            "{time_zone} {due} 前未处理，{on_silence}。"
        ),
        NoticeTemplate.SETTLEMENT_OFFERED: (
            "【售后】{subject} 的商家提出退还 {amount} 以和解纠纷，您可在纠纷中接受；如不接受，纠纷照常处理。"
        ),
        NoticeTemplate.PROPOSAL_MADE: (
            "【售后】{subject} 的{by}提出协商方案 {number}：{terms}（{amount}），请在{time_zone} {until} 前答复；"
            "逾期方案失效，售后单照常处理：到期{on_silence}。"
        ),
        NoticeTemplate.PROPOSAL_ENDED: (
            "【售后】{subject} 的协商方案 {number}（{terms}）{how}。此后如无人处理，到期{on_silence}。"
        ),
        NoticeTemplate.PROPOSAL_OVER: "【售后】{subject} 的协商方案 {number}（{terms}）{how}。",
        NoticeTemplate.MESSAGE_LEFT: "【售后】{subject} 的{by}给您留言，请在售后单中查看。",
        NoticeTemplate.DEADLINE_NEAR: (
            "【售后】{subject} 的售后单即将超时：{time_zone} {due} 前未处理，{on_silence}。"
        ),
        NoticeTemplate.REQUEST_REJECTED: (
            "【售后】{subject} 的售后申请被商家拒绝，原因：{reason}。您可在 {window_days} 天内修改后重新申请，"
            "或申请平台介入，逾期将关闭。"
        ),
        NoticeTemplate.REQUEST_REJECTED_FINALLY: (
            "【售后】{subject} 的售后申请被商家拒绝，原因：{reason}。您可在 {window_days} 天内申请平台介入，"
            "逾期将关闭。"
        ),
        NoticeTemplate.RECEIPT_REJECTED: (
            "【售后】商家未接受 {subject} 的退货，原因：{reason}。商家应在 {window_days} 天内将商品寄回给您，"
            "在此期间您可申请平台介入；逾期将转人工跟进。"
        ),
        NoticeTemplate.GOODS_UNDERWAY: "【售后】{subject} 的商品已发出，需商品退回后才能退款。",
        NoticeTemplate.RETURN_AGREED: (
            "【售后】{subject} 的退货申请已通过，请在 {days} 天内寄回至 {address} 并填写运单号。{clauses}"
        ),
        NoticeTemplate.ADDRESS_WANTED: "【售后】{subject} 的退货缺少退货地址，请在地址库中添加并选择。",
        NoticeTemplate.ACCOUNT_WANTED: "【售后】{subject} 的退款需要您本人的收款账户，请提供。",
        NoticeTemplate.EXTENSION_OFFERED: "【售后】{subject} 的退货尚未签收，您可以延长收货一次。",
        NoticeTemplate.RETURN_SIGNED: "【售后】{subject} 的退货已签收，请验货后处理。",
        NoticeTemplate.EXCHANGE_SHIPPED: "【售后】{subject} 的换货商品已发出，收到后请确认。",
        NoticeTemplate.GOODS_SENT_BACK: "【售后】{subject} 的退货未被接受，商家已将商品寄回给您。",
        NoticeTemplate.REPAIR_SHIPPED: "【售后】{subject} 的维修品已寄回，收到后请确认。",
        NoticeTemplate.REPAIR_LATE: "【售后】{subject} 的维修超时未寄回，您可以申请平台介入。",
        NoticeTemplate.RESEND_AGREED: "【售后】{subject} 的补寄申请已通过，商家应在 {hours} 小时内补寄。",
        NoticeTemplate.GOODS_SENT_AGAIN: "【售后】{subject} 的补寄商品已发出，收到后请确认。",
        NoticeTemplate.RESEND_LATE: "【售后】{subject} 的补寄商品超时未发出，您可以申请平台介入。",
        NoticeTemplate.INTERVENTION_OPEN: "【售后】{subject} 的换货超时未发出，您可以申请平台介入。",
        NoticeTemplate.MERCHANT_OVERDUE: (
            "【售后】{subject} 的售后申请商家超时未处理：买家可在 {days} 天内申请平台介入，商家仍可处理；"
            "逾期未申请，售后单关闭。"
        ),
        NoticeTemplate.DISPUTE_OPENED: (
            "【售后】{subject} 的买家发起纠纷，金额 {amount}，协商期至{time_zone} {due}，逾期平台介入。"
        ),
        NoticeTemplate.INTERVENED: "【售后】{subject} 的纠纷（金额 {amount}）平台已介入，将由平台判责。",
        NoticeTemplate.EVIDENCE_DEMANDED: (
            "【售后】{subject} 的纠纷需要您举证，请在{time_zone} {due} 前提交。举证要求：{wanted}。"
        ),
        NoticeTemplate.DISPUTE_RULED: "【售后】{subject} 的纠纷已完结：{verdict}，{fault}，买家应得 {amount}。",
        NoticeTemplate.COMPENSATION_CLAIMABLE: (
            "【售后】{subject} 延迟发货，您可在{time_zone} {due} 前申请赔付 {amount}。"
        ),
        NoticeTemplate.COMPENSATION_CLAIMED: (
            "【售后】{subject} 的买家申请延迟发货赔付 {amount}，请提供发货或免责凭证，逾期自动赔付。"
        ),
        NoticeTemplate.COMPENSATION_PAID: "【售后】{subject} 的赔付 {amount} 已到账。",
        NoticeTemplate.REFUND_SUBMITTED: (
            "【售后】{subject} 的退款 {amount} 已提交支付渠道，预计{time_zone} {arrives_from} 至 {arrives_until} 到账。"
        ),
        NoticeTemplate.REFUND_SUCCEEDED: "【售后】{subject} 的退款 {amount} 已退款成功。",
        NoticeTemplate.ALLOWANCE_REFUNDED: (
            "【售后】{subject} 的退款中 {amount} 已退回店铺膨胀金：本金 {principal}，权益金 {bonus}。"
        ),
        NoticeTemplate.ALLOWANCE_PAID_OUT: (
            "【售后】{subject} 的退款中 {amount} 以店铺膨胀金支付，该膨胀金已提现或到期："
            "本金 {principal} 原路退回，权益金 {bonus} 已失效。"
        ),
        NoticeTemplate.PAYMENT_REDUCED: (
            "【售后】{subject} 应付 {asked}，其余部分已由其他售后单支付或正在支付，本单支付 {amount}。"
        ),
        NoticeTemplate.CASE_CLOSED: "【售后】{subject} 的售后单已完结：{outcome}。",
        NoticeTemplate.STAGE_CHANGED: (
            "【售后】{subject} 的售后单进展：{stage}。截止{time_zone} {due}，逾期：{on_silence}。"
        ),
        NoticeTemplate.RETURN_SENT: "【售后】{subject} 的退货已寄出：{carrier} {tracking_no}。",
        NoticeTemplate.EVIDENCE_GIVEN: "【售后】{subject} 的对方已提交凭证，请查看。",
        NoticeTemplate.RETENTION_ASKED: (
            "【售后】{subject} 的商家希望您保留膨胀金；如您同意，请撤销提现申请，否则照常处理。"
        ),
        NoticeTemplate.CONVERSION_WANTED: (
            "【售后】{subject} 的对方希望不再换货、维修或补寄，而转为退款；如您同意，请确认，否则照常进行。"
        ),
        NoticeTemplate.ATTENTION_RAISED: "【售后】{subject} 的售后单需要人工处理：{attention}。",
    },
    silences={
        Silence.REFUND: "系统将自动同意退款",
        Silence.PAY_PRINCIPAL: "系统将自动退还本金",
        Silence.APPROVE: "系统将自动通过申请",
        Silence.CLOSE_AS_REJECTED: "售后单将以拒绝关闭",
        Silence.CLOSE_UNDECIDED: "售后单将关闭",
        Silence.ESCALATE: "将升级至平台人工处理",
        Silence.ASK_GATEWAY: "系统将向支付渠道查询结果",
        Silence.RAISE_ATTENTION: "将转人工跟进",
        Silence.AGREE_TO_RETURN: "系统将自动同意退货",
        Silence.CLOSE_NOT_RETURNED: "售后单将以未退货关闭",
        Silence.OFFER_EXTENSION: "可延长收货",
        Silence.ASK_CARRIER: "系统将向承运商查询",
        Silence.ASK_AGAIN: "系统将再次提醒",
        Silence.RIGHT_TO_INTERVENTION: "买家可申请平台介入",
        Silence.CLOSE_AS_EXCHANGED: "换货将自动确认完成",
        Silence.AGREE_TO_REPAIR: "系统将自动同意维修",
        Silence.CLOSE_AS_REPAIRED: "维修将自动确认完成",
        Silence.AGREE_TO_RESEND: "系统将自动同意补寄",
        Silence.CLOSE_AS_RESENT: "补寄将自动确认完成",
        Silence.GO_TO_PLATFORM: "平台将介入",
        Silence.UPHOLD: "将支持买家诉求",
        Silence.RULE_AS_IT_STANDS: "平台将按现有证据判责",
        Silence.PROPOSE_FAULT: "将拟判商家责任",
        Silence.CLOSE_UNCLAIMED: "赔付资格将失效",
        Silence.PAY_COMPENSATION: "系统将自动赔付",
        Silence.NOTHING: "售后单将继续等待",
    },
    outcomes={
        OutcomeKind.REFUNDED: "已退款",
        OutcomeKind.PAID_BY_PLATFORM: "平台已先行赔付",
        OutcomeKind.PAID_MANUALLY: "已人工打款",
        OutcomeKind.WITHDRAWN: "买家已撤销",
        OutcomeKind.RETAINED: "挽留成功，买家已撤销",
        OutcomeKind.REJECTED: "已拒绝",
        OutcomeKind.UNDECIDED: "商家未处理且买家未申请介入，已关闭",
        OutcomeKind.NOTHING_LEFT: "所申请的金额此前已全部由其他售后单退还，本单未付款",
        OutcomeKind.NOTHING_TO_PAY: "已完成，无需付款",
        OutcomeKind.HANDED_OVER: "由另一售后单处理",
        OutcomeKind.CLOSED_BY_OFFICER: "由平台客服关闭",
        OutcomeKind.NOT_RETURNED: "买家未退货，已关闭",
        OutcomeKind.EXCHANGED: "换货完成",
        OutcomeKind.REPAIRED: "已维修",
        OutcomeKind.RESENT: "已补寄",
        OutcomeKind.RESOLVED: "双方已解决，不判责",
        OutcomeKind.SETTLED: "双方已和解",
        OutcomeKind.RULED: "平台已判责",
        OutcomeKind.DISMISSED: "平台判定不予退款",
        OutcomeKind.COVERED: "应退金额此前已退",
        OutcomeKind.COMPENSATED: "已赔付",
        OutcomeKind.SHIPPED_IN_TIME: "已按时发货",
        OutcomeKind.EXEMPT: "商家免责",
        OutcomeKind.UNCLAIMED: "买家未申请赔付",
        OutcomeKind.REFUSED: "申请不符合条件",
    },
    attentions={
        Attention.ADDRESS_MISSING: "缺少退货地址",
        Attention.ACCOUNT_MISSING: "买家未提供退款账户",
        Attention.RETURN_OVERDUE: "退货超时未签收",
        Attention.RETURN_REFUSED: "商品被拒收或退回",
        Attention.GOODS_HELD: "拒收的退货未寄回买家",
        Attention.RESHIP_FAILED: "换货商品未送达买家",
        Attention.RESHIP_OVERDUE: "换货超时未发出",
        Attention.REPAIR_OVERDUE: "维修超时未寄回",
        Attention.REPAIR_FAILED: "维修品未送达买家",
        Attention.RESEND_OVERDUE: "补寄超时未发出",
        Attention.RESEND_FAILED: "补寄商品未送达买家",
        Attention.RULING_OVERDUE: "判责超时",
        Attention.DISPUTE_BROKEN_OFF: "纠纷流程被中止",
        Attention.REVIEW_OVERDUE: "审核超时",
        Attention.INTERCEPT_OVERDUE: "拦截超时，包裹未回仓",
        Attention.GOODS_CONTRADICTED: "承运商既报拒收又报签收",
        Attention.REFUND_DECLINED: "支付渠道拒绝退款",
        Attention.REFUND_RETURNED: "退款到账后被退回",
        Attention.MONEY_STRANDED: "买家收款账户失效，退款滞留在支付渠道",
        Attention.NUMBER_CONFLICT: "支付渠道在该退款单号下另有一笔退款",
        Attention.REFUND_LOST: "支付渠道曾受理退款，现查无此单",
        Attention.MERCHANT_ACCOUNT_SHORT: "商家账户余额不足",
        Attention.ARRIVAL_OVERDUE: "退款到账超时",
        Attention.OUTCOME_UNKNOWN: "退款结果未知",
        Attention.BOOK_BEHIND: "案件簿缺少已执行的步骤",
        Attention.ROOM_OVERDUE: "可退金额长期被在途付款占用",
    },
    reject_reasons={
        RejectReason.GOODS_SHIPPED: "商品已发货",
        RejectReason.GOODS_RECEIVED_AS_DESCRIBED: "商品已签收且与描述相符",
        RejectReason.NO_FAULT_SHOWN: "未能证明商品存在问题",
        RejectReason.AMOUNT_TOO_HIGH: "申请金额过高",
        RejectReason.OUT_OF_TERMS: "超出售后条款范围",
        RejectReason.OTHER: "其他原因，详见售后单",
    },
    sides={
        Role.BUYER: "买家",
        Role.MERCHANT: "商家",
        Role.PLATFORM: "平台",
        Role.CARRIER: "承运商",
        Role.GATEWAY: "支付渠道",
        Role.CLOCK: "系统",
    },
    proposals={
        ProposalKind.AMOUNT: "调整金额",
        ProposalKind.COMPENSATION: "调整赔付金额",
        ProposalKind.RETURN: "退货退款",
        ProposalKind.REFUND: "仅退款，无需退货",
        ProposalKind.KEEP_GOODS: "保留商品，部分退款",
        ProposalKind.SEND_AGAIN: "补寄商品",
        ProposalKind.MORE_PROOF: "补充凭证",
    },
    proposal_ends={
        ProposalEnd.ACCEPTED: "已被接受",
        ProposalEnd.DECLINED: "已被拒绝",
        ProposalEnd.WITHDRAWN: "已被撤回",
        ProposalEnd.LAPSED: "已失效",
        ProposalEnd.CLOSED: "因售后单已另行处理而终止",
    },
    verdicts={
        Verdict.RESOLVED: "双方已解决",
        Verdict.SETTLED: "双方已和解",
        Verdict.UPHELD: "商家未举证，支持买家诉求",
        Verdict.RULED: "平台已判责",
    },
    faults={
        Fault.BUYER: "买家责任",
        Fault.MERCHANT: "商家责任",
        Fault.BOTH: "双方责任",
        Fault.NOBODY: "不判责",
    },
    clauses={
        ReturnClause.NO_FREIGHT_COLLECT: "拒收到付",
        ReturnClause.NO_EMS: "拒收EMS",
        ReturnClause.NO_SF_EXPRESS: "拒收顺丰",
        ReturnClause.NO_POSTAL_PARCEL: "拒收邮政包邮",
    },
    stages={name: said(stage.title, Language.ZH) for name, stage in STAGES.items()},
)
