"""The stages of a dispute: what each is called, how long it lasts, and what silence comes to (D2 to D8)."""

from workflows.kinds.stage import Stage, hours
from workflows.messages.actors import Role
from workflows.messages.cases import Span
from workflows.messages.stages import Silence, StageName, WorkList

NEGOTIATION = Stage(
    StageName.NEGOTIATION,
    "D2",
    "纠纷协商期 · negotiation between buyer and merchant",
    waits_for=Role.MERCHANT,
    silence=Silence.GO_TO_PLATFORM,
    span=lambda policy: hours(policy.dispute.negotiation_hours),
    work_list=WorkList.NEGOTIATIONS,
)

EVIDENCE = Stage(
    StageName.EVIDENCE,
    "D4",
    "待商家举证 · the platform demands evidence from the merchant",
    waits_for=Role.MERCHANT,
    silence=Silence.UPHOLD,
    span=lambda policy: hours(policy.dispute.evidence_hours, policy.dispute.evidence_reminder_hours),
    work_list=WorkList.EVIDENCE_DUE,
)

EVIDENCE_WORKING_HOURS = Stage(
    StageName.EVIDENCE_WORKING_HOURS,
    "D5",
    "待商家举证（工作时间） · the platform demands evidence within working hours",
    waits_for=Role.MERCHANT,
    silence=Silence.PROPOSE_FAULT,
    span=lambda policy: Span(working_minutes=policy.dispute.evidence_working_hours * 60, place=policy.counted_at),
    work_list=WorkList.EVIDENCE_DUE,
)

EVIDENCE_OF_BUYER = Stage(
    StageName.EVIDENCE_OF_BUYER,
    "D4",
    "待买家举证 · the platform demands evidence from the buyer",
    waits_for=Role.BUYER,
    silence=Silence.RULE_AS_IT_STANDS,
    span=lambda policy: hours(policy.dispute.evidence_hours, policy.dispute.evidence_reminder_hours),
    work_list=WorkList.AWAITING_BUYER,
)

RULING = Stage(
    StageName.RULING,
    "D8",
    "待平台判责 · the platform rules on what is there",
    waits_for=Role.PLATFORM,
    silence=Silence.RAISE_ATTENTION,
    span=lambda policy: hours(policy.dispute.ruling_hours),
    work_list=WorkList.RULINGS,
    pausable=False,
)

RULING_PROPOSED = Stage(
    StageName.RULING_PROPOSED,
    "D5",
    "拟判商家责任，待确认 · the merchant was silent: its fault is proposed, an officer confirms",
    waits_for=Role.PLATFORM,
    silence=Silence.RAISE_ATTENTION,
    span=lambda policy: hours(policy.dispute.ruling_hours),
    work_list=WorkList.RULINGS,
    pausable=False,
)

RULING_OVERDUE = Stage(
    StageName.RULING_OVERDUE,
    "D8",
    "判责超时 · the ruling is overdue",
    waits_for=Role.PLATFORM,
    silence=Silence.NOTHING,
    no_deadline="判责已超时并通知专员，只能由人决定"
    " · the time for the ruling is over and an officer has been called: only a person may decide",
    work_list=WorkList.ATTENTION,
)
