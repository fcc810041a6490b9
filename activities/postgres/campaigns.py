"""Allowance campaigns: what shops grant, from when to when (A1)."""

from datetime import datetime

import asyncpg
from pydantic import ValidationInfo, field_validator

from activities.gateways.order_records import Written
from activities.postgres.connection import Connection
from workflows.messages.allowances import AllowanceCampaign
from workflows.messages.message import Identifier, Input
from workflows.messages.money import ListedCurrency, Minor, PositiveMinor


class CampaignRecord(Input):
    """One campaign as it is loaded: pay ``principal``, get ``bonus`` on top. Minor units."""

    campaign_id: Identifier
    marketplace: Identifier
    merchant_id: Identifier
    currency: ListedCurrency
    principal: PositiveMinor
    bonus: Minor
    starts_at: Written
    ends_at: Written

    @field_validator("ends_at")
    @classmethod
    def _ends_after_it_begins(cls, ends_at: datetime, info: ValidationInfo) -> datetime:
        if "starts_at" in info.data and ends_at <= info.data["starts_at"]:
            raise ValueError("a campaign ends after it begins")
        return ends_at


async def keep(connection: Connection, record: CampaignRecord) -> tuple[bool, str | None]:
    """Keep a campaign, or its new end: whether something is new, and which field contradicts what is known."""
    told = record.model_dump()
    inserted = await connection.fetchval(
        """
        INSERT INTO shop.allowance_campaigns (campaign_id, marketplace, merchant_id, currency, principal, bonus,
                                              starts_at, ends_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (campaign_id) DO NOTHING RETURNING true
        """,
        *told.values(),
    )
    if inserted:
        return True, None
    known = await find(connection, record.campaign_id)
    assert known is not None
    was = known.model_dump()
    if differs := next((name for name in told if name != "ends_at" and told[name] != was[name]), None):
        return False, differs
    await connection.execute(
        "UPDATE shop.allowance_campaigns SET ends_at = $2 WHERE campaign_id = $1", record.campaign_id, record.ends_at
    )
    return record.ends_at != known.ends_at, None


async def find(connection: Connection, campaign_id: str) -> AllowanceCampaign | None:
    """The campaign of this id; None where there is none."""
    row = await connection.fetchrow("SELECT * FROM shop.allowance_campaigns WHERE campaign_id = $1", campaign_id)
    return _campaign(row) if row else None


async def find_all(connection: Connection, campaign_ids: set[str]) -> dict[str, AllowanceCampaign]:
    """The campaigns of these ids."""
    if not campaign_ids:
        return {}
    rows = await connection.fetch(
        "SELECT * FROM shop.allowance_campaigns WHERE campaign_id = ANY ($1)", sorted(campaign_ids)
    )
    return {row["campaign_id"]: _campaign(row) for row in rows}


async def of_merchant(
    connection: Connection, merchant_id: str, at: datetime, *, running: bool | None, after: str | None, limit: int
) -> tuple[AllowanceCampaign, ...]:
    """A page of a merchant's campaigns, the latest begun first: all, those that run ``at`` a moment, or that are over.

    ``after`` is the id of the last one of the page before.
    """
    rows = await connection.fetch(
        """
        SELECT * FROM shop.allowance_campaigns
        WHERE merchant_id = $1
          AND CASE $3::boolean WHEN true THEN starts_at <= $2 AND $2 < ends_at WHEN false THEN ends_at <= $2
                               ELSE true END
          AND ($4::text IS NULL OR (starts_at, campaign_id) < (
              SELECT starts_at, campaign_id FROM shop.allowance_campaigns WHERE campaign_id = $4 AND merchant_id = $1
          ))
        ORDER BY starts_at DESC, campaign_id DESC LIMIT $5
        """,
        merchant_id,
        at,
        running,
        after,
        limit,
    )
    return tuple(map(_campaign, rows))


def _campaign(row: asyncpg.Record) -> AllowanceCampaign:
    return AllowanceCampaign.model_validate(dict(row))
