"""Where orders come from, beside what the order system pushes (X1, X2)."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Protocol


class OrderSource(Protocol):
    """A platform's stream of orders and their changes, for who would rather have it read than push it.

    Cases work on our copy, whichever way it is filled: nothing else asks the order system for an order.
    """

    def changes(self) -> AsyncGenerator[bytes]:
        """The changes that were not answered yet, then those to come: it waits where there is none, and does not end.

        Each is the JSON text of an `OrderChange`: all of the order as it stands from a version on. They may come late,
        again and out of order. Several processes of the HTTP service read at the same time.

        Raises:
            Exception: the stream has broken. It is asked for again a little later.
        """
        ...

    async def answered(self, change: bytes, answer: Mapping[str, Any]) -> None:
        """What came of a change, as a push is answered: ``outcome``, and ``problems`` where it was refused.

        Called once each, in the order of ``changes``, before the next is asked for. What was not answered must come
        again when ``changes`` is called anew: acknowledge it here, and keep a refused one where somebody sees to it.

        Raises:
            Exception: it could not be noted. The change comes again, which is harmless.
        """
        ...
