"""``none`` where no carrier is asked and no number is lent: what production starts with that has neither (X1)."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from pydantic import SecretStr

from activities.gateways.numbers import PoolDry
from starter.adapters import Adapters, refuse_stubs, sign_of_life
from starter.settings import Settings
from workflows.messages.parcels import Parcel

NOW = datetime(2026, 11, 20, tzinfo=UTC)
NOTHING = cast("Any", None)
NOBODY = Settings(carriers="none", numbers="none")


def test_production_takes_nobody_where_it_refuses_a_stub() -> None:  # X1
    production = NOBODY.model_copy(update={"environment": "production"})

    refuse_stubs(production, "carriers", "numbers")


async def test_nobody_knows_of_a_parcel_and_no_number_is_free() -> None:  # T6, P3
    async with AsyncExitStack() as stack:
        adapters = await Adapters.opened(NOBODY, stack, NOTHING, NOTHING)

        assert await adapters.carriers.track(Parcel(carrier="sf", tracking_no="SF123"), NOW) == ()
        with pytest.raises(PoolDry):
            await adapters.numbers.bind("order/O-1", "1", SecretStr("13800138000"), until=None, at=NOW)
        await adapters.numbers.unbind("order/O-1", "1", at=NOW)


@pytest.mark.parametrize("port", ["carriers", "numbers"])
async def test_doctor_says_that_nobody_is_there(port: str) -> None:  # X1
    assert "none: nobody" in await sign_of_life(NOBODY, port, NOTHING, NOTHING)
