"""Persons' keys without a key store, for tests about something else; ``test_vault`` has the real ones."""

from collections.abc import Mapping

from activities.postgres.lookup import LookupKey
from activities.postgres.person_keys import PersonKeys
from activities.postgres.vault import Vault


class OwnKeys(PersonKeys):
    """Each text is wrapped in its person and what it is, and opens as that only."""

    def __init__(self) -> None:
        self.forgotten: set[str] = set()

    async def seal(self, person: str, context: str, plain: bytes, *, place: str = "") -> bytes:
        return b"\n".join((person.encode(), f"{context} {place}".encode(), plain[::-1]))

    async def unseal_many(self, context: str, sealed: Mapping[str, bytes]) -> list[bytes | None]:
        return [self._opened(f"{context} {place}", each) for place, each in sealed.items()]

    def _opened(self, context: str, sealed: bytes) -> bytes | None:
        person, what, plain = sealed.split(b"\n", 2)
        assert what == context.encode()
        return None if person.decode() in self.forgotten else plain[::-1]


KEYS = OwnKeys()


def vault(lookup_key: bytes = b"tests") -> Vault:
    """A vault on these keys."""
    return Vault(KEYS, LookupKey(lookup_key))
