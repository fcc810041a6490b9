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
    Amend,
    Approve,
    CloseCase,
    Command,
    GatewayCallback,
    PayInAdvance,
    PayOut,
    RecordManualTransfer,
    Reject,
    ReportParcel,
    Retain,
    RetryPayment,
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
}
"""What is taken in every stage, because it has happened; and who may tell it."""


def _hours(hours: int, reminder_hours: int = 0) -> Span:
    return Span(minutes=hours * 60, reminder_minutes=reminder_hours * 60)


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


OPENING = Stage(
    StageName.OPENING,
    "R4",
    "正在建单 · opening",
    waits_for=None,
    silence=Silence.NOTHING,
    no_deadline="seconds: the request is being checked and written down",
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
    accepts={Amend: BUYER},
    span=lambda policy: Span(minutes=policy.refund.escalation_window_days * 24 * 60),
    work_list=WorkList.AWAITING_BUYER,
)

NEEDS_RETURN = Stage(
    StageName.NEEDS_RETURN,
    "R7",
    "商品已发出，需退货 · the goods have shipped: this needs a return",
    waits_for=Role.MERCHANT,
    silence=Silence.NOTHING,
    accepts={Approve: MERCHANT | PLATFORM, Withdraw: BUYER, CloseCase: PLATFORM},
    no_deadline="goods and money are both under way: a person decides once it is known where the goods are",
    work_list=WorkList.ATTENTION,
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
    accepts={Approve: PLATFORM, Withdraw: BUYER, CloseCase: PLATFORM},
    no_deadline="silence has already been answered by calling an operator; only a person may decide now",
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

PAYING = Stage(
    StageName.PAYING,
    "section 10",
    "正在退款 · decided; the payment is being sent",
    waits_for=Role.GATEWAY,
    silence=Silence.ASK_GATEWAY,
    no_deadline="seconds: the payment is being sent, and sent again until the gateway or the books answer",
    work_list=WorkList.PAYMENTS,
)

AWAITING_ROOM = Stage(
    StageName.AWAITING_ROOM,
    "R8",
    "等待额度 · other payments in flight hold what is left to refund",
    waits_for=Role.GATEWAY,
    silence=Silence.NOTHING,
    accepts={CloseCase: PLATFORM},
    no_deadline="ends when the payments in flight end, each of which has a deadline; looked at again by policy",
    work_list=WorkList.PAYMENTS,
)

SETTLING = Stage(
    StageName.SETTLING,
    "R5",
    "退款处理中 · the gateway has the payment; its result is awaited",
    waits_for=Role.GATEWAY,
    silence=Silence.ASK_GATEWAY,
    span=lambda policy: _hours(policy.payment.unknown_attention_hours),
    work_list=WorkList.PAYMENTS,
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
    no_deadline="no outcome of a payment is ever guessed: an officer decides; the gateway is asked on meanwhile",
    work_list=WorkList.ATTENTION,
)

CLOSED = Stage(
    StageName.CLOSED,
    "section 1",
    "已完结 · closed",
    waits_for=None,
    silence=Silence.NOTHING,
    no_deadline="the case has ended",
)

STAGES: Mapping[StageName, Stage] = {
    stage.name: stage
    for stage in (
        OPENING,
        MERCHANT_REVIEW,
        SHIPPED_REVIEW,
        REJECTED,
        NEEDS_RETURN,
        WAREHOUSE_REVIEW,
        OUTBOUND_REVIEW,
        INTERCEPTING,
        ESCALATED,
        OFFICER_REVIEW,
        RETENTION,
        PAYING,
        AWAITING_ROOM,
        SETTLING,
        PAYMENT_ATTENTION,
        CLOSED,
    )
}
