"""Under which address a recipient is reached: opened from the vault when a notice is sent, and kept nowhere else."""

import asyncpg
from pydantic import SecretStr

from activities.notices.channels import ChannelName
from activities.postgres.vault import Vault
from workflows.messages.actors import Actor, Role
from workflows.messages.persons import buyer_person, merchant_person


class VaultAddresses:
    """The e-mail addresses and phone numbers that the vault keeps of buyers and merchants (P6)."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault) -> None:
        self._pool = pool
        self._vault = vault

    async def address(self, to: Actor, channel: ChannelName) -> SecretStr | None:
        """The recipient's address for a channel; None where it is not known, or the person was forgotten."""
        match to.role:
            case Role.BUYER:
                person = buyer_person(to.id)
            case Role.MERCHANT:
                person = merchant_person(to.id)
            case _:
                return None
        async with self._pool.acquire() as connection:
            reach = await self._vault.reach(connection, person)
        if reach is None:
            return None
        match channel:
            case ChannelName.E_MAIL:
                return reach.e_mail
            case ChannelName.SMS:
                return reach.phone
            case _:
                return None
