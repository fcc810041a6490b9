"""What a merchant's silence does: the profile's word (G3)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from workflows.messages.applications import ApplicationVersion
from workflows.messages.policy import Policy
from workflows.messages.requests import Application, ReturnRequest
from workflows.messages.stages import Silence, StageName
from workflows.rules.reasons import reason_of

_DOES: Final[Mapping[str, Silence]] = MappingProxyType(
    {
        "refund": Silence.REFUND,
        "agree": Silence.AGREE_TO_RETURN,
        "close": Silence.CLOSE_AS_REJECTED,
        "right_to_intervention": Silence.RIGHT_TO_INTERVENTION,
    }
)

BY_PROFILE: Final = frozenset(
    {
        StageName.MERCHANT_REVIEW,
        StageName.SHIPPED_REVIEW,
        StageName.RETURN_REVIEW,
        StageName.PRICE_REVIEW,
        StageName.RESEND_REVIEW,
        StageName.REPAIR_REVIEW,
    }
)
"""Stages in which a profile says what silence does."""


def has_goods(application: Application | ApplicationVersion, policy: Policy) -> bool:
    """Whether the buyer has the goods, by its own word, or by its reason (G1)."""
    if application.goods_received is not None:
        return application.goods_received
    reason = reason_of(application.reason, policy)
    return isinstance(application, ReturnRequest) or (reason is not None and reason.received is True)


def silence_of(
    stage: StageName, policy: Policy, application: Application | ApplicationVersion | None
) -> Silence | None:
    """What silence does in ``stage`` by the profile; None where it is the same in all profiles."""
    says = policy.silence
    match stage:
        case StageName.MERCHANT_REVIEW:
            return _DOES[says.unshipped_refund]
        case StageName.SHIPPED_REVIEW if application and has_goods(application, policy):
            return _DOES[says.refund_only_received]
        case StageName.SHIPPED_REVIEW:
            return _DOES[says.refund_only]
        case StageName.RETURN_REVIEW:
            return _DOES[says.return_request]
        case StageName.PRICE_REVIEW:
            return _DOES[says.price_protection]
        case StageName.RESEND_REVIEW:
            return Silence.AGREE_TO_RESEND if says.resend == "agree" else _DOES[says.resend]
        case StageName.REPAIR_REVIEW:
            return Silence.AGREE_TO_REPAIR if says.repair == "agree" else _DOES[says.repair]
        case _:
            return None
