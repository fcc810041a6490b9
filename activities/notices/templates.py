"""Which fields each notice is made of, and how it is put into words; those stand in `activities.notices.languages`.

A recipient's name stands in no text: the channel adds what it needs of a person (P6).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from pydantic import PositiveInt, ValidationError, field_validator
from pydantic_core import PydanticKnownError

from activities.notices.languages import TEXTS
from activities.notices.languages.texts import Texts
from workflows.messages.actors import Role
from workflows.messages.addresses import ReturnClause
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import RejectReason
from workflows.messages.message import CarrierCode, Identifier, Input, Instant, Reference, TrackingNo
from workflows.messages.money import Currency, Minor, Money
from workflows.messages.place import Language, TimeZone
from workflows.messages.proposals import ProposalEnd, ProposalKind
from workflows.messages.reading import read_own
from workflows.messages.reasons import Words
from workflows.messages.rulings import Fault, Verdict
from workflows.messages.stages import Attention, OutcomeKind, Silence, StageName

_SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
_UNKNOWN_WORD: Final = "enum"
_UNKNOWN_WORDS: Final = frozenset({_UNKNOWN_WORD, "literal_error"})
"""What pydantic calls a value that is none of a closed list."""


class Fields(Input):
    """What every notice has."""

    subject: Identifier
    """The order's number, or the allowance's id."""
    time_zone: TimeZone | None = None
    """In which moments are shown; None for Asia/Shanghai (G6)."""
    language: Language | None = None
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

    reason: Words | None = None
    """What the profile calls the reason (G1). Unknown in notices of releases before this field."""


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
    """To the buyer: rejected, and how many days there are to apply again, or to have the platform decide (R6).

    Or what it has sent back is not accepted: it is sent to it again, or the platform decides (T6, T15).
    """

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


class ResendAgreed(Fields):
    """To whoever did not decide it: what is asked for is sent again, within how many hours (C2, C3)."""

    hours: PositiveInt


class MerchantOverdue(Fields):
    """To both: the merchant has not decided, and for how many days the buyer may ask for intervention (G3)."""

    days: PositiveInt


class PaymentReduced(Amount):
    """To both: others have been paid a part meanwhile, and what is left is paid (R14). ``asked`` is in minor units."""

    asked: Minor


class OfAllowance(Amount):
    """To the buyer: how much of a refund was paid with an allowance, and what of that is principal and bonus (A7)."""

    principal: Minor
    bonus: Minor


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


class ProposalOver(Fields):
    """To whoever made it, and to both where it lapsed: how a proposal has ended (N6)."""

    number: PositiveInt
    terms: ProposalKind
    how: ProposalEnd


class ProposalEnded(ProposalOver):
    """The same, and what silence does in the stage that the case is in now (N6)."""

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
    NoticeTemplate.PROPOSAL_OVER: ProposalOver,
    NoticeTemplate.MESSAGE_LEFT: MessageLeft,
    NoticeTemplate.DEADLINE_NEAR: DeadlineNear,
    NoticeTemplate.REQUEST_REJECTED: RequestRejected,
    NoticeTemplate.REQUEST_REJECTED_FINALLY: RequestRejected,
    NoticeTemplate.RECEIPT_REJECTED: RequestRejected,
    NoticeTemplate.GOODS_UNDERWAY: Fields,
    NoticeTemplate.RETURN_AGREED: ReturnAgreed,
    NoticeTemplate.ADDRESS_WANTED: Fields,
    NoticeTemplate.ACCOUNT_WANTED: Fields,
    NoticeTemplate.EXTENSION_OFFERED: Fields,
    NoticeTemplate.RETURN_SIGNED: Fields,
    NoticeTemplate.EXCHANGE_SHIPPED: Fields,
    NoticeTemplate.GOODS_SENT_BACK: Fields,
    NoticeTemplate.REPAIR_SHIPPED: Fields,
    NoticeTemplate.REPAIR_LATE: Fields,
    NoticeTemplate.RESEND_AGREED: ResendAgreed,
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
    NoticeTemplate.ALLOWANCE_REFUNDED: OfAllowance,
    NoticeTemplate.ALLOWANCE_PAID_OUT: OfAllowance,
    NoticeTemplate.PAYMENT_REDUCED: PaymentReduced,
    NoticeTemplate.CASE_CLOSED: CaseClosed,
    NoticeTemplate.STAGE_CHANGED: StageChanged,
    NoticeTemplate.RETURN_SENT: ReturnSent,
    NoticeTemplate.EVIDENCE_GIVEN: Fields,
    NoticeTemplate.RETENTION_ASKED: Fields,
    NoticeTemplate.CONVERSION_WANTED: Fields,
    NoticeTemplate.ATTENTION_RAISED: AttentionRaised,
}


class NotRenderable(ValueError):  # noqa: N818 -- it is a finding, not a fault
    """The fields do not fit the template. The text says which, never what they hold."""


class NotKnownHere(NotRenderable):
    """A field holds a word, such as an outcome, that only a newer release knows."""


def language_of(fields: Mapping[str, str | int], otherwise: Language) -> Language:
    """In which language a notice is: its own, where it is one of ours, else ``otherwise`` (G6)."""
    spoken: dict[str | int | None, Language] = {each: each for each in TEXTS}
    return spoken.get(fields.get("language"), otherwise)


def render(template: NoticeTemplate, fields: Mapping[str, str | int], language: Language) -> str:
    """Put a notice into words. Moments are shown in its own zone (G6), else Asia/Shanghai; amounts with their currency.

    It speaks its own language, or ``language`` where it has none. What a newer release tells besides is passed over.

    Raises:
        NotKnownHere: a newer release will put it into words.
        NotRenderable: a field is missing, of the wrong kind, or a moment that no calendar has.
    """
    return TEXTS[language_of(fields, language)].notices[template].format_map(shown(template, fields, language))


def shown(template: NoticeTemplate, fields: Mapping[str, str | int], language: Language) -> dict[str, str]:
    """What a text may name, each as it is shown. Errors as in ``render``."""
    try:
        checked = read_own(FIELDS[template], fields)
    except ValidationError as error:
        wrong = error.errors(include_input=False)
        names = sorted({str(detail["loc"][0]) for detail in wrong if detail["loc"]})
        raised = NotKnownHere if all(detail["type"] in _UNKNOWN_WORDS for detail in wrong) else NotRenderable
        raise raised(f"{template}: {', '.join(names)}") from None
    texts, zone = TEXTS[language_of(fields, language)], checked.time_zone
    try:
        here = ZoneInfo(zone) if zone else _SHANGHAI
        values = {name: _show(getattr(checked, name), texts, here) for name in type(checked).model_fields}
    except OverflowError:
        raise NotRenderable(f"{template}: a moment beyond the calendar") from None
    values["time_zone"] = texts.other_time.format(zone=zone) if zone else texts.beijing_time
    if isinstance(checked, ReturnAgreed):
        values["clauses"] = " ".join(texts.clauses[ReturnClause(each)] for each in checked.clauses.split())
    if isinstance(checked, PaymentReduced):
        values["asked"] = _amount(checked.asked, checked.currency, texts)
    if isinstance(checked, Amount):
        values["amount"] = _amount(checked.amount, checked.currency, texts)
    if isinstance(checked, OfAllowance):
        values["principal"] = _amount(checked.principal, checked.currency, texts)
        values["bonus"] = _amount(checked.bonus, checked.currency, texts)
    return values


def _amount(amount: int, currency: str, texts: Texts) -> str:
    return str(Money(amount=amount, currency=currency)).replace(".", texts.decimal_mark)


def _show(value: object, texts: Texts, zone: ZoneInfo) -> str:
    match value:
        case None:
            return "-"
        case datetime():
            return value.astimezone(zone).strftime(texts.moment)
        case StageName():
            return texts.stages[value]
        case Silence():
            return texts.silences[value]
        case OutcomeKind():
            return texts.outcomes[value]
        case Attention():
            return texts.attentions[value]
        case Verdict():
            return texts.verdicts[value]
        case Fault():
            return texts.faults[value]
        case Role():
            return texts.sides[value]
        case ProposalKind():
            return texts.proposals[value]
        case ProposalEnd():
            return texts.proposal_ends[value]
        case RejectReason():
            return texts.reject_reasons[value]
        case _:
            return str(value)
