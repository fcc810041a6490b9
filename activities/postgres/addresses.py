"""The merchants' address books: where goods are sent back to (T2).

An address is given to a case as one of its versions, which is never changed: what a merchant edits or removes
later does not move parcels that are under way. Every change takes the address book's lock, so that a merchant
with addresses has exactly one default.
"""

from datetime import datetime

import asyncpg

from activities.postgres.connection import Connection
from activities.postgres.vault import is_contact_of
from workflows.messages.addresses import Region, ReturnAddress, SaveAddress


class DefaultAddressNeeded(ValueError):  # noqa: N818 -- it is a finding, not a fault
    """The default address cannot go while there are others: make another one the default first (T2)."""


class ContactOfOthers(ValueError):  # noqa: N818 -- it is a finding, not a fault
    """The vault has no such contact of this merchant's: an address must not show somebody else's (T2)."""


async def save(connection: Connection, address: SaveAddress, at: datetime) -> ReturnAddress:
    """Add an address, or write a new version of it; the same once more changes nothing (T2).

    A merchant's first address is the default, also unasked. The default moves only by making another address
    the default. An address that was removed comes back.

    Raises:
        ContactOfOthers: its details are not a contact of this merchant's.
    """
    if not await is_contact_of(connection, address.details, address.merchant_id):
        raise ContactOfOthers(f"the vault has no such contact of {address.merchant_id}")
    await _lock(connection, address.merchant_id)
    known = await connection.fetchrow(
        f"{_SELECT} WHERE merchant_id = $1 AND address_id = $2 AND version = current",
        address.merchant_id,
        address.address_id,
    )
    before = _address(known) if known else None
    version = _version_after(before, address)
    is_default = (before is not None and before.is_default) or await _becomes_default(connection, address)
    await connection.execute(
        """
        INSERT INTO shop.return_addresses (merchant_id, address_id, version, is_default)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (merchant_id, address_id)
        DO UPDATE SET version = excluded.version, is_default = excluded.is_default, removed_at = NULL
        """,
        address.merchant_id,
        address.address_id,
        version,
        is_default,
    )
    if before is None or version > before.version:
        await _insert_version(connection, address, version, at)
    return ReturnAddress(
        merchant_id=address.merchant_id,
        address_id=address.address_id,
        region=address.region,
        details=address.details,
        is_default=is_default,
        version=version,
    )


async def remove(connection: Connection, merchant_id: str, address_id: str, at: datetime) -> bool:
    """Take an address out of the address book; False where it is not in it. Cases that have it keep it.

    Raises:
        DefaultAddressNeeded: it is the default, and there are others.
    """
    await _lock(connection, merchant_id)
    book = await address_book(connection, merchant_id)
    found = next((each for each in book if each.address_id == address_id), None)
    if found is None:
        return False
    if found.is_default and len(book) > 1:
        raise DefaultAddressNeeded(f"address {address_id} is the default of {merchant_id}, which has others")
    await connection.execute(
        """
        UPDATE shop.return_addresses SET is_default = false, removed_at = $3
        WHERE merchant_id = $1 AND address_id = $2
        """,
        merchant_id,
        address_id,
        at,
    )
    return True


async def address_book(connection: Connection, merchant_id: str) -> tuple[ReturnAddress, ...]:
    """All addresses that the merchant can pick from, the default first, then by their ids."""
    rows = await connection.fetch(
        f"""
        {_SELECT} WHERE merchant_id = $1 AND version = current AND removed_at IS NULL
        ORDER BY is_default DESC, address_id COLLATE "C"
        """,
        merchant_id,
    )
    return tuple(_address(row) for row in rows)


async def choose(connection: Connection, merchant_id: str, address_id: str | None) -> ReturnAddress | None:
    """The address that a return is to go to: the one picked, or the default where that is None (T2).

    None where the merchant has no such address: it is removed, another merchant's, or the book is empty.
    """
    row = await connection.fetchrow(
        f"""
        {_SELECT} WHERE merchant_id = $1 AND version = current AND removed_at IS NULL
            AND CASE WHEN $2::text IS NULL THEN is_default ELSE address_id = $2 END
        """,
        merchant_id,
        address_id,
    )
    return _address(row) if row else None


async def version_of(connection: Connection, merchant_id: str, address_id: str, version: int) -> ReturnAddress | None:
    """The address as a case was given it, also when it was changed or removed since (T2)."""
    row = await connection.fetchrow(
        f"{_SELECT} WHERE merchant_id = $1 AND address_id = $2 AND version = $3",
        merchant_id,
        address_id,
        version,
    )
    return _address(row) if row else None


_SELECT = """
    SELECT * FROM (
        SELECT addresses.merchant_id, addresses.address_id, addresses.version AS current, is_default, removed_at,
               versions.version, province, city, district, details
        FROM shop.return_addresses AS addresses
        JOIN shop.return_address_versions AS versions USING (merchant_id, address_id)
    ) AS book
"""


async def _lock(connection: Connection, merchant_id: str) -> None:
    # There may be no row yet whose lock could be taken.
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('shop.return_addresses/' || $1, 0))", merchant_id
    )


async def _becomes_default(connection: Connection, address: SaveAddress) -> bool:
    """Whether an address that is not the default becomes it; the one that was it is it no longer."""
    if address.is_default:
        await connection.execute(
            "UPDATE shop.return_addresses SET is_default = false WHERE merchant_id = $1 AND is_default",
            address.merchant_id,
        )
        return True
    return await choose(connection, address.merchant_id, None) is None


def _version_after(before: ReturnAddress | None, address: SaveAddress) -> int:
    if before is None:
        return 1
    unchanged = (before.region, before.details) == (address.region, address.details)
    return before.version if unchanged else before.version + 1


async def _insert_version(connection: Connection, address: SaveAddress, version: int, at: datetime) -> None:
    await connection.execute(
        """
        INSERT INTO shop.return_address_versions
            (merchant_id, address_id, version, province, city, district, details, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        address.merchant_id,
        address.address_id,
        version,
        address.region.province,
        address.region.city,
        address.region.district,
        address.details,
        at,
    )


def _address(row: asyncpg.Record) -> ReturnAddress:
    return ReturnAddress(
        merchant_id=row["merchant_id"],
        address_id=row["address_id"],
        region=Region(province=row["province"], city=row["city"], district=row["district"]),
        details=row["details"],
        is_default=row["is_default"],
        version=row["version"],
        removed=row["removed_at"] is not None,
    )
