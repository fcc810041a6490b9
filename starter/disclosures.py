"""What merchants' back ends see of persons: shown, revealed with a record, exported in bulk (P1, P2, P5)."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime
from typing import Final, Protocol

import asyncpg
from pydantic import SecretStr

from activities.policies import Policies
from activities.postgres import disclosures, exports, looks
from activities.postgres.connection import Connection
from activities.postgres.exports import RowT
from activities.postgres.looks import Look, Looker
from activities.postgres.vault import Vault
from starter.archived_cases import ArchivedCases
from starter.database import transaction
from starter.errors import NoReturnAddress, UnknownCase, UnknownOrder
from workflows.messages.actors import Actor, Role
from workflows.messages.cases import Refusal
from workflows.messages.disclosures import (
    BuyQuota,
    Export,
    ExportKind,
    ExportRow,
    OrderExportRow,
    Quota,
    Reveal,
    Revealed,
    RevealField,
    ShownRecipient,
    ShownReturnAddress,
    StartExport,
    StartOrderExport,
)
from workflows.messages.surfaces import Surface
from workflows.rules.reasons import label_of

_PAGE: Final = 50


class NumberSource(Protocol):
    """What gives virtual numbers (P3)."""

    async def obtain(self, subject: str, by: Actor) -> SecretStr | Refusal:
        """The virtual number of an order or case, by its number or id; or why there is none, as for the forgotten.

        The number that is valid now is given again. Whether ``by`` may have it has been looked at.
        """
        ...


class Disclosures:
    """Persons' data as back ends get it. Another merchant's order or case is the same as an unknown one.

    Every method raises ``Unreachable`` where the database does not answer; nothing was given then.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        vault: Vault,
        numbers: NumberSource,
        reveals_per_hour: int,
        policies: Policies | None = None,
        archived: ArchivedCases | None = None,
    ) -> None:
        """``reveals_per_hour`` is how much an actor may be shown or reveal within any hour (P2, P8)."""
        self._policies = policies or Policies()
        self._pool = pool
        self._archived = archived or ArchivedCases(pool)
        self._vault = vault
        self._numbers = numbers
        self._reveals_per_hour = reveals_per_hour

    async def show(self, order_no: str, surface: Surface, viewer: Actor) -> ShownRecipient:
        """An order's recipient as ``surface`` shows it to its merchant, its buyer or the platform (P1).

        What is shown in full is recorded as a look, unless the buyer sees its own; a real phone or street counts
        against the hourly limit (P8). A waybill shows them once it was made.

        Raises:
            UnknownOrder: there is no such order, or it is another's.
            TooManyReveals: as much was seen within the last hour as is allowed; it says when to try again.
        """
        async with transaction(self._pool) as connection:
            found = await disclosures.show(
                connection, self._vault, order_no, surface, viewer, self._reveals_per_hour, datetime.now(UTC)
            )
        if found is None:
            raise UnknownOrder(order_no)
        return found

    async def return_address(self, case_id: str, viewer: Actor) -> ShownReturnAddress:
        """Where the goods of a return or exchange are sent to: for the case's buyer and its merchant (T12).

        Each reading is recorded, and counts against the hourly limit (P8).

        Raises:
            UnknownCase: there is no such case, or the viewer is neither its buyer nor its merchant.
            NoReturnAddress: none was chosen yet.
            TooManyReveals: as much was seen within the last hour as is allowed; it says when to try again.
            ArchiveAway: the case is in the archive alone, which cannot be read.
        """

        async def looked_up(connection: Connection) -> ShownReturnAddress | Refusal | None:
            return await disclosures.return_address(
                connection, self._vault, case_id, viewer, self._reveals_per_hour, datetime.now(UTC)
            )

        async with transaction(self._pool) as connection:
            found = await looked_up(connection)
        if isinstance(found, Refusal):  # perhaps because its log is away; nobody but its parties learns that
            async with self._archived.whole(case_id) as connection, connection.transaction():
                found = await looked_up(connection)
        match found:
            case None:
                raise UnknownCase(case_id)
            case Refusal() as refusal:
                raise NoReturnAddress(refusal)
            case address:
                return address

    async def reveal(self, wish: Reveal) -> Revealed:
        """Real name and address, and a virtual number, at an own case or order; each field is a recorded look (P2).

        The same key within an hour is the same look: to be sent again after an error.

        Raises:
            UnknownOrder, UnknownCase: there is no such order or case, or it is another merchant's.
            TooManyReveals: as many were made within the last hour as are allowed; it says when to try again.
            OtherLookUnderKey: the key stands for another look.
        """
        async with transaction(self._pool) as connection:
            revealed = await disclosures.reveal(
                connection, self._vault, wish, self._reveals_per_hour, datetime.now(UTC)
            )
        if revealed is None:
            raise UnknownCase(wish.subject) if "/" in wish.subject else UnknownOrder(wish.subject)
        if RevealField.VIRTUAL_NUMBER not in wish.fields or revealed.number_refusal:
            return revealed
        match await self._numbers.obtain(wish.subject, wish.by):
            case Refusal() as refusal:
                return revealed.model_copy(update={"number_refusal": refusal})
            case number:
                return revealed.model_copy(update={"virtual_number": number})

    async def looks(
        self,
        by: Actor,
        *,
        subject: str | None = None,
        person: str | None = None,
        actor: Actor | Looker | None = None,
    ) -> tuple[Look, ...]:
        """Who looked, oldest first (P2): of the platform all looks, of a merchant those at its own orders and cases.

        Args:
            by: Who asks: a merchant, or the platform.
            subject: Only at this case, or at this order and its cases.
            person: Only at what is this person's: ``buyer/<id>`` or ``merchant/<id>``.
            actor: Only this one's.

        Raises:
            ValueError: nothing says which looks are meant, or nobody else may ask.
        """
        if subject is None and person is None and actor is None:
            raise ValueError("say of which order, case, person or actor (P2)")
        if by.role not in {Role.MERCHANT, Role.PLATFORM}:
            raise ValueError("the record of looks is for the merchant and the platform (P2)")
        merchant_id = None if by.role is Role.PLATFORM else by.id
        async with transaction(self._pool) as connection:
            return await looks.looks(connection, merchant_id, subject=subject, person=person, actor=actor)

    async def buy_quota(self, wish: BuyQuota) -> Quota:
        """The platform adds to a merchant's quota of virtual numbers what it has bought (P5).

        Raises:
            OtherPurchaseUnderKey: the key stands for another purchase.
        """
        async with transaction(self._pool) as connection:
            return await exports.buy(connection, wish, datetime.now(UTC))

    async def quota(self, merchant_id: str) -> Quota:
        """What is left of it (P5)."""
        async with transaction(self._pool) as connection:
            return await exports.quota_of(connection, merchant_id)

    async def start_export(self, wish: StartExport) -> Export:
        """Choose the rows of an export, and how many they are; the same key is the same export (P5).

        Raises:
            OtherExportUnderKey: the key stands for another request.
            ExportTooLarge: it would have too many rows: ask for a shorter time.
        """
        return await self._start(wish)

    async def start_order_export(self, wish: StartOrderExport) -> Export:
        """Choose the orders of an export, with or without cases, each once. Errors as above (P5)."""
        return await self._start(wish)

    async def export(self, wish: StartExport, *, after: int = 0) -> AsyncGenerator[ExportRow]:
        """The rows of an export behind row ``after``: 0 for all, the last that arrived after an interruption (P5).

        The same key gives the same rows for a week. Virtual numbers are debited page by page, one for each order,
        before a page is given; what was debited is given again for nothing.

        Raises:
            OtherExportUnderKey: the key stands for another request.
            ExportOver: it began too long ago.
            QuotaTooSmall: the quota does not cover the next page; once it does, the export goes on.
        """
        async for row in self._rows(wish, ExportRow, after):
            policy = self._policies.get(row.policy.partition("/")[0]) if row.policy else None
            yield row.model_copy(update={"reason_label": label_of(row.reason, policy)})

    async def export_orders(self, wish: StartOrderExport, *, after: int = 0) -> AsyncGenerator[OrderExportRow]:
        """The orders of an export behind row ``after``; all else as in ``export``, errors included (P5)."""
        async for row in self._rows(wish, OrderExportRow, after):
            yield row

    async def _start(self, wish: exports.Wish) -> Export:
        async with transaction(self._pool) as connection:
            return await exports.start(connection, wish, datetime.now(UTC))

    async def _rows(self, wish: exports.Wish, shape: type[RowT], after: int) -> AsyncGenerator[RowT]:
        export = await self._start(wish)
        while rows := await self._page(export, shape, after, wish.by):
            for row in rows:
                yield row
            after = rows[-1].row

    async def _page(self, export: Export, shape: type[RowT], after: int, by: Actor) -> list[RowT]:
        async with transaction(self._pool) as connection:
            rows = await exports.page(connection, self._vault, export, shape, after, _PAGE, datetime.now(UTC))
            if export.kind is not ExportKind.VIRTUAL_NUMBERS:
                return rows
            orders = {row.order_no for row in rows if row.order_no and row.contact}
            # Before any number is obtained: nothing is bound that could not be given.
            await exports.require_quota(connection, export, orders)
        numbers = await self._obtain(orders, by)
        async with transaction(self._pool) as connection:
            had = [order_no for order_no, number in numbers.items() if isinstance(number, SecretStr)]
            await exports.debit(connection, export, had, by, datetime.now(UTC))
        return [_numbered(row, numbers) for row in rows]

    async def _obtain(self, orders: set[str], by: Actor) -> dict[str, SecretStr | Refusal]:
        async def one(order_no: str) -> tuple[str, SecretStr | Refusal]:
            return order_no, await self._numbers.obtain(order_no, by)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(order_no)) for order_no in sorted(orders)]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        return dict(task.result() for task in tasks)


def _numbered(row: RowT, numbers: Mapping[str, SecretStr | Refusal]) -> RowT:
    if row.contact is None or row.order_no is None:
        return row
    match numbers[row.order_no]:
        case Refusal(code=code):
            return row.model_copy(update={"number_refused": code})
        case number:
            return row.model_copy(update={"contact": row.contact.model_copy(update={"virtual_number": number})})
