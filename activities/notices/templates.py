"""What people are told, in Chinese and English, and which fields each notice is made of.

A recipient's name stands in no text: the channel adds what it needs of a person (P6).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from pydantic import PositiveInt, ValidationError

from activities.notices.channels import Language
from activities.notices.words import ATTENTIONS, OUTCOMES, REJECT_REASONS, SILENCES, Words
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import RejectReason
from workflows.messages.message import Identifier, Input, Instant
from workflows.messages.money import Currency, Minor, Money
from workflows.messages.stages import Attention, OutcomeKind, Silence

_SHANGHAI: Final = ZoneInfo("Asia/Shanghai")


class Fields(Input):
    """What every notice has."""

    subject: Identifier
    """The order's number, or the allowance's id."""


class Amount(Fields):
    """An amount in minor units; the text shows it together with its currency."""

    amount: Minor
    currency: Currency


class RequestOpened(Amount):
    """To the merchant: a request waits for it (R1, R2, A3)."""

    due: Instant


class DeadlineNear(Fields):
    """To whom the case waits for: little time is left (R1)."""

    due: Instant
    on_silence: Silence


class RequestRejected(Fields):
    """To the buyer: rejected, and how many days there are to amend and apply again (R6)."""

    reason: RejectReason
    window_days: PositiveInt


class CaseClosed(Fields):
    """To both: how the case ended."""

    outcome: OutcomeKind


class AttentionRaised(Fields):
    """To the platform: a person must look."""

    attention: Attention


FIELDS: Final[Mapping[NoticeTemplate, type[Fields]]] = {
    NoticeTemplate.REQUEST_OPENED: RequestOpened,
    NoticeTemplate.DEADLINE_NEAR: DeadlineNear,
    NoticeTemplate.REQUEST_REJECTED: RequestRejected,
    NoticeTemplate.NEEDS_RETURN: Fields,
    NoticeTemplate.REFUND_SUBMITTED: Amount,
    NoticeTemplate.REFUND_SUCCEEDED: Amount,
    NoticeTemplate.CASE_CLOSED: CaseClosed,
    NoticeTemplate.ATTENTION_RAISED: AttentionRaised,
}

TEXTS: Final[Mapping[NoticeTemplate, Words]] = {
    NoticeTemplate.REQUEST_OPENED: (
        "【售后】{subject} 有新的售后申请，金额 {amount}，请在北京时间 {due} 前处理。",
        "[After-sales] {subject}: a new request for {amount}. Please decide by {due} Beijing time.",
    ),
    NoticeTemplate.DEADLINE_NEAR: (
        "【售后】{subject} 的售后单即将超时：北京时间 {due} 前未处理，{on_silence}。",
        "[After-sales] {subject}: time is running out. If nothing is done by {due} Beijing time, {on_silence}.",
    ),
    NoticeTemplate.REQUEST_REJECTED: (
        "【售后】{subject} 的售后申请被商家拒绝，原因：{reason}。您可在 {window_days} 天内修改后重新申请，逾期将关闭。",
        "[After-sales] {subject}: rejected by the merchant: {reason}. Amend and apply again within {window_days} days.",
    ),
    NoticeTemplate.NEEDS_RETURN: (
        "【售后】{subject} 的商品已发出，需退货后才能退款。",
        "[After-sales] {subject}: the goods have shipped; they must come back before the refund.",
    ),
    NoticeTemplate.REFUND_SUBMITTED: (
        "【售后】{subject} 的退款 {amount} 已提交支付渠道，请留意到账。",
        "[After-sales] {subject}: the refund of {amount} is on its way.",
    ),
    NoticeTemplate.REFUND_SUCCEEDED: (
        "【售后】{subject} 的退款 {amount} 已退款成功。",
        "[After-sales] {subject}: the refund of {amount} has been paid.",
    ),
    NoticeTemplate.CASE_CLOSED: (
        "【售后】{subject} 的售后单已完结：{outcome}。",
        "[After-sales] {subject}: the case is closed: {outcome}.",
    ),
    NoticeTemplate.ATTENTION_RAISED: (
        "【售后】{subject} 的售后单需要人工处理：{attention}。",
        "[After-sales] {subject}: the case needs a person: {attention}.",
    ),
}


class NotRenderable(ValueError):  # noqa: N818 -- it is a finding, not a fault
    """The fields do not fit the template. The text says which, never what they hold."""


def render(template: NoticeTemplate, fields: Mapping[str, str | int], language: Language) -> str:
    """Put a notice into words. Moments are shown in Asia/Shanghai, amounts with their currency.

    Raises:
        NotRenderable: a field is missing, unknown, of the wrong kind, or a moment that no calendar has.
    """
    try:
        checked = FIELDS[template].model_validate(fields)
    except ValidationError as error:
        names = sorted({str(detail["loc"][0]) for detail in error.errors(include_input=False) if detail["loc"]})
        raise NotRenderable(f"{template}: {', '.join(names)}") from None
    try:
        shown = {name: _show(getattr(checked, name), language) for name in type(checked).model_fields}
    except OverflowError:
        raise NotRenderable(f"{template}: a moment beyond the calendar") from None
    if isinstance(checked, Amount):
        shown["amount"] = str(Money(amount=checked.amount, currency=checked.currency))
    return _pick(TEXTS[template], language).format_map(shown)


def _show(value: object, language: Language) -> str:
    match value:
        case datetime():
            return value.astimezone(_SHANGHAI).strftime("%Y-%m-%d %H:%M")
        case Silence():
            return _pick(SILENCES[value], language)
        case OutcomeKind():
            return _pick(OUTCOMES[value], language)
        case Attention():
            return _pick(ATTENTIONS[value], language)
        case RejectReason():
            return _pick(REJECT_REASONS[value], language)
        case _:
            return str(value)


def _pick(words: Words, language: Language) -> str:
    chinese, english = words
    return chinese if language == "zh" else english
