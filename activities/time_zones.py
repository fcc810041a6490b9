"""In which zone people read moments: the one of the profile that a case, an order or an allowance goes by (G6)."""

from collections.abc import Callable

from activities.postgres import allowances, case_rows, orders
from activities.postgres.connection import Connection
from workflows.messages.policy import Policy


async def time_zone_of(connection: Connection, subject: str, policy_now: Callable[[str], Policy | None]) -> str | None:
    """The zone of a case's own profile, or of an order's or an allowance's as it is in force.

    A name of the IANA data base; None for Asia/Shanghai, and where there is no such thing.
    """
    if "/" in subject:
        gone_by = await case_rows.policies_of(connection, subject)
        return max(gone_by, key=lambda each: each.version).time_zone if gone_by else None
    marketplace = await orders.marketplace_of(connection, subject)
    marketplace = marketplace or await allowances.marketplace_of(connection, subject)
    policy = policy_now(marketplace) if marketplace else None
    return policy.time_zone if policy else None
