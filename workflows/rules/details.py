"""What the Web UI shows of a case without decoding anything (SPEC section 12)."""

from datetime import datetime
from zoneinfo import ZoneInfo

from workflows.messages.cases import CaseView
from workflows.messages.money import in_print
from workflows.messages.stages import Silence
from workflows.rules.stages import STAGES

SHANGHAI = ZoneInfo("Asia/Shanghai")

SILENCE_MEANS = {
    Silence.REFUND: "自动退款 · the refund is paid",
    Silence.PAY_PRINCIPAL: "自动退还本金 · the principal is paid back",
    Silence.APPROVE: "自动同意 · the refund is approved and paid",
    Silence.CLOSE_AS_REJECTED: "按拒绝关闭 · the case closes as rejected",
    Silence.ESCALATE: "升级人工 · an operator is called",
    Silence.ASK_GATEWAY: "查询支付网关 · the gateway is asked, then an officer is called",
    Silence.RAISE_ATTENTION: "标记待关注 · an officer is called",
    Silence.AGREE_TO_RETURN: "自动同意退货 · the return is agreed to",
    Silence.CLOSE_NOT_RETURNED: "按未退货关闭 · the case closes as not returned",
    Silence.OFFER_EXTENSION: "可延长收货 · the merchant is offered more time",
    Silence.ASK_CARRIER: "查询承运商，再转人工 · the carrier is asked, then an operator is called",
    Silence.ASK_AGAIN: "再次提醒 · the buyer is asked again",
    Silence.RIGHT_TO_INTERVENTION: "买家可申请平台介入 · the buyer gains the right to intervention",
    Silence.CLOSE_AS_EXCHANGED: "自动确认换货完成 · the exchange counts as completed",
    Silence.GO_TO_PLATFORM: "平台介入 · the platform steps in",
    Silence.UPHOLD: "支持买家诉求 · the buyer's request is upheld",
    Silence.PROPOSE_FAULT: "拟判商家责任，待确认 · the merchant's fault is proposed to an officer",
    Silence.CLOSE_UNCLAIMED: "赔付资格失效 · the claim lapses",
    Silence.PAY_COMPENSATION: "自动赔付 · the compensation is paid",
    Silence.NOTHING: "无自动处理 · nothing by itself",
}


def local(moment: datetime) -> str:
    """A moment as people at the counter read it: Shanghai time, to the minute."""
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M 北京时间")


def current_details(view: CaseView) -> str:
    """One page of Markdown: what the case is, where it stands, until when, what silence does, what is open."""
    stage = STAGES[view.stage]
    lines = [f"### {stage.title}", ""]
    if view.attention:
        lines += [f"**⚠ 待关注 · needs attention: `{view.attention}`**", ""]
    lines.append(f"- **规则 · rule**: {view.rule}; policy {view.policy}")
    if view.asked:
        lines.append(f"- **申请 · asked**: {view.asked}")
    if view.refunded:
        lines.append(f"- **已退 · paid back**: {view.refunded}")
    if view.compensated:
        lines.append(f"- **已赔付 · compensated**: {view.compensated}")
    if view.return_address:
        lines.append(f"- **退货地址 · return address**: `{view.return_address.address_id}`")
    if view.dispute:
        lines.append(f"- **纠纷 · dispute**: `{view.dispute}`")
    if view.ruling:
        ruling = view.ruling
        currency = view.asked.currency if view.asked else ""
        amount = in_print(ruling.amount, currency)
        lines.append(f"- **判责 · ruling**: {ruling.verdict}, fault: {ruling.fault}, {amount} in all ({ruling.reason})")
    if view.outcome:
        lines.append(f"- **结果 · outcome**: `{view.outcome}`")
    elif view.due:
        lines.append(f"- **截止 · until**: {local(view.due)}")
        lines.append(f"- **超时 · on silence**: {SILENCE_MEANS[view.on_silence]}")
    else:
        lines.append(f"- **无截止 · no deadline**: {view.no_deadline_because}")
    if view.commands:
        commands = ", ".join(f"`{each.name}` ({'/'.join(each.roles)})" for each in view.commands)
        lines.append(f"- **可用操作 · open commands**: {commands}")
    if view.legs:
        lines += ["", "| 退款单 · refund no. | 金额 · amount | 状态 · state |", "|---|---|---|"]
        currency = view.asked.currency if view.asked else ""
        lines += [f"| `{leg.refund_no}` | {in_print(leg.amount, currency)} | {leg.state} |" for leg in view.legs]
    if view.warnings:
        lines += ["", "warnings: " + ", ".join(view.warnings)]
    lines += ["", "| 时间 · when | 事件 · event | 操作人 · by | 规则 · rule |", "|---|---|---|---|"]
    lines += [
        f"| {local(entry.at)} | {entry.event} | {entry.by.role} `{entry.by.id}` | {entry.rule} |" for entry in view.log
    ]
    return "\n".join(lines)
