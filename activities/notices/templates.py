"""What people are told, in Chinese and English, and which fields each notice is made of.

A recipient's name stands in no text: the channel adds what it needs of a person (P6). The module is long because it
is one list: a template each.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

from pydantic import PositiveInt, ValidationError, field_validator
from pydantic_core import PydanticKnownError

from activities.notices.channels import Language
from activities.notices.words import (
    ATTENTIONS,
    FAULTS,
    OUTCOMES,
    PROPOSAL_ENDS,
    PROPOSALS,
    REJECT_REASONS,
    SIDES,
    SILENCES,
    VERDICTS,
    Words,
)
from workflows.kinds.stage import STAGES
from workflows.messages.actors import Role
from workflows.messages.addresses import CLAUSE_TEXTS, ReturnClause
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import RejectReason
from workflows.messages.message import CarrierCode, Identifier, Input, Instant, Reference, TrackingNo
from workflows.messages.money import Currency, Minor, Money
from workflows.messages.place import TimeZone
from workflows.messages.proposals import ProposalEnd, ProposalKind
from workflows.messages.reading import read_own
from workflows.messages.rulings import Fault, Verdict
from workflows.messages.stages import Attention, OutcomeKind, Silence, StageName
from workflows.rules.bilingual import SEPARATOR

_SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
_UNKNOWN_WORD: Final = "enum"
"""What pydantic calls a value that is none of a closed list."""


class Fields(Input):
    """What every notice has."""

    subject: Identifier
    """The order's number, or the allowance's id."""
    time_zone: TimeZone | None = None
    """In which moments are shown; None for Asia/Shanghai (G6)."""
    language: Literal["zh", "en"] | None = None
    """None for the service's own (G6)."""


class Amount(Fields):
    """An amount in minor units; the text shows it together with its currency."""

    amount: Minor
    currency: Currency


class RequestOpened(Amount):
    """To the merchant: a request waits for it (R1, R2, A3)."""

    due: Instant


class RequestConfirmed(RequestOpened):
    """To the buyer: what it has asked for has been received, and when (``due``), as it can be kept (G6)."""


class RequestAmended(RequestOpened):
    """To the merchant: the buyer has changed what is asked for, and the clock runs anew (R12)."""

    version: PositiveInt
    """Of the application (R10)."""
    on_silence: Silence


class DeadlineNear(Fields):
    """To whom the case waits for: little time is left (R1)."""

    due: Instant
    on_silence: Silence


class RequestRejected(Fields):
    """To the buyer: rejected, and how many days there are to amend and apply again (R6)."""

    reason: RejectReason
    window_days: PositiveInt


class ReturnAgreed(Fields):
    """To the buyer: where to send the goods, by when, and which parcels are not taken in (T2, T3)."""

    address: Identifier
    """The address's id: the channel adds what it needs of it."""
    clauses: str
    """`ReturnClause`s with spaces between them."""
    days: PositiveInt

    @field_validator("clauses")
    @classmethod
    def _each_is_one(cls, clauses: str) -> str:
        known = set(ReturnClause)
        if not set(clauses.split()) <= known:
            raise PydanticKnownError(_UNKNOWN_WORD, {"expected": ", ".join(sorted(known))})
        return clauses


class MerchantOverdue(Fields):
    """To both: the merchant has not decided, and for how many days the buyer may ask for intervention (G3)."""

    days: PositiveInt


class PaymentReduced(Amount):
    """To both: others have been paid a part meanwhile, and what is left is paid (R14). ``asked`` is in minor units."""

    asked: Minor


class EvidenceDemanded(Fields):
    """To whom evidence is demanded of: until when, and where it stands what is wanted (D4)."""

    due: Instant | None = None
    """Unknown in notices of releases before this field."""
    wanted: Reference | None = None


class ProposalMade(Amount):
    """To the other side: what is proposed, until when, and what silence does if nothing is done then (N1, N2, N6).

    ``amount`` is what is paid at most if it is accepted, 0 where no money moves by that.
    """

    number: PositiveInt
    by: Role
    terms: ProposalKind
    until: Instant
    on_silence: Silence


class ProposalEnded(Fields):
    """To whoever made it, and to both where it lapsed: how a proposal has ended, and what silence does now (N6)."""

    number: PositiveInt
    terms: ProposalKind
    how: ProposalEnd
    on_silence: Silence


class MessageLeft(Fields):
    """To the other side: there are words or pictures in the thread (N5, N6)."""

    by: Role


class StageChanged(Fields):
    """To both: where the case stands now, until when, and what silence does then (N6)."""

    stage: StageName
    on_silence: Silence
    due: Instant | None = None


class ReturnSent(Fields):
    """To whoever has not said it: in which parcel the goods come back (T3, T13)."""

    carrier: CarrierCode
    tracking_no: TrackingNo


class RefundSubmitted(Amount):
    """To the buyer: the money is on its way, and between which moments it arrives (R5)."""

    arrives_from: Instant | None = None
    arrives_until: Instant | None = None


class DisputeRuled(Amount):
    """To both: how a dispute ended, and what the buyer is to have in all (D8)."""

    verdict: Verdict
    fault: Fault


class CaseClosed(Fields):
    """To both: how the case ended."""

    outcome: OutcomeKind


class AttentionRaised(Fields):
    """To the platform: a person must look."""

    attention: Attention


FIELDS: Final[Mapping[NoticeTemplate, type[Fields]]] = {
    NoticeTemplate.REQUEST_OPENED: RequestOpened,
    NoticeTemplate.REQUEST_CONFIRMED: RequestConfirmed,
    NoticeTemplate.REQUEST_AMENDED: RequestAmended,
    NoticeTemplate.SETTLEMENT_OFFERED: Amount,
    NoticeTemplate.PROPOSAL_MADE: ProposalMade,
    NoticeTemplate.PROPOSAL_ENDED: ProposalEnded,
    NoticeTemplate.MESSAGE_LEFT: MessageLeft,
    NoticeTemplate.DEADLINE_NEAR: DeadlineNear,
    NoticeTemplate.REQUEST_REJECTED: RequestRejected,
    NoticeTemplate.GOODS_UNDERWAY: Fields,
    NoticeTemplate.RETURN_AGREED: ReturnAgreed,
    NoticeTemplate.ADDRESS_WANTED: Fields,
    NoticeTemplate.ACCOUNT_WANTED: Fields,
    NoticeTemplate.EXTENSION_OFFERED: Fields,
    NoticeTemplate.RETURN_SIGNED: Fields,
    NoticeTemplate.EXCHANGE_SHIPPED: Fields,
    NoticeTemplate.GOODS_SENT_BACK: Fields,
    NoticeTemplate.GOODS_SENT_AGAIN: Fields,
    NoticeTemplate.RESEND_LATE: Fields,
    NoticeTemplate.INTERVENTION_OPEN: Fields,
    NoticeTemplate.MERCHANT_OVERDUE: MerchantOverdue,
    NoticeTemplate.DISPUTE_OPENED: RequestOpened,
    NoticeTemplate.INTERVENED: Amount,
    NoticeTemplate.EVIDENCE_DEMANDED: EvidenceDemanded,
    NoticeTemplate.DISPUTE_RULED: DisputeRuled,
    NoticeTemplate.COMPENSATION_CLAIMABLE: RequestOpened,
    NoticeTemplate.COMPENSATION_CLAIMED: Amount,
    NoticeTemplate.COMPENSATION_PAID: Amount,
    NoticeTemplate.REFUND_SUBMITTED: RefundSubmitted,
    NoticeTemplate.REFUND_SUCCEEDED: Amount,
    NoticeTemplate.PAYMENT_REDUCED: PaymentReduced,
    NoticeTemplate.CASE_CLOSED: CaseClosed,
    NoticeTemplate.STAGE_CHANGED: StageChanged,
    NoticeTemplate.RETURN_SENT: ReturnSent,
    NoticeTemplate.EVIDENCE_GIVEN: Fields,
    NoticeTemplate.RETENTION_ASKED: Fields,
    NoticeTemplate.CONVERSION_WANTED: Fields,
    NoticeTemplate.ATTENTION_RAISED: AttentionRaised,
}

TEXTS: Final[Mapping[NoticeTemplate, Words]] = {
    NoticeTemplate.REQUEST_OPENED: (
        "【售后】{subject} 有新的售后申请，金额 {amount}，请在北京时间 {due} 前处理。",
        "[After-sales] {subject}: a new request for {amount}. Please decide by {due} Beijing time.",
    ),
    NoticeTemplate.REQUEST_CONFIRMED: (
        "【售后】{subject} 的售后申请已于北京时间 {due} 收到，金额 {amount}。请保存本通知。",
        (
            "[After-sales] {subject}: your request for {amount} was received on {due} Beijing time. "
            "Please keep this message."
        ),
    ),
    NoticeTemplate.REQUEST_AMENDED: (
        (
            "【售后】{subject} 的买家修改了售后申请（第 {version} 版），现申请 {amount}，"
            "北京时间 {due} 前未处理，{on_silence}。"
        ),
        (
            "[After-sales] {subject}: the buyer has amended the request (version {version}), now for {amount}. "
            "If nothing is done by {due} Beijing time, {on_silence}."
        ),
    ),
    NoticeTemplate.SETTLEMENT_OFFERED: (
        "【售后】{subject} 的商家提出退还 {amount} 以和解纠纷，您可在纠纷中接受；如不接受，纠纷照常处理。",
        (
            "[After-sales] {subject}: the merchant offers {amount} to settle the dispute. You may accept it there; "
            "if you do not, the dispute goes on."
        ),
    ),
    NoticeTemplate.PROPOSAL_MADE: (
        (
            "【售后】{subject} 的{by}提出协商方案 {number}：{terms}（{amount}），请在北京时间 {until} 前答复；"
            "逾期方案失效，售后单照常处理：到期{on_silence}。"
        ),
        (
            "[After-sales] {subject}: {by} proposes {terms} (no. {number}, {amount}). Please answer by {until} Beijing "
            "time; then it lapses, and the case goes on as it stands: if nothing is done in time, {on_silence}."
        ),
    ),
    NoticeTemplate.PROPOSAL_ENDED: (
        "【售后】{subject} 的协商方案 {number}（{terms}）{how}。此后如无人处理，到期{on_silence}。",
        (
            "[After-sales] {subject}: proposal no. {number} ({terms}) {how}. From here on, if nothing is done in time, "
            "{on_silence}."
        ),
    ),
    NoticeTemplate.MESSAGE_LEFT: (
        "【售后】{subject} 的{by}给您留言，请在售后单中查看。",
        "[After-sales] {subject}: {by} has left you a message; please read it in the case.",
    ),
    NoticeTemplate.DEADLINE_NEAR: (
        "【售后】{subject} 的售后单即将超时：北京时间 {due} 前未处理，{on_silence}。",
        "[After-sales] {subject}: time is running out. If nothing is done by {due} Beijing time, {on_silence}.",
    ),
    NoticeTemplate.REQUEST_REJECTED: (
        (
            "【售后】{subject} 的售后申请被商家拒绝，原因：{reason}。"
            "您可在 {window_days} 天内修改后重新申请，或申请平台介入，逾期将关闭。"
        ),
        (
            "[After-sales] {subject}: rejected by the merchant: {reason}. Within {window_days} days you may amend and "
            "apply again, or ask the platform to intervene; then the case closes."
        ),
    ),
    NoticeTemplate.GOODS_UNDERWAY: (
        "【售后】{subject} 的商品已发出，需商品退回后才能退款。",
        "[After-sales] {subject}: the goods have shipped; they must come back before the refund.",
    ),
    NoticeTemplate.RETURN_AGREED: (
        "【售后】{subject} 的退货申请已通过，请在 {days} 天内寄回至 {address} 并填写运单号。{clauses}",
        (
            "[After-sales] {subject}: please send the goods back to {address} within {days} days "
            "and enter the tracking number. {clauses}"
        ),
    ),
    NoticeTemplate.ADDRESS_WANTED: (
        "【售后】{subject} 的退货缺少退货地址，请在地址库中添加并选择。",
        "[After-sales] {subject}: a return address is missing; please add one and pick it.",
    ),
    NoticeTemplate.ACCOUNT_WANTED: (
        "【售后】{subject} 的退款需要您本人的收款账户，请提供。",
        "[After-sales] {subject}: the refund needs an account of your own to go to; please name one.",
    ),
    NoticeTemplate.EXTENSION_OFFERED: (
        "【售后】{subject} 的退货尚未签收，您可以延长收货一次。",
        "[After-sales] {subject}: the return has not been signed for yet; you may extend the receipt once.",
    ),
    NoticeTemplate.RETURN_SIGNED: (
        "【售后】{subject} 的退货已签收，请验货后处理。",
        "[After-sales] {subject}: the return has been signed for; please inspect it and decide.",
    ),
    NoticeTemplate.EXCHANGE_SHIPPED: (
        "【售后】{subject} 的换货商品已发出，收到后请确认。",
        "[After-sales] {subject}: the goods of your exchange are on their way; please confirm their receipt.",
    ),
    NoticeTemplate.GOODS_SENT_BACK: (
        "【售后】{subject} 的退货未被接受，商家已将商品寄回给您。",
        "[After-sales] {subject}: the merchant has not accepted what you returned, and is sending it back to you.",
    ),
    NoticeTemplate.GOODS_SENT_AGAIN: (
        "【售后】{subject} 的补寄商品已发出，收到后请确认。",
        "[After-sales] {subject}: what was to be sent again is on its way; please confirm its receipt.",
    ),
    NoticeTemplate.RESEND_LATE: (
        "【售后】{subject} 的补寄商品超时未发出，您可以申请平台介入。",
        (
            "[After-sales] {subject}: what was to be sent again has not been sent in time; you may ask the platform to "
            "intervene."
        ),
    ),
    NoticeTemplate.INTERVENTION_OPEN: (
        "【售后】{subject} 的换货超时未发出，您可以申请平台介入。",
        "[After-sales] {subject}: your exchange has not been shipped in time; you may ask the platform to intervene.",
    ),
    NoticeTemplate.MERCHANT_OVERDUE: (
        (
            "【售后】{subject} 的售后申请商家超时未处理：买家可在 {days} 天内申请平台介入，"
            "商家仍可处理；逾期未申请，售后单关闭。"
        ),
        (
            "[After-sales] {subject}: the merchant has not decided in time. For {days} days the buyer may ask the "
            "platform to intervene, and the merchant may still decide; after that the case closes."
        ),
    ),
    NoticeTemplate.DISPUTE_OPENED: (
        "【售后】{subject} 的买家发起纠纷，金额 {amount}，协商期至北京时间 {due}，逾期平台介入。",
        (
            "[After-sales] {subject}: the buyer disputes {amount}. Negotiate until {due} Beijing time; "
            "then the platform steps in."
        ),
    ),
    NoticeTemplate.INTERVENED: (
        "【售后】{subject} 的纠纷（金额 {amount}）平台已介入，将由平台判责。",
        "[After-sales] {subject}: the platform has stepped in, and will decide the dispute about {amount}.",
    ),
    NoticeTemplate.EVIDENCE_DEMANDED: (
        "【售后】{subject} 的纠纷需要您举证，请在北京时间 {due} 前提交。举证要求：{wanted}。",
        "[After-sales] {subject}: please give your evidence by {due} Beijing time. What is wanted: {wanted}.",
    ),
    NoticeTemplate.DISPUTE_RULED: (
        "【售后】{subject} 的纠纷已完结：{verdict}，{fault}，买家应得 {amount}。",
        "[After-sales] {subject}: the dispute has ended: {verdict}, {fault}; the buyer is to have {amount} in all.",
    ),
    NoticeTemplate.COMPENSATION_CLAIMABLE: (
        "【售后】{subject} 延迟发货，您可在北京时间 {due} 前申请赔付 {amount}。",
        "[After-sales] {subject}: shipped late; you may claim {amount} until {due} Beijing time.",
    ),
    NoticeTemplate.COMPENSATION_CLAIMED: (
        "【售后】{subject} 的买家申请延迟发货赔付 {amount}，请提供发货或免责凭证，逾期自动赔付。",
        "[After-sales] {subject}: the buyer claims {amount} for late shipment; prove shipment or an exemption in time.",
    ),
    NoticeTemplate.COMPENSATION_PAID: (
        "【售后】{subject} 的赔付 {amount} 已到账。",
        "[After-sales] {subject}: the compensation of {amount} has been paid.",
    ),
    NoticeTemplate.REFUND_SUBMITTED: (
        "【售后】{subject} 的退款 {amount} 已提交支付渠道，预计北京时间 {arrives_from} 至 {arrives_until} 到账。",
        (
            "[After-sales] {subject}: the refund of {amount} is on its way. "
            "It should arrive between {arrives_from} and {arrives_until} Beijing time."
        ),
    ),
    NoticeTemplate.REFUND_SUCCEEDED: (
        "【售后】{subject} 的退款 {amount} 已退款成功。",
        "[After-sales] {subject}: the refund of {amount} has been paid.",
    ),
    NoticeTemplate.PAYMENT_REDUCED: (
        "【售后】{subject} 应付 {asked}，其余部分已由其他售后单支付或正在支付，本单支付 {amount}。",
        "[After-sales] {subject}: of {asked} this case pays {amount}; other cases have paid or are paying the rest.",
    ),
    NoticeTemplate.CASE_CLOSED: (
        "【售后】{subject} 的售后单已完结：{outcome}。",
        "[After-sales] {subject}: the case is closed: {outcome}.",
    ),
    NoticeTemplate.STAGE_CHANGED: (
        "【售后】{subject} 的售后单进展：{stage}。截止北京时间 {due}，逾期：{on_silence}。",
        "[After-sales] {subject}: the case has moved on: {stage}. Until {due} Beijing time; then {on_silence}.",
    ),
    NoticeTemplate.RETURN_SENT: (
        "【售后】{subject} 的退货已寄出：{carrier} {tracking_no}。",
        "[After-sales] {subject}: the goods are coming back with {carrier}, {tracking_no}.",
    ),
    NoticeTemplate.EVIDENCE_GIVEN: (
        "【售后】{subject} 的对方已提交凭证，请查看。",
        "[After-sales] {subject}: the other side has given evidence; please look at it.",
    ),
    NoticeTemplate.RETENTION_ASKED: (
        "【售后】{subject} 的商家希望您保留膨胀金；如您同意，请撤销提现申请，否则照常处理。",
        (
            "[After-sales] {subject}: the merchant asks you to keep the allowance. If you agree, withdraw the request; "
            "if you do not, it goes on."
        ),
    ),
    NoticeTemplate.CONVERSION_WANTED: (
        "【售后】{subject} 的对方希望将换货转为退款；如您同意，请确认，否则换货照常进行。",
        (
            "[After-sales] {subject}: the other side wants a refund instead of the exchange. If you agree, say so; "
            "if you do not, the exchange goes on."
        ),
    ),
    NoticeTemplate.ATTENTION_RAISED: (
        "【售后】{subject} 的售后单需要人工处理：{attention}。",
        "[After-sales] {subject}: the case needs a person: {attention}.",
    ),
}


class NotRenderable(ValueError):  # noqa: N818 -- it is a finding, not a fault
    """The fields do not fit the template. The text says which, never what they hold."""


class NotKnownHere(NotRenderable):
    """A field holds a word, such as an outcome, that only a newer release knows."""


def render(template: NoticeTemplate, fields: Mapping[str, str | int], language: Language) -> str:
    """Put a notice into words. Moments are shown in its own zone (G6), else Asia/Shanghai; amounts with their currency.

    What a newer release tells besides is passed over.

    Raises:
        NotKnownHere: a newer release will put it into words.
        NotRenderable: a field is missing, of the wrong kind, or a moment that no calendar has.
    """
    spoken = fields.get("language")
    language = spoken if spoken in ("zh", "en") else language
    text = _pick(TEXTS[template], language)
    if zone := fields.get("time_zone"):
        text = text.replace("北京时间 ", f"当地时间（{zone}）").replace("Beijing time", f"({zone})")
    return text.format_map(shown(template, fields, language))


def shown(template: NoticeTemplate, fields: Mapping[str, str | int], language: Language) -> dict[str, str]:
    """What a text may name, each as it is shown. Errors as in ``render``."""
    try:
        checked = read_own(FIELDS[template], fields)
    except ValidationError as error:
        wrong = error.errors(include_input=False)
        names = sorted({str(detail["loc"][0]) for detail in wrong if detail["loc"]})
        raised = NotKnownHere if all(detail["type"] == _UNKNOWN_WORD for detail in wrong) else NotRenderable
        raise raised(f"{template}: {', '.join(names)}") from None
    try:
        zone = ZoneInfo(checked.time_zone) if checked.time_zone else _SHANGHAI
        values = {name: _show(getattr(checked, name), language, zone) for name in type(checked).model_fields}
    except OverflowError:
        raise NotRenderable(f"{template}: a moment beyond the calendar") from None
    if isinstance(checked, ReturnAgreed):
        values["clauses"] = _clauses(checked.clauses, language)
    if isinstance(checked, PaymentReduced):
        values["asked"] = str(Money(amount=checked.asked, currency=checked.currency))
    if isinstance(checked, Amount):
        values["amount"] = str(Money(amount=checked.amount, currency=checked.currency))
    return values


def _clauses(clauses: str, language: Language) -> str:
    """T2: fixed words; nobody can edit them."""
    return " ".join(_pick(CLAUSE_TEXTS[ReturnClause(each)], language) for each in clauses.split())


def _show(value: object, language: Language, zone: ZoneInfo) -> str:
    match value:
        case None:
            return "-"
        case datetime():
            return value.astimezone(zone).strftime("%Y-%m-%d %H:%M")
        case StageName():
            chinese, _, english = STAGES[value].title.partition(SEPARATOR)
            return _pick((chinese, english), language)
        case Silence():
            return _pick(SILENCES[value], language)
        case OutcomeKind():
            return _pick(OUTCOMES[value], language)
        case Attention():
            return _pick(ATTENTIONS[value], language)
        case Verdict():
            return _pick(VERDICTS[value], language)
        case Fault():
            return _pick(FAULTS[value], language)
        case Role():
            return _pick(SIDES[value], language)
        case ProposalKind():
            return _pick(PROPOSALS[value], language)
        case ProposalEnd():
            return _pick(PROPOSAL_ENDS[value], language)
        case RejectReason():
            return _pick(REJECT_REASONS[value], language)
        case _:
            return str(value)


def _pick(words: Words, language: Language) -> str:
    chinese, english = words
    return chinese if language == "zh" else english
