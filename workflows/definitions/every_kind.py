"""All of them."""

from typing import Final

from workflows.definitions.allowance_expiry import AllowanceExpiry
from workflows.definitions.allowance_withdrawal import AllowanceWithdrawal
from workflows.definitions.compensation import Compensation
from workflows.definitions.dispute import Dispute
from workflows.definitions.goods_return import Return
from workflows.definitions.late_shipment import LateShipment
from workflows.definitions.merchant_refund import MerchantRefund
from workflows.definitions.price_protection import PriceProtection
from workflows.definitions.refund import Refund
from workflows.definitions.repair import Repair
from workflows.definitions.resend import Resend
from workflows.shell.workflow import CaseWorkflow

CASES: Final[tuple[type[CaseWorkflow], ...]] = (
    Refund,
    MerchantRefund,
    Return,
    PriceProtection,
    Repair,
    Resend,
    Dispute,
    LateShipment,
    Compensation,
    AllowanceWithdrawal,
    AllowanceExpiry,
)
"""The workflow of each kind of case."""
