"""The stages of every kind of case: who is waited for, what is accepted from whom, what silence does.

This is the rulebook as a table. Workflows enter these stages, the command check reads them, the Web UI and
the documentation show them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from workflows.messages.actors import Role
from workflows.messages.cases import Span
from workflows.messages.commands import (
    AcceptSettlement,
    AgreeReturn,
    Amend,
    Approve,
    CaseSettled,
    ClaimCompensation,
    CloseCase,
    Command,
    ConfirmExchange,
    ConfirmProposal,
    ConfirmReceipt,
    ConvertToRefund,
    DisputeIntervened,
    EnterTracking,
    ExtendReceipt,
    GatewayCallback,
    GiveRefundAccount,
    LookAtBook,
    MoveDeadline,
    MovePolicy,
    OfferSettlement,
    OpenDispute,
    PausesChanged,
    PayInAdvance,
    PayOut,
    ProveExemption,
    ProveShipment,
    RecordManualTransfer,
    RefundDirectly,
    Reject,
    ReportParcel,
    Reship,
    Resolve,
    Retain,
    RetryPayment,
    Rule,
    RulingTold,
    SendBack,
    SubmitEvidence,
    Withdraw,
)
from workflows.messages.policy import Policy
from workflows.messages.stages import Silence, StageName, WorkList

Accepts: TypeAlias = Mapping[type[Command], frozenset[Role]]

BUYER = frozenset({Role.BUYER})
MERCHANT = frozenset({Role.MERCHANT})
PLATFORM = frozenset({Role.PLATFORM})
PARTIES = frozenset({Role.BUYER, Role.MERCHANT})

FACTS: Accepts = {
    GatewayCallback: frozenset({Role.GATEWAY}),
    ReportParcel: frozenset({Role.CARRIER, Role.PLATFORM}),
    PausesChanged: PLATFORM,
    DisputeIntervened: frozenset({Role.CLOCK}),
    RulingTold: frozenset({Role.CLOCK}),
    LookAtBook: PLATFORM,
    CaseSettled: frozenset({Role.CLOCK}),
}
"""What is taken in every stage, because it has happened; and who may tell it."""

ANYWHERE: Accepts = {MovePolicy: PLATFORM}
"""What an officer may ask of every case that waits (section 2)."""

WITH_DEADLINE: Accepts = {MoveDeadline: PLATFORM}
"""What an officer may ask where silence has a moment (section 12); not where it is the gateway that is waited for."""


def _hours(hours: int, reminder_hours: int = 0) -> Span:
    return Span(minutes=hours * 60, reminder_minutes=reminder_hours * 60)


def _days(days: int) -> Span:
    return Span(minutes=days * 24 * 60)


@dataclass(frozen=True)
class Stage:
    """One stage: what it waits for and what ends it.

    Either ``span`` gives its length under a policy, or ``no_deadline`` is the written reason for having none.
    """

    name: StageName
    rule: str
    title: str
    waits_for: Role | None
    silence: Silence
    accepts: Accepts = field(default_factory=dict[type[Command], frozenset[Role]])
    span: Callable[[Policy], Span] | None = None
    no_deadline: str = ""
    work_list: WorkList | None = None
    pausable: bool = True
    """Whether a pause window stops its clock: where silence decides, and not where money is on its way (section 9)."""


OPENING = Stage(
    StageName.OPENING,
    "R4",
    "正在建单 · opening",
    waits_for=None,
    silence=Silence.NOTHING,
    no_deadline="几秒：正在校验并登记 · seconds: the request is being checked and written down",
)

MERCHANT_REVIEW = Stage(
    StageName.MERCHANT_REVIEW,
    "R1",
    "未发货退款待处理 · unshipped refund, the merchant decides",
    waits_for=Role.MERCHANT,
    silence=Silence.REFUND,
    accepts={Approve: MERCHANT, Reject: MERCHANT, Withdraw: BUYER, SubmitEvidence: PARTIES},
    span=lambda policy: _hours(policy.refund.unshipped_review_hours, policy.refund.reminder_hours),
    work_list=WorkList.UNSHIPPED_REFUNDS,
)

SHIPPED_REVIEW = Stage(
    StageName.SHIPPED_REVIEW,
    "R2",
    "已发货仅退款待处理 · refund only, the merchant decides",
    waits_for=Role.MERCHANT,
    silence=Silence.REFUND,
    accepts={Approve: MERCHANT, Reject: MERCHANT, Withdraw: BUYER, SubmitEvidence: PARTIES},
    span=lambda policy: _hours(policy.refund.shipped_review_hours, policy.refund.reminder_hours),
    work_list=WorkList.REFUND_ONLY,
)

REJECTED = Stage(
    StageName.REJECTED,
    "R6",
    "商家已拒绝 · rejected, the buyer may amend and apply again",
    waits_for=Role.BUYER,
    silence=Silence.CLOSE_AS_REJECTED,
    accepts={Amend: BUYER, OpenDispute: BUYER},
    span=lambda policy: _days(policy.refund.escalation_window_days),
    work_list=WorkList.AWAITING_BUYER,
)

PARCEL_INTERCEPT = Stage(
    StageName.PARCEL_INTERCEPT,
    "R7",
    "商品已发出，拦截中 · the goods have shipped: the merchant has them stopped; refund once they are back",
    waits_for=Role.CARRIER,
    silence=Silence.ESCALATE,
    accepts={Approve: MERCHANT, Withdraw: BUYER},
    span=lambda policy: _days(policy.cancellation.intercept_days),
    work_list=WorkList.AWAITING_RECEIPT,
)

WAREHOUSE_REVIEW = Stage(
    StageName.WAREHOUSE_REVIEW,
    "R3",
    "出库前取消待审核 · cancellation before outbound, the platform reviews",
    waits_for=Role.PLATFORM,
    silence=Silence.REFUND,
    accepts={Approve: PLATFORM, Withdraw: BUYER},
    span=lambda policy: Span(minutes=policy.cancellation.before_outbound_minutes),
    work_list=WorkList.PLATFORM_REVIEW,
)

OUTBOUND_REVIEW = Stage(
    StageName.OUTBOUND_REVIEW,
    "R3",
    "已出库未配送取消待审核 · cancellation after outbound, the platform reviews",
    waits_for=Role.PLATFORM,
    silence=Silence.ESCALATE,
    accepts={Approve: PLATFORM, Withdraw: BUYER},
    span=lambda policy: _hours(policy.cancellation.outbound_hours),
    work_list=WorkList.PLATFORM_REVIEW,
)

INTERCEPTING = Stage(
    StageName.INTERCEPTING,
    "R3",
    "拦截中 · the parcel is being intercepted; refund once it is back in the warehouse",
    waits_for=Role.CARRIER,
    silence=Silence.ESCALATE,
    accepts={Approve: PLATFORM, Withdraw: BUYER},
    span=lambda policy: _hours(policy.cancellation.intercept_days * 24),
    work_list=WorkList.PLATFORM_REVIEW,
)

ESCALATED = Stage(
    StageName.ESCALATED,
    "R3",
    "已升级，待人工处理 · escalated, an operator decides",
    waits_for=Role.PLATFORM,
    silence=Silence.NOTHING,
    accepts={Approve: PLATFORM, Withdraw: BUYER, OpenDispute: BUYER, CloseCase: PLATFORM},
    no_deadline="已转人工，只能由人决定"
    " · silence has already been answered by calling an operator; only a person may decide now",
    work_list=WorkList.ATTENTION,
)

OFFICER_REVIEW = Stage(
    StageName.OFFICER_REVIEW,
    "R9",
    "商家主动退款待平台审核 · refund opened by the merchant, an officer reviews",
    waits_for=Role.PLATFORM,
    silence=Silence.APPROVE,
    accepts={Approve: PLATFORM, Reject: PLATFORM},
    span=lambda policy: _hours(policy.merchant_refund.officer_review_hours),
    work_list=WorkList.PLATFORM_REVIEW,
)

RETENTION = Stage(
    StageName.RETENTION,
    "A3",
    "膨胀金提现待处理 · the merchant may retain or pay out",
    waits_for=Role.MERCHANT,
    silence=Silence.PAY_PRINCIPAL,
    accepts={Retain: MERCHANT, PayOut: MERCHANT, Withdraw: BUYER},
    span=lambda policy: _hours(policy.withdrawal.retention_hours, policy.withdrawal.reminder_hours),
    work_list=WorkList.WITHDRAWALS,
)

RETURN_REVIEW = Stage(
    StageName.RETURN_REVIEW,
    "T1",
    "退货/换货待处理 · return or exchange, the merchant decides",
    waits_for=Role.MERCHANT,
    silence=Silence.AGREE_TO_RETURN,
    accepts={
        AgreeReturn: MERCHANT,
        RefundDirectly: MERCHANT,
        Reject: MERCHANT,
        Withdraw: BUYER,
        GiveRefundAccount: BUYER,
        SubmitEvidence: PARTIES,
    },
    span=lambda policy: _hours(policy.returns.review_hours, policy.returns.reminder_hours),
    work_list=WorkList.RETURNS_TO_DECIDE,
)

ADDRESS_MISSING = Stage(
    StageName.ADDRESS_MISSING,
    "T2",
    "缺退货地址 · agreed by silence, but the merchant has no address to send the goods to",
    waits_for=Role.MERCHANT,
    silence=Silence.NOTHING,
    accepts={
        AgreeReturn: MERCHANT | PLATFORM,
        RefundDirectly: MERCHANT | PLATFORM,
        Withdraw: BUYER,
        GiveRefundAccount: BUYER,
        CloseCase: PLATFORM,
    },
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
    accepts={
        EnterTracking: BUYER,
        GiveRefundAccount: BUYER,
        ConvertToRefund: PARTIES,
        ConfirmReceipt: MERCHANT,
        Withdraw: BUYER,
    },
    span=lambda policy: _days(policy.returns.send_days),
    work_list=WorkList.AWAITING_RETURN,
)

_UNDERWAY: Accepts = {
    EnterTracking: BUYER,
    GiveRefundAccount: BUYER,
    ConvertToRefund: PARTIES,
    ConfirmReceipt: MERCHANT,
}
"""What is open while the goods are on their way back (T3, T4, T5, T9)."""

RETURN_IN_TRANSIT = Stage(
    StageName.RETURN_IN_TRANSIT,
    "T6",
    "退货在途，待签收 · the goods are on their way back",
    waits_for=Role.CARRIER,
    silence=Silence.OFFER_EXTENSION,
    accepts=_UNDERWAY,
    span=lambda policy: _days(policy.returns.extension_offered_after_days),
    work_list=WorkList.AWAITING_RECEIPT,
)

RETURN_DELAYED = Stage(
    StageName.RETURN_DELAYED,
    "T7",
    "退货未签收，可延长收货 · not signed for yet: the merchant may extend the receipt",
    waits_for=Role.CARRIER,
    silence=Silence.ASK_CARRIER,
    accepts={**_UNDERWAY, ExtendReceipt: MERCHANT},
    span=lambda policy: _days(policy.returns.receipt_days - policy.returns.extension_offered_after_days),
    work_list=WorkList.AWAITING_RECEIPT,
)

RETURN_EXTENDED = Stage(
    StageName.RETURN_EXTENDED,
    "T7",
    "已延长收货 · the receipt has been extended",
    waits_for=Role.CARRIER,
    silence=Silence.ASK_CARRIER,
    accepts=_UNDERWAY,
    span=lambda policy: _days(policy.returns.extension_days),
    work_list=WorkList.AWAITING_RECEIPT,
)

RETURN_OVERDUE = Stage(
    StageName.RETURN_OVERDUE,
    "T6",
    "退货超时未签收 · nobody has signed for the goods in time",
    waits_for=Role.PLATFORM,
    silence=Silence.NOTHING,
    accepts={**_UNDERWAY, RefundDirectly: MERCHANT | PLATFORM, OpenDispute: BUYER, CloseCase: PLATFORM},
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
    accepts=RETURN_OVERDUE.accepts,
    no_deadline="货物未送达，需人工核实在谁手中 · the goods have not been received: a person finds out who has them",
    work_list=WorkList.ATTENTION,
)

RETURN_RECEIVED = Stage(
    StageName.RETURN_RECEIVED,
    "T6",
    "退货已签收，待商家确认 · signed for; the merchant inspects, refunds or rejects",
    waits_for=Role.MERCHANT,
    silence=Silence.REFUND,
    accepts={ConfirmReceipt: MERCHANT, Reject: MERCHANT, GiveRefundAccount: BUYER, OpenDispute: BUYER},
    span=lambda policy: _days(policy.returns.receipt_days),
    work_list=WorkList.AWAITING_RECEIPT,
)

RECEIPT_REJECTED = Stage(
    StageName.RECEIPT_REJECTED,
    "T6",
    "商家拒绝退款：退货不符 · rejected after receipt: the goods are not as agreed",
    waits_for=Role.BUYER,
    silence=Silence.ESCALATE,
    accepts={OpenDispute: BUYER, ConfirmReceipt: MERCHANT, SendBack: MERCHANT},
    span=lambda policy: _days(policy.refund.escalation_window_days),
    work_list=WorkList.AWAITING_BUYER,
)

SENT_BACK = Stage(
    StageName.SENT_BACK,
    "T15",
    "拒收商品已寄回买家 · rejected after receipt, and on its way back to the buyer",
    waits_for=Role.BUYER,
    silence=Silence.CLOSE_AS_REJECTED,
    accepts={OpenDispute: BUYER},
    span=lambda policy: _days(policy.returns.confirm_days),
    work_list=WorkList.AWAITING_BUYER,
)

GOODS_HELD = Stage(
    StageName.GOODS_HELD,
    "T15",
    "商家既未退款也未寄回商品 · the merchant has neither paid for the goods nor sent them back",
    waits_for=Role.MERCHANT,
    silence=Silence.NOTHING,
    accepts={
        SendBack: MERCHANT,
        ConfirmReceipt: MERCHANT,
        RefundDirectly: MERCHANT | PLATFORM,
        GiveRefundAccount: BUYER,
        OpenDispute: BUYER,
        CloseCase: PLATFORM,
    },
    no_deadline="货款不能都留在商家，已通知平台人员督促"
    " · goods and money must not both stay with the merchant: the platform's staff has been called",
    work_list=WorkList.ATTENTION,
)

AWAITING_ACCOUNT = Stage(
    StageName.AWAITING_ACCOUNT,
    "T4",
    "货到付款，待买家提供退款账户 · cash on delivery: the buyer is asked for an account",
    waits_for=Role.BUYER,
    silence=Silence.ASK_AGAIN,
    accepts={GiveRefundAccount: BUYER, CloseCase: PLATFORM},
    span=lambda policy: _days(policy.returns.account_reminder_days),
    work_list=WorkList.AWAITING_BUYER,
    pausable=False,
)

RESHIPMENT = Stage(
    StageName.RESHIPMENT,
    "T8",
    "换货待发出 · the merchant has the goods and sends others",
    waits_for=Role.MERCHANT,
    silence=Silence.RIGHT_TO_INTERVENTION,
    accepts={Reship: MERCHANT, Reject: MERCHANT, ConvertToRefund: PARTIES, GiveRefundAccount: BUYER},
    span=lambda policy: _hours(policy.returns.reship_hours, policy.returns.reminder_hours),
    work_list=WorkList.RESHIPMENTS,
)

RESHIP_OVERDUE = Stage(
    StageName.RESHIP_OVERDUE,
    "T8",
    "换货超时未发 · not re-shipped in time: the buyer may ask the platform to intervene",
    waits_for=Role.MERCHANT,
    silence=Silence.NOTHING,
    accepts={
        Reship: MERCHANT,
        ConvertToRefund: PARTIES,
        GiveRefundAccount: BUYER,
        OpenDispute: BUYER,
        CloseCase: PLATFORM,
    },
    no_deadline="规则不作决定：商家仍应发货，买家可申请平台介入"
    " · the rulebook decides nothing here: the goods are owed, and the buyer has the right to intervention",
    work_list=WorkList.ATTENTION,
)

EXCHANGE_UNDERWAY = Stage(
    StageName.EXCHANGE_UNDERWAY,
    "T8",
    "换货已发出，待买家确认 · re-shipped; the buyer confirms",
    waits_for=Role.BUYER,
    silence=Silence.CLOSE_AS_EXCHANGED,
    accepts={ConfirmExchange: BUYER, OpenDispute: BUYER},
    span=lambda policy: _days(policy.returns.confirm_days),
    work_list=WorkList.AWAITING_BUYER,
)

RESHIP_FAILED = Stage(
    StageName.RESHIP_FAILED,
    "T14",
    "换货商品未送达 · the goods of the exchange have not reached the buyer",
    waits_for=Role.MERCHANT,
    silence=Silence.NOTHING,
    accepts={**RESHIP_OVERDUE.accepts, ConfirmExchange: BUYER},
    no_deadline="买家既无货也无款，已通知平台人员核实"
    " · the buyer has neither goods nor money: the platform's staff has been called",
    work_list=WorkList.ATTENTION,
)

DISPUTED = Stage(
    StageName.DISPUTED,
    "D2",
    "纠纷协商中 · disputed: the parties negotiate before the platform steps in",
    waits_for=Role.MERCHANT,
    silence=Silence.NOTHING,
    accepts={Approve: MERCHANT, Withdraw: BUYER, GiveRefundAccount: BUYER},
    no_deadline="截止时间在纠纷上：协商期结束后由平台介入"
    " · the dispute has the deadline: it goes to the platform when the negotiation is over",
    work_list=WorkList.NEGOTIATIONS,
)

LOCKED = Stage(
    StageName.LOCKED,
    "D3",
    "平台介入，已锁定 · the platform decides: locked, its clock stands still",
    waits_for=Role.PLATFORM,
    silence=Silence.NOTHING,
    accepts={ConfirmReceipt: MERCHANT, GiveRefundAccount: BUYER},
    no_deadline="截止时间在纠纷上：按判责继续，或以剩余时间继续"
    " · the dispute has the deadline: the case goes on with its ruling, or with the time that was left",
    work_list=WorkList.RULINGS,
)

NEGOTIATION = Stage(
    StageName.NEGOTIATION,
    "D2",
    "纠纷协商期 · negotiation between buyer and merchant",
    waits_for=Role.MERCHANT,
    silence=Silence.GO_TO_PLATFORM,
    accepts={Resolve: BUYER, OfferSettlement: MERCHANT, AcceptSettlement: BUYER, SubmitEvidence: PARTIES},
    span=lambda policy: _hours(policy.dispute.negotiation_hours),
    work_list=WorkList.NEGOTIATIONS,
)

_INTERVENED: Accepts = {
    Resolve: BUYER,
    OfferSettlement: MERCHANT,
    AcceptSettlement: BUYER,
    SubmitEvidence: PARTIES,
    Rule: PLATFORM,
}
"""What is open once the platform has stepped in: it rules, unless the parties agree before (D2, D6, D8)."""

EVIDENCE = Stage(
    StageName.EVIDENCE,
    "D4",
    "待商家举证 · the platform demands evidence from the merchant",
    waits_for=Role.MERCHANT,
    silence=Silence.UPHOLD,
    accepts=_INTERVENED,
    span=lambda policy: _hours(policy.dispute.evidence_hours, policy.dispute.evidence_reminder_hours),
    work_list=WorkList.EVIDENCE_DUE,
)

EVIDENCE_WORKING_HOURS = Stage(
    StageName.EVIDENCE_WORKING_HOURS,
    "D5",
    "待商家举证（工作时间） · the platform demands evidence within working hours",
    waits_for=Role.MERCHANT,
    silence=Silence.PROPOSE_FAULT,
    accepts=_INTERVENED,
    span=lambda policy: Span(working_minutes=policy.dispute.evidence_working_hours * 60),
    work_list=WorkList.EVIDENCE_DUE,
)

RULING = Stage(
    StageName.RULING,
    "D8",
    "待平台判责 · the platform rules on what is there",
    waits_for=Role.PLATFORM,
    silence=Silence.RAISE_ATTENTION,
    accepts=_INTERVENED,
    span=lambda policy: _hours(policy.dispute.ruling_hours),
    work_list=WorkList.RULINGS,
    pausable=False,
)

RULING_PROPOSED = Stage(
    StageName.RULING_PROPOSED,
    "D5",
    "拟判商家责任，待确认 · the merchant was silent: its fault is proposed, an officer confirms",
    waits_for=Role.PLATFORM,
    silence=Silence.RAISE_ATTENTION,
    accepts={**_INTERVENED, ConfirmProposal: PLATFORM},
    span=lambda policy: _hours(policy.dispute.ruling_hours),
    work_list=WorkList.RULINGS,
    pausable=False,
)

RULING_OVERDUE = Stage(
    StageName.RULING_OVERDUE,
    "D8",
    "判责超时 · the ruling is overdue",
    waits_for=Role.PLATFORM,
    silence=Silence.NOTHING,
    accepts={**_INTERVENED, ConfirmProposal: PLATFORM},
    no_deadline="判责已超时并通知专员，只能由人决定"
    " · the time for the ruling is over and an officer has been called: only a person may decide",
    work_list=WorkList.ATTENTION,
)

CLAIMABLE = Stage(
    StageName.CLAIMABLE,
    "L2",
    "延迟发货，买家可申请赔付 · shipped late or not at all: the buyer may claim compensation",
    waits_for=Role.BUYER,
    silence=Silence.CLOSE_UNCLAIMED,
    accepts={ClaimCompensation: BUYER},
    span=lambda policy: _days(policy.late_shipment.claim_days),
    work_list=WorkList.AWAITING_BUYER,
)

CLAIM_REVIEW = Stage(
    StageName.CLAIM_REVIEW,
    "L2",
    "延迟发货赔付待处理 · claimed: the merchant may prove shipment or an exemption",
    waits_for=Role.MERCHANT,
    silence=Silence.PAY_COMPENSATION,
    accepts={ProveShipment: MERCHANT, ProveExemption: MERCHANT, Approve: MERCHANT, Withdraw: BUYER},
    span=lambda policy: _hours(policy.late_shipment.review_hours, policy.late_shipment.reminder_hours),
    work_list=WorkList.LATE_SHIPMENTS,
)

PAYING = Stage(
    StageName.PAYING,
    "section 10",
    "正在退款 · decided; the payment is being sent",
    waits_for=Role.GATEWAY,
    silence=Silence.ASK_GATEWAY,
    no_deadline="几秒：正在付款，直到网关或账本答复"
    " · seconds: the payment is being sent, and sent again until the gateway or the books answer",
    work_list=WorkList.PAYMENTS,
)

AWAITING_ROOM = Stage(
    StageName.AWAITING_ROOM,
    "R8",
    "等待额度 · other payments in flight hold what is left to refund",
    waits_for=Role.GATEWAY,
    silence=Silence.RAISE_ATTENTION,
    accepts={RetryPayment: PLATFORM, CloseCase: PLATFORM},
    span=lambda policy: _days(policy.refund.room_wait_days),
    work_list=WorkList.PAYMENTS,
    pausable=False,
)

ROOM_OVERDUE = Stage(
    StageName.ROOM_OVERDUE,
    "R8",
    "等待额度超时 · other payments have held what is left to refund for too long",
    waits_for=Role.PLATFORM,
    silence=Silence.NOTHING,
    accepts={RetryPayment: PLATFORM, CloseCase: PLATFORM},
    no_deadline="占用额度的在途付款迟迟未结束，由专员决定；期间继续复查"
    " · the payments that hold the room do not end: an officer decides; it is looked at again meanwhile",
    work_list=WorkList.ATTENTION,
)

SETTLING = Stage(
    StageName.SETTLING,
    "R5",
    "退款处理中 · the gateway has the payment; its result is awaited",
    waits_for=Role.GATEWAY,
    silence=Silence.ASK_GATEWAY,
    span=lambda policy: _hours(policy.payment.unknown_attention_hours),
    work_list=WorkList.PAYMENTS,
    pausable=False,
)

PAYMENT_ATTENTION = Stage(
    StageName.PAYMENT_ATTENTION,
    "section 10",
    "退款异常，待人工处理 · the payment needs an officer",
    waits_for=Role.PLATFORM,
    silence=Silence.NOTHING,
    accepts={
        RetryPayment: PLATFORM,
        PayInAdvance: PLATFORM,
        RecordManualTransfer: PLATFORM,
        CloseCase: PLATFORM,
    },
    no_deadline="付款结果不作猜测，由专员决定；期间继续查询网关"
    " · no outcome of a payment is ever guessed: an officer decides; the gateway is asked on meanwhile",
    work_list=WorkList.ATTENTION,
)

CLOSED = Stage(
    StageName.CLOSED,
    "section 1",
    "已完结 · closed",
    waits_for=None,
    silence=Silence.NOTHING,
    no_deadline="案件已结束 · the case has ended",
)

PASSING = frozenset({StageName.OPENING, StageName.PAYING})
"""Stages that last seconds: nobody is waited for."""


def accepted(stage: Stage) -> Accepts:
    """What ``stage`` takes, and from whom, facts aside."""
    if stage.name in PASSING or stage is CLOSED:
        return stage.accepts
    return {**stage.accepts, **(WITH_DEADLINE if stage.span and stage is not SETTLING else {}), **ANYWHERE}


STAGES: Mapping[StageName, Stage] = {
    stage.name: stage
    for stage in (
        OPENING,
        MERCHANT_REVIEW,
        SHIPPED_REVIEW,
        REJECTED,
        PARCEL_INTERCEPT,
        WAREHOUSE_REVIEW,
        OUTBOUND_REVIEW,
        INTERCEPTING,
        ESCALATED,
        OFFICER_REVIEW,
        RETENTION,
        RETURN_REVIEW,
        ADDRESS_MISSING,
        AWAITING_RETURN,
        RETURN_IN_TRANSIT,
        RETURN_DELAYED,
        RETURN_EXTENDED,
        RETURN_OVERDUE,
        RETURN_REFUSED,
        RETURN_RECEIVED,
        RECEIPT_REJECTED,
        SENT_BACK,
        GOODS_HELD,
        AWAITING_ACCOUNT,
        RESHIPMENT,
        RESHIP_OVERDUE,
        EXCHANGE_UNDERWAY,
        RESHIP_FAILED,
        DISPUTED,
        LOCKED,
        NEGOTIATION,
        EVIDENCE,
        EVIDENCE_WORKING_HOURS,
        RULING,
        RULING_PROPOSED,
        RULING_OVERDUE,
        CLAIMABLE,
        CLAIM_REVIEW,
        PAYING,
        AWAITING_ROOM,
        ROOM_OVERDUE,
        SETTLING,
        PAYMENT_ATTENTION,
        CLOSED,
    )
}
