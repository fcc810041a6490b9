"""Finding cases by a customer's name, phone or account without keeping either in clear (section 12, P6)."""

from collections.abc import Mapping
from contextlib import suppress

from activities.postgres.connection import Connection
from activities.postgres.lookup import LOOKUPS, Kind, LookupKey


async def replace(
    connection: Connection, key: LookupKey, merchant_id: str, subject: str, person: str, values: Mapping[Kind, str]
) -> None:
    """Let an order or allowance be found by these values, ``name``, ``phone``, ``account``, and by no others.

    Not by one that has nothing in it to be found by: shops write a dash for a phone that they do not know (P7).
    """
    found: dict[Kind, str] = {}
    for field, value in values.items():
        with suppress(ValueError):
            found[field] = LOOKUPS[field](key, value)
    await connection.execute("DELETE FROM vault.lookups WHERE subject = $1 AND merchant_id = $2", subject, merchant_id)
    await connection.executemany(
        "INSERT INTO vault.lookups (merchant_id, hash, subject, field, person) VALUES ($1, $2, $3, $4, $5)",
        [(merchant_id, hashed, subject, field, person) for field, hashed in found.items()],
    )


async def of_subject(connection: Connection, subject: str) -> tuple[str, ...]:
    """The hashes by which an order or allowance is found, in a fixed order."""
    rows = await connection.fetch("SELECT DISTINCT hash FROM vault.lookups WHERE subject = $1 ORDER BY 1", subject)
    return tuple(row["hash"] for row in rows)
