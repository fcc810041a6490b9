"""What WeChat Pay's words about a refund mean here (section 10): states, error codes, banks. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from activities.gateways.limits import Limits
from activities.gateways.payment import GatewayAnswer, GatewayUnreachable, NotSent
from workflows.messages.commands import GatewayResult
from workflows.messages.message import Moment

LIMITS: Final = Limits(
    currencies=frozenset({"CNY"}),
    most_refunds=50,
    longest=timedelta(days=365),
    apart=timedelta(minutes=1),
    needs_charge=True,
    bank_transfers=False,
)

NOT_FOUND: Final = "RESOURCE_NOT_EXISTS"
A_MINUTE: Final = timedelta(minutes=1)
"""Two refunds of one payment lie this far apart; a minute after it was sent, a state is worth asking for."""
MISCONFIGURED: Final = timedelta(minutes=5)

STATES: Final[Mapping[str, GatewayResult]] = MappingProxyType(
    {
        "SUCCESS": GatewayResult.SUCCEEDED,
        "PROCESSING": GatewayResult.PROCESSING,
        # After seven days without money in the merchant's account. The number is used up.
        "CLOSED": GatewayResult.CLOSED,
        # The buyer's card is dead: the money has left the merchant and lies with WeChat Pay, until it is redirected.
        "ABNORMAL": GatewayResult.STRANDED,
    }
)
"""``status`` of answers, ``refund_status`` of callbacks."""

NOT_CARRIED_OUT: Final[Mapping[str, timedelta]] = MappingProxyType(
    {
        "FREQUENCY_LIMITED": A_MINUTE,
        "RATELIMIT_EXCEEDED": A_MINUTE,
        # Keys or permissions are wrong: no refund is at fault, and all of them wait for an operator.
        "SIGN_ERROR": MISCONFIGURED,
        "NO_AUTH": MISCONFIGURED,
        "MCH_NOT_EXISTS": MISCONFIGURED,
        "APPID_MCHID_NOT_MATCH": MISCONFIGURED,
    }
)
"""Codes that say for sure that nothing was taken up, and when it is worth trying again."""

ACCOUNT_SHORT: Final = "NOT_ENOUGH"
"""The merchant's account cannot pay. Nothing was taken up; the same number is sent again once there is money."""

FAILURES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "USER_ACCOUNT_ABNORMAL": "payer_account_closed",
        NOT_FOUND: "charge_not_found",
        "INVALID_REQUEST": "refused_by_provider",
        "PARAM_ERROR": "refused_by_provider",
        "RULE_LIMIT": "refused_by_provider",
        "TRADE_OVERDUE": "charge_too_old",
    }
)
"""Codes of a refund that is refused for good, in our words. Believed only once WeChat Pay knows no such number."""

BANKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "招商": "CMB_DEBIT",
        "交通": "COMM_DEBIT",
        "农业": "ABC_DEBIT",
        "建设": "CCB_DEBIT",
        "工商": "ICBC_DEBIT",
        "中国银行": "BOC_DEBIT",
        "平安": "PAB_DEBIT",
        "浦东发展": "SPDB_DEBIT",
        "浦发": "SPDB_DEBIT",
        "中信": "CITIC_DEBIT",
        "光大": "CEB_DEBIT",
        "民生": "CMBC_DEBIT",
        "兴业": "CIB_DEBIT",
        "广发": "GDB_DEBIT",
        "邮政储蓄": "PSBC_DEBIT",
        "邮储": "PSBC_DEBIT",
        "宁波": "NBCB_DEBIT",
    }
)
"""The banks whose debit cards stranded money can be sent on to, by what their names contain."""


class Amount(BaseModel):
    """Of a refund; in fen."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    total: int
    refund: int
    currency: str = "CNY"


class Refund(BaseModel):
    """A refund as WeChat Pay answers it; what we do not read is left out."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)
    refund_id: str
    out_refund_no: str
    transaction_id: str
    status: str
    success_time: Moment | None = None
    amount: Amount


def answer_of(
    refund_no: str, attempt: int, *, state: str, refund_id: str, success_time: datetime | None
) -> GatewayAnswer:
    """How a refund in this state stands.

    Raises:
        GatewayUnreachable: the state is none that we know, so nothing is concluded.
    """
    result = STATES.get(state)
    if result is None:
        raise GatewayUnreachable("unknown_state")
    return GatewayAnswer(
        refund_no=refund_no,
        result=result,
        attempt=attempt,
        gateway_ref=refund_id,
        raw=None if result is GatewayResult.SUCCEEDED else state,
        settled_at=success_time if result is GatewayResult.SUCCEEDED else None,
        retry_after=A_MINUTE if result is GatewayResult.PROCESSING else None,
    )


def error_code(status: int, body: object) -> str:
    """WeChat Pay's own code in an answer that is no success.

    Raises:
        NotSent: it has turned the request away unread.
        GatewayUnreachable: nothing is known: it is no answer of WeChat Pay's, or says that it does not know itself.
    """
    code: Any = body.get("code") if isinstance(body, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if status == 429:
        raise NotSent(code if isinstance(code, str) else "http_429", retry_after=A_MINUTE)
    if not isinstance(code, str) or not 400 <= status < 500:
        raise GatewayUnreachable(f"http_{status}")
    if code in NOT_CARRIED_OUT:
        raise NotSent(code, retry_after=NOT_CARRIED_OUT[code])
    return code


def bank_type(bank: str) -> str | None:
    """WeChat Pay's code of a bank that somebody has named; None where it pays no cards of it."""
    if bank in BANKS.values():
        return bank
    return next((code for name, code in BANKS.items() if name in bank), None)
