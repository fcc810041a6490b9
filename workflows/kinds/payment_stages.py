"""Where a case stands while it pays (section 10, R5, R8). What is done there: ``money`` and ``settling``."""

from workflows.kinds.stage import Stage, days, hours
from workflows.messages.actors import Role
from workflows.messages.stages import Silence, StageName, WorkList

SECTION = "section 10"


PAYING = Stage(
    StageName.PAYING,
    SECTION,
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
    span=lambda policy: days(policy.refund.room_wait_days),
    work_list=WorkList.PAYMENTS,
    pausable=False,
)


ROOM_OVERDUE = Stage(
    StageName.ROOM_OVERDUE,
    "R8",
    "等待额度超时 · other payments have held what is left to refund for too long",
    waits_for=Role.PLATFORM,
    silence=Silence.NOTHING,
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
    span=lambda policy: hours(policy.payment.unknown_attention_hours),
    work_list=WorkList.PAYMENTS,
    pausable=False,
)


PAYMENT_ATTENTION = Stage(
    StageName.PAYMENT_ATTENTION,
    SECTION,
    "退款异常，待人工处理 · the payment needs an officer",
    waits_for=Role.PLATFORM,
    silence=Silence.NOTHING,
    no_deadline="付款结果不作猜测，由专员决定；期间继续查询网关"
    " · no outcome of a payment is ever guessed: an officer decides; the gateway is asked on meanwhile",
    work_list=WorkList.ATTENTION,
)


WHILE_PAYING = frozenset(
    {
        StageName.PAYING,
        StageName.AWAITING_ROOM,
        StageName.ROOM_OVERDUE,
        StageName.SETTLING,
        StageName.PAYMENT_ATTENTION,
    }
)
"""Where a case stands while it pays."""
