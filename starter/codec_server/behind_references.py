"""What is behind a reference, and how much of it an operator and an auditor see (P1, P2)."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import asyncpg

from activities.postgres import flags, looks, statements
from activities.postgres.connection import Connection
from activities.postgres.dossiers import dossier
from activities.postgres.looks import Looker
from activities.postgres.no_answer import NO_ANSWER
from activities.postgres.vault import Vault
from starter.codec_server.access import Caller
from starter.codec_server.dossier_note import dossier_note
from workflows.messages import actors
from workflows.messages.dossiers import DOSSIER
from workflows.messages.flags import REMARKS
from workflows.messages.surfaces import Field, Surface
from workflows.rules.bilingual import in_force
from workflows.rules.masking import shown

SURFACE: Final = "codec"
MOST_REFERENCES: Final = 200
"""So many of a request's references are looked up; those behind them stay without a note."""
_OVER: Final = " (masked: as much was seen within the hour as is allowed, P8)"
_GONE: Final = "forgotten, or never kept"
_SILENT: Final = "the vault does not answer"
_ANSWERS_WITHIN_SECONDS: Final = 5


@dataclass(frozen=True)
class _Piece:
    """One piece of a person's data: its clear value, and what is shown of it to whom it is masked."""

    field: str
    clear: str
    masked: str


class BehindReferences:
    """Reads the vault for those who look at payloads."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault, per_hour: int) -> None:
        """``per_hour`` is how many real phones and streets an auditor may see within any hour (P8)."""
        self._pool = pool
        self._vault = vault
        self._per_hour = per_hour

    async def masked(self, references: Sequence[str]) -> Mapping[str, str]:
        """A note for each reference, without anything that masking hides (P1).

        Where the vault does not answer the notes say so: a case's page is needed most when something is broken.

        Raises:
            UnknownKey: an item is under a key that the ring does not hold.
            Tampered: an item was changed.
        """
        wanted = references[:MOST_REFERENCES]
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN_SECONDS), self._pool.acquire() as connection:
                found = await self._pieces(connection, wanted)
        except (TimeoutError, *NO_ANSWER):
            return dict.fromkeys(wanted, _SILENT)
        return {reference: _note([each.masked for each in pieces]) for reference, pieces in found.items()}

    async def clear(self, references: Sequence[str], auditor: Caller) -> Mapping[str, str]:
        """A note for each reference with the values themselves; each of them is on record before this returns (P2).

        Of more phones and streets than the auditor may see within an hour the masks are given, and said to be (P8).
        The same reference counts once an hour: a page that is opened is loaded again and again.

        Raises:
            UnknownKey: an item is under a key that the ring does not hold.
            Tampered: an item was changed.
            OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError: it cannot be read or recorded.
        """
        wanted = references[:MOST_REFERENCES]
        async with self._pool.acquire() as connection, connection.transaction():
            found = await self._pieces(connection, wanted)
            by, at = Looker(role=auditor.role, id=auditor.subject), datetime.now(UTC)
            over = await self._over_the_limit(connection, by, found, at)
            alike: dict[tuple[str, ...], list[str]] = {}
            for reference, pieces in found.items():
                if reference not in over:
                    fields = tuple(each.field for each in pieces if each.clear != each.masked)
                    alike.setdefault(fields, []).append(reference)
            for fields, same in alike.items():
                await looks.record(connection, by, None, list(map(_subject, same)), fields, SURFACE, auditor.reason, at)
        return {
            reference: _note([each.masked for each in pieces]) + _OVER
            if reference in over
            else _note([each.clear for each in pieces])
            for reference, pieces in found.items()
        }

    async def _over_the_limit(
        self, connection: Connection, by: Looker, found: Mapping[str, Sequence[_Piece]], at: datetime
    ) -> frozenset[str]:
        seen = await looks.seen_lately(connection, by, at)
        counted = [
            reference
            for reference, pieces in found.items()
            if reference not in seen and any(each.field in looks.COUNTED for each in pieces)
        ]
        return frozenset(counted[max(0, self._per_hour - len(seen)) :])

    async def _pieces(self, connection: Connection, wanted: Sequence[str]) -> dict[str, list[_Piece]]:
        return {reference: await self._behind(connection, reference) for reference in wanted}

    async def _behind(self, connection: Connection, reference: str) -> list[_Piece]:
        if reference.startswith(REMARKS):
            return await self._remarks(connection, reference.removeprefix(REMARKS))
        if reference.startswith(DOSSIER):
            found = await dossier(connection, self._vault.keys, reference.removeprefix(DOSSIER))
            note = dossier_note(found, in_force()) if found else ""
            return [_Piece("dossier", note, note)]
        match reference.removeprefix("vault:").split("/")[0]:
            case "account":
                account = await self._vault.bank_account(connection, reference)
                return (
                    []
                    if account is None
                    else [
                        _piece(Field.ACCOUNT_NAME, account.holder.get_secret_value()),
                        _piece(Field.ACCOUNT_NUMBER, account.number.get_secret_value()),
                        _Piece("bank", account.bank.get_secret_value(), ""),
                    ]
                )
            case "address":
                contact = await self._vault.contact(connection, reference)
                return (
                    []
                    if contact is None
                    else [
                        _piece(Field.NAME, contact.name.get_secret_value()),
                        _piece(Field.PHONE, contact.phone.get_secret_value()),
                        _piece(Field.ADDRESS, contact.street.get_secret_value()),
                    ]
                )
            case "evidence":
                # Its size and type stand beside it in the payload; what is in it is no text to be shown here.
                return [_Piece("attachment", "attachment", "attachment")]
            case _:
                statement = await statements.read(connection, self._vault.keys, reference)
                if statement is None or statement.text is None:
                    return []
                text = statement.text.get_secret_value()
                return [_Piece("statement", text, f"statement of {len(text)} characters")]

    async def _remarks(self, connection: Connection, case_id: str) -> list[_Piece]:
        """Section 12: what is noted down about a case, and where; how much where words are masked."""
        found = await flags.remarks_of(connection, self._vault.keys, None, case_id)
        if not found:
            return [_Piece("remark", "none", "none")]
        return [
            _Piece(
                "remark",
                f"{each.subject}: {each.text.get_secret_value() if each.text else 'forgotten'}",
                f"{each.subject}: {len(each.text.get_secret_value()) if each.text else 0} characters",
            )
            for each in found
        ]


def _piece(field: Field, clear: str) -> _Piece:
    return _Piece(field, clear, shown(Surface.DEFAULT, actors.Role.PLATFORM, field, clear))


def _subject(reference: str) -> str:
    """What a look at a reference is recorded at: of remarks it is the case."""
    return reference.removeprefix(REMARKS).removeprefix(DOSSIER)


def _note(values: Sequence[str]) -> str:
    return ", ".join(each for each in values if each) or _GONE
