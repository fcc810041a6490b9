"""One lock for each person: what is written of somebody and forgetting them come one after the other (section 8).

Whoever keeps something of a person holds the lock until its transaction ends, beside others who do the same. Whoever
forgets the person waits for them, and lets nobody write meanwhile: so nothing is written under a key that is being
destroyed, and nothing is left that was written while it was.
"""

from datetime import datetime

from activities.postgres.connection import Connection

_LOCK = "hashtextextended('vault.person/' || $1, 0)"


async def hold(connection: Connection, person: str) -> None:
    """Let nobody forget the person before this transaction ends."""
    await connection.execute(f"SELECT pg_advisory_xact_lock_shared({_LOCK})", person)


async def take(connection: Connection, person: str) -> None:
    """Let nobody keep anything of the person before this transaction ends; READ COMMITTED, to see what they kept."""
    await connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})", person)


async def forgotten_since(connection: Connection, person: str, moment: datetime) -> bool:
    """Whether the person was forgotten at this moment or later."""
    return await connection.fetchval(
        "SELECT EXISTS (SELECT FROM vault.erasures WHERE person = $1 AND at >= $2)", person, moment
    )
