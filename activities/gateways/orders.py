"""Where orders are looked up."""

from typing import Protocol

from workflows.messages.orders import OrderFacts


class OrderDirectory(Protocol):
    """The marketplace's orders, as far as cases need them: ids, amounts, moments; nothing of a person."""

    async def find(self, order_no: str) -> OrderFacts | None:
        """The order as it stands now, or None where there is none. Amounts in minor units, moments in UTC.

        Raises:
            Exception: the directory cannot be reached; asking again later is right.
        """
        ...

    async def of_buyer(self, merchant_id: str, buyer_id: str) -> list[str]:
        """The numbers of a buyer's orders at one merchant, the latest paid first (R9).

        Raises:
            Exception: the directory cannot be reached; asking again later is right.
        """
        ...
