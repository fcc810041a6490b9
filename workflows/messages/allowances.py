"""Allowance campaigns, and allowances as their buyer and its shops see them (A1, A5, A6)."""

from typing import Literal

from workflows.messages.message import CaseId, Identifier, Instant, Message
from workflows.messages.money import Currency, Minor, PositiveMinor

Standing = Literal["valid", "frozen", "expired", "paid_out", "empty"]
"""Can be spent; held by an open withdrawal (A5); its validity is over (A6); principal is paid back; all is spent."""


class AllowanceCampaign(Message):
    """What a shop grants from when to when: pay ``principal``, get ``bonus`` on top. Minor units, UTC."""

    campaign_id: Identifier
    marketplace: Identifier
    merchant_id: Identifier
    currency: Currency
    principal: PositiveMinor
    bonus: Minor
    starts_at: Instant
    ends_at: Instant


class HeldAllowance(Message):
    """An allowance and how it stands. Minor units, UTC."""

    allowance_id: Identifier
    marketplace: Identifier
    merchant_id: Identifier
    buyer_id: Identifier
    currency: Currency
    principal: PositiveMinor
    """What was paid in."""
    bonus: Minor
    """What was granted on top."""
    spent: Minor
    """Out of both together; refunds have lowered it (A7)."""
    balance: Minor
    """What is left of both; nothing once it has been paid out."""
    withdrawable: Minor
    """What of the balance is principal: what a withdrawal would pay (A1)."""
    standing: Standing
    held_by: CaseId | None = None
    """The open case that holds it frozen (A5); None without one."""
    valid_until: Instant
    campaign: AllowanceCampaign | None = None
    """Which it came of; None where nobody has said so."""
