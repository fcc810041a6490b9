"""Where nobody is asked: no carrier and no provider of virtual numbers, as ``none`` in their settings (X1).

Unlike a stand-in these say nothing that is not so, which is why production takes them.
"""

from datetime import datetime

from pydantic import SecretStr

from activities.gateways.carrier import Carrier
from activities.gateways.numbers import NotBound, NumberProvider, PoolDry
from workflows.messages.message import Instant
from workflows.messages.parcels import CarrierEvent, Parcel
from workflows.messages.virtual_numbers import VirtualNumber


class NoCarrier(Carrier):
    """No carrier can be asked: of a parcel only that is known which was pushed, or which a party said."""

    async def track(self, parcel: Parcel, asked_at: Instant) -> tuple[CarrierEvent, ...]:
        """Nothing more than was pushed, which whoever asks has anyway: an overdue return goes to an operator (T6)."""
        return ()

    async def ping(self) -> str:
        """For ``aftersales doctor``."""
        return "nobody is asked: parcels are known as they are pushed, or as parties tell of them"


class NoNumbers(NumberProvider):
    """No virtual numbers: whoever asks for one is refused (`no_number_free`, P3)."""

    async def bind(
        self,
        subject: str,
        key: str,
        phone: SecretStr,
        *,
        until: datetime | None,
        at: datetime,
        wanted: VirtualNumber | None = None,
    ) -> VirtualNumber:
        """Never a number.

        Raises:
            PoolDry: always.
        """
        raise PoolDry

    async def extend(self, subject: str, key: str, *, until: datetime, at: datetime) -> None:
        """Nothing is bound.

        Raises:
            NotBound: always.
        """
        raise NotBound

    async def unbind(self, subject: str, key: str, *, at: datetime) -> None:
        """Nothing is bound, so that nothing is left to do."""

    async def ping(self) -> str:
        """For ``aftersales doctor``."""
        return "nobody: there are no virtual numbers"
