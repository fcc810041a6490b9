"""Refunds through a Stripe that others have written: PyPI `localstripe`.

It knows the shapes of Stripe's API. It refuses no refund beyond its charge and heeds no idempotency key, so what hangs
on those is tried against the server of ``stripe_server``.
"""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from activities.gateways.payment import Charge, GatewayAnswer, NotFound, RefundInstruction
from activities.gateways.stripe import StripeRefunds
from activities.gateways.stripe_settings import StripeSettings
from tests.patience import PATIENCE
from workflows.messages.commands import GatewayResult

KEY = "sk_test_12345"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def base(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Where the server is. It listens on a port that was free a moment ago."""
    home = tmp_path_factory.mktemp("localstripe")
    with socket.socket(socket.AF_INET6) as free:
        free.bind(("::", 0))
        port = free.getsockname()[1]
    log = (home / "log").open("wb")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "localstripe", "--port", str(port), "--from-scratch"),
        cwd=home,
        env={**os.environ, "HOME": str(home), "TMPDIR": str(home)},
        stdout=log,
        stderr=log,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        await _answers(address, process, home)
        yield address
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        log.close()


async def _answers(address: str, process: asyncio.subprocess.Process, home: Path) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE):
        while True:
            assert process.returncode is None, (home / "log").read_text()
            try:
                async with session.get(address):
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)


async def charged(base: str, amount: int, currency: str) -> tuple[str, str]:
    """A payment of somebody's; the ids of the payment intent and of the charge."""
    headers = {"Authorization": f"Bearer {KEY}"}
    card = {"type": "card", "card[number]": "4242424242424242", "card[exp_month]": "12", "card[cvc]": "123"}
    async with aiohttp.ClientSession(base, headers=headers) as session:
        async with session.post("/v1/payment_methods", data=card | {"card[exp_year]": "2040"}) as answer:
            method = (await answer.json())["id"]
        paid = {"amount": str(amount), "currency": currency, "payment_method": method, "confirm": "true"}
        async with session.post("/v1/payment_intents", data=paid) as answer:
            intent = await answer.json()
    return intent["id"], intent["latest_charge"]["id"]


def told(transaction: str, amount: int, currency: str) -> RefundInstruction:
    return RefundInstruction(
        refund_no="RF0123456789abcdef0123-1-1",
        merchant_id="m-1",
        fund="order/DY-1",
        tender="1",
        charge=Charge(transaction=transaction, total=amount, currency=currency),
        account=None,
        amount=amount,
        currency=currency,
    )


@pytest.mark.parametrize("by_intent", [False, True])
async def test_a_refund_is_paid_once_and_found_again(base: str, by_intent: bool) -> None:
    intent, charge = await charged(base, 900, "usd")
    instruction = told(intent if by_intent else charge, 900, "USD")
    async with StripeRefunds(StripeSettings.model_validate({"secret_key": KEY, "api_base": base})) as stripe:
        assert await stripe.inquire(instruction) == NotFound(refund_no=instruction.refund_no)
        answer = await stripe.submit(instruction)
        assert (answer.result, answer.attempt) == (GatewayResult.SUCCEEDED, 1)
        assert answer.gateway_ref
        assert answer.gateway_ref.startswith("re_")
        # This server pays again under the same key: that it does not come to this is the adapter's own doing.
        assert await stripe.submit(instruction) == answer
        assert await stripe.inquire(instruction) == answer
        again = instruction.model_copy(update={"attempt": 2})
        assert await stripe.inquire(again) == NotFound(refund_no=instruction.refund_no)


async def test_a_charge_that_nobody_made_is_refused(base: str) -> None:
    async with StripeRefunds(StripeSettings.model_validate({"secret_key": KEY, "api_base": base})) as stripe:
        answer = await stripe.submit(told("ch_of_nobody", 900, "USD"))
        assert isinstance(answer, GatewayAnswer)
        assert (answer.result, answer.raw) == (GatewayResult.FAILED, "invalid_request_error")
