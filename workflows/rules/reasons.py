"""Reasons of requests: which a profile knows, and what follows from each (G1)."""

from functools import lru_cache
from typing import Final

from workflows.messages.cases import Refusal
from workflows.messages.policy import Policy
from workflows.messages.reasons import AskedWith, Label, Reason
from workflows.messages.requests import (
    Application,
    DisputeRequest,
    MerchantRefundRequest,
    PriceProtectionRequest,
    RefundReason,
    RepairRequest,
    ReturnRequest,
)
from workflows.messages.stages import CaseKind
from workflows.rules.bilingual import SEPARATOR, Language, said
from workflows.rules.refusals import refused


def _usual(code: RefundReason, zh: str, en: str) -> Reason:
    return Reason(code=code, label=Label(zh=zh, en=en), fault="nobody", freight="buyer", return_freight="buyer")


def _fault(code: RefundReason, zh: str, en: str) -> Reason:
    return Reason(
        code=code,
        label=Label(zh=zh, en=en),
        received=True,
        fault="merchant",
        freight="merchant",
        return_freight="merchant",
    )


USUAL: Final[tuple[Reason, ...]] = (
    _usual(RefundReason.NO_LONGER_WANTED, "不想要了", "no longer wanted").model_copy(update={"fault": "buyer"}),
    _usual(RefundReason.WRONG_ADDRESS, "地址填错", "wrong address").model_copy(update={"fault": "buyer"}),
    _usual(RefundReason.LATE_SHIPMENT, "发货太慢", "shipped late").model_copy(update={"fault": "merchant"}),
    _usual(RefundReason.OUT_OF_STOCK, "缺货", "out of stock").model_copy(update={"fault": "merchant"}),
    _usual(RefundReason.NOT_RECEIVED, "未收到货", "not received").model_copy(
        update={"fault": "carrier", "received": False}
    ),
    _fault(RefundReason.QUALITY_FAULT, "质量问题", "quality fault"),
    _fault(RefundReason.DAMAGED, "商品破损", "damaged"),
    _fault(RefundReason.NOT_AS_DESCRIBED, "与描述不符", "not as described"),
    _fault(RefundReason.WRONG_GOODS, "发错货", "wrong goods"),
    _fault(RefundReason.MISSING_PARTS, "少件、漏发", "parts are missing"),
    _usual(RefundReason.BROKEN_IN_USE, "使用中损坏", "broken in use").model_copy(
        update={"fault": "buyer", "received": True, "asked_with": ("repair",)}
    ),
    _usual(RefundReason.PRICE_ADJUSTMENT, "退差价", "price adjustment"),
    _usual(RefundReason.OTHER, "其他", "other"),
)
"""The catalogue of a profile that has none of its own: the reasons of R4, with everything, without evidence."""


def catalogue(policy: Policy) -> tuple[Reason, ...]:
    """The profile's reasons."""
    return policy.reasons or USUAL


def reason_of(code: str, policy: Policy) -> Reason | None:
    """The entry of this code; None where the profile has none, as after it has been changed."""
    return _by_code(catalogue(policy)).get(code)


@lru_cache(maxsize=64)
def _by_code(reasons: tuple[Reason, ...]) -> dict[str, Reason]:
    return {each.code: each for each in reasons}


def label_of(code: str | None, policy: Policy | None) -> str | None:
    """What people read of a reason, in the profile's language, or in both where it names none (G1, G6).

    None where the profile has no such reason any more: then its code has to do.
    """
    reason = reason_of(code, policy) if code and policy else None
    if reason is None or policy is None:
        return None
    language = Language(policy.place.language) if policy.place.language else Language.BOTH
    return said(f"{reason.label.zh}{SEPARATOR}{reason.label.en}", language)


def goods_at_fault(application: Application, policy: Policy) -> bool:
    """Whether the goods are what is wrong, by the reason: who gives it has seen them (R4, R15)."""
    reason = reason_of(application.reason, policy)
    return reason is not None and reason.goods_are_at_fault()


def bears_freight(application: Application, policy: Policy) -> bool:
    """Whether the merchant bears the freight of goods that have shipped (R4)."""
    reason = reason_of(application.reason, policy)
    return reason is not None and reason.freight == "merchant"


def bears_return_freight(application: Application, policy: Policy) -> bool:
    """Whether the merchant bears what sending the goods back costs (T10)."""
    reason = reason_of(application.reason, policy)
    return reason is not None and reason.return_freight == "merchant"


_ASKED_WITH: Final[dict[CaseKind, AskedWith]] = {
    CaseKind.UNSHIPPED_REFUND: "unshipped_refund",
    CaseKind.CANCELLATION: "unshipped_refund",
    CaseKind.SHIPPED_REFUND: "refund_only",
    CaseKind.RETURN: "return",
    CaseKind.EXCHANGE: "exchange",
    CaseKind.MERCHANT_REFUND: "merchant_refund",
    CaseKind.RESEND: "resend",
    CaseKind.REPAIR: "repair",
}


def given_with(policy: Policy, kind: CaseKind, received: bool | None) -> tuple[Reason, ...]:
    """The reasons that a case of this kind can be asked for with; ``received`` is the buyer's word, if it gives one."""
    asked = _ASKED_WITH.get(kind)
    return tuple(
        each
        for each in catalogue(policy)
        if (asked is None or (asked in each.asked_with if each.asked_with else _fits(each, kind)))
        and (received is None or each.received in (None, received))
    )


def _fits(reason: Reason, kind: CaseKind) -> bool:
    """C1, M1: goods are sent again for what is wrong with them, or with their way, and mended for the former alone."""
    match kind:
        case CaseKind.RESEND:
            return reason.received is not None and reason.fault in ("merchant", "carrier")
        case CaseKind.REPAIR:
            return reason.goods_are_at_fault()
        case _:
            return True


def _is_its_own(application: Application) -> bool:
    """Whether the reason is the kind's own, or was looked at when the disputed case opened."""
    return isinstance(application, PriceProtectionRequest) or (
        isinstance(application, DisputeRequest) and application.about is not None
    )


def refused_code(application: Application, policy: Policy) -> Refusal | None:
    """Why a reason is none of the profile's at all, or None (G1). What a case says of its own is not asked again."""
    if _is_its_own(application):
        return None
    return None if reason_of(application.reason, policy) else _unknown(policy, catalogue(policy))


def _unknown(policy: Policy, possible: tuple[Reason, ...]) -> Refusal:
    codes = ", ".join(each.code for each in possible)
    return refused("unknown_reason", "reason", "G1", f"{policy.name} takes here: {codes}")


def refused_reason(
    application: Application,
    kind: CaseKind,
    policy: Policy,
    *,
    before: Application | None = None,
    has_evidence: bool = False,
) -> Refusal | None:
    """Why a reason cannot be given, or None (G1). ``has_evidence`` where some was given before.

    ``before`` is the request that is amended: who has asked to send goods back has them.

    A dispute of a case has the case's reason, and the reason of price protection is its own.
    """
    if _is_its_own(application):
        return None
    received = True if isinstance(before or application, ReturnRequest | RepairRequest) else application.goods_received
    possible = given_with(policy, kind, received)
    reason = next((each for each in possible if each.code == application.reason), None)
    if reason is None:
        return _unknown(policy, possible)
    given = has_evidence or bool(getattr(application, "evidence", ()))
    if reason.evidence and not given and not isinstance(application, DisputeRequest | MerchantRefundRequest):
        return refused("evidence_missing", "evidence", "G1", f"{reason.code} needs evidence")
    return None
