"""What is owed to a buyer beside refunds, and the funds that it is booked in (L1, L3, T10)."""

from typing import Final

_LATE_SHIPMENT: Final = "late-shipment/"
_RETURN_FREIGHT: Final = "return-freight/"
_FREIGHT_INSURANCE: Final = "freight-insurance/"


def late_shipment_owed(goods_paid: int, percent: int | None, fixed: int | None) -> int:
    """What late shipment costs: ``percent`` of the goods paid, freight excluded, or a ``fixed`` amount (L1).

    Half a minor unit rounds up. All amounts are minor units.

    Raises:
        ValueError: there is not exactly one measure, or an amount is negative.
    """
    match percent, fixed:
        case int(), None if goods_paid >= 0 and percent >= 0:
            return (goods_paid * percent + 50) // 100
        case None, int() if fixed >= 0:
            return fixed
        case _:
            raise ValueError("late shipment is compensated by percent or by a fixed amount, and neither is negative")


def return_freight_owed(stated: int, most: int, insured: int) -> int:
    """What the merchant owes for sending goods back that were at fault, in minor units (T10).

    That is what the buyer ``stated``, up to ``most``, less what the freight insurance pays.
    """
    return max(min(stated, most) - insured, 0)


def late_shipment_fund(order_no: str) -> str:
    """The ledger's name for what late shipment owes: once per order (L1)."""
    return f"{_LATE_SHIPMENT}{order_no}"


def return_freight_fund(case_id: str) -> str:
    """The ledger's name for what a merchant owes for the freight of a return (T10)."""
    return f"{_RETURN_FREIGHT}{case_id}"


def freight_insurance_fund(case_id: str) -> str:
    """The ledger's name for what the freight insurance 运费险 pays on a return (T10)."""
    return f"{_FREIGHT_INSURANCE}{case_id}"


def is_compensation(fund: str) -> bool:
    """Whether what a fund pays is compensation, which is no refund (L3)."""
    return fund.startswith((_LATE_SHIPMENT, _RETURN_FREIGHT, _FREIGHT_INSURANCE))
