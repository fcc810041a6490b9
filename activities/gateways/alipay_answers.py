"""What Alipay's words about a refund mean here (section 10): codes, amounts, moments. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Final

from activities.gateways import beijing_time
from activities.gateways.limits import Limits
from activities.gateways.payment import GatewayUnreachable, NotSent

LIMITS: Final = Limits(currencies=frozenset({"CNY"}), needs_charge=True, bank_transfers=False)
"""How long a payment can be refunded is in each merchant's contract: ``ACQ.TRADE_HAS_FINISHED`` tells."""

SUCCESS: Final = "10000"
BUSINESS_FAILED: Final = "40004"
ACCOUNT_SHORT: Final = "ACQ.SELLER_BALANCE_NOT_ENOUGH"
OTHER_CONTENT: Final = "ACQ.DISCORDANT_REPEAT_REQUEST"
TEN_SECONDS: Final = timedelta(seconds=10)
"""Before that, asking for a refund that was just sent may find nothing."""

FAILURES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ACQ.TRADE_NOT_EXIST": "charge_not_found",
        "ACQ.TRADE_HAS_FINISHED": "charge_too_old",
        "ACQ.BUYER_NOT_EXIST": "payer_account_closed",
        "ACQ.BUYER_ERROR": "payer_account_closed",
        "ACQ.USER_NOT_MATCH_ERR": "refused_by_provider",
        "ACQ.INVALID_PARAMETER": "refused_by_provider",
        "ACQ.NOT_ALLOW_PARTIAL_REFUND": "refused_by_provider",
        "ACQ.REASON_TRADE_REFUND_FEE_ERR": "refused_by_provider",
        "ACQ.REASON_TRADE_STATUS_INVALID": "refused_by_provider",
        "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL": "refused_by_provider",
        "ACQ.REFUND_FEE_ERROR": "refused_by_provider",
        "ACQ.TRADE_NOT_ALLOW_REFUND": "refused_by_provider",
        "ACQ.TRADE_STATUS_ERROR": "refused_by_provider",
    }
)
"""Codes of a refund that is refused for good, in our words. Believed only once Alipay knows no such refund."""

_NOT_CARRIED_OUT: Final[Mapping[str, timedelta]] = MappingProxyType(
    {
        "20001": timedelta(minutes=5),
        "40001": timedelta(minutes=5),
        "40002": timedelta(minutes=5),
        "40003": timedelta(minutes=5),
        "40006": timedelta(minutes=5),
        "40005": timedelta(minutes=1),
    }
)
"""Codes of the gateway before it reads what is asked: no permission, bad parameters; 40005 is its rate limit."""

_AMOUNT: Final = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,2})?")


def business_code(said: Mapping[str, object]) -> str | None:
    """None for success, else Alipay's code for a refusal.

    Raises:
        NotSent: the gateway has turned it away unread.
        GatewayUnreachable: Alipay does not know itself, or says what we do not know.
    """
    code, sub_code = str(said.get("code", "")), str(said.get("sub_code", ""))[:120]
    if code == SUCCESS:
        return None
    if code in _NOT_CARRIED_OUT:
        raise NotSent(sub_code or code, retry_after=_NOT_CARRIED_OUT[code])
    if code != BUSINESS_FAILED:
        raise GatewayUnreachable(sub_code or code)
    return sub_code


def yuan(fen: int) -> str:
    """An amount as Alipay takes it."""
    return f"{fen // 100}.{fen % 100:02d}"


def fen(amount: str) -> int:
    """An amount of Alipay's in fen.

    Raises:
        ValueError: it is none.
    """
    if not _AMOUNT.fullmatch(amount):
        raise ValueError("no amount in yuan")
    try:
        return int(Decimal(amount) * 100)
    except InvalidOperation as error:
        raise ValueError("no amount in yuan") from error


def moment(beijing: str) -> datetime:
    """A moment of Alipay's, sometimes with milliseconds.

    Raises:
        ValueError: it is none.
    """
    return beijing_time.moment(beijing[:19])
