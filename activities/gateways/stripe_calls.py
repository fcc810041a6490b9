"""Calls of Stripe's API, and what is known after one that failed (section 10)."""

import logging
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self, cast

import aiohttp
from pydantic import BaseModel, ConfigDict

from activities.gateways.bounded_answers import read_whole
from activities.gateways.payment import Charge, GatewayUnreachable, NotSent
from activities.gateways.stripe_answers import ACCOUNT_SHORT, StripeRefund, printable
from activities.gateways.stripe_settings import StripeSettings

if TYPE_CHECKING:
    import stripe
    from stripe.params import BalanceTransactionListParams, RefundCreateParams, RefundListParams

ASKING_SECONDS: Final = 1.5
SENDING_SECONDS: Final = 3.0
"""Together below ``GIVE_UP_AFTER``: a refund is asked for, then sent."""
CONNECTIONS: Final = 50
_PAGE: Final = 100
_RATE_LIMITED: Final = timedelta(seconds=5)
"""Stripe names no moment; its limits are by the second."""
_IN_USE: Final = timedelta(seconds=3)
_REPLAYED: Final = timedelta(hours=1)
"""Stripe repeats what it answered to a key for a day, a server error too: asking again at once brings nothing new."""

_REFUSALS: Final = MappingProxyType(
    {
        "charge_already_refunded": "charge_refunded",
        "charge_disputed": "charge_disputed",
        "balance_insufficient": ACCOUNT_SHORT,
        "insufficient_funds": ACCOUNT_SHORT,
        "resource_missing": "charge_unknown",
        "amount_too_large": "amount_refused",
        "amount_too_small": "amount_refused",
    }
)
"""From the code of an error to our word."""


class Declined(Exception):  # noqa: N818 -- it is an answer
    """Stripe has read the request and will not carry it out: no money moves under it, now or later."""

    def __init__(self, failure: str, raw: str | None) -> None:
        super().__init__(failure)
        self.failure = failure
        self.raw = raw


class Transaction(BaseModel):
    """A line of the account's balance, with the refund that it is of."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    id: str
    created: int
    type: str
    source: StripeRefund


class StripeCalls:
    """Stripe's API over one pool of connections. The SDK repeats nothing by itself."""

    def __init__(self, settings: StripeSettings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._asking: stripe.StripeClient | None = None
        self._sending: stripe.StripeClient | None = None

    async def __aenter__(self) -> Self:
        # It logs what the API answers, texts and bodies, which may tell of persons.
        logging.getLogger("stripe").setLevel(logging.WARNING)
        session = await self._stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS))
        )
        self._asking = self._client(session, ASKING_SECONDS)
        self._sending = self._client(session, SENDING_SECONDS)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def _client(self, session: aiohttp.ClientSession, seconds: float) -> "stripe.StripeClient":
        # Not at the top: who only opens cases has no SDK, and loading it takes a second.
        import stripe  # noqa: PLC0415

        class Bounded(stripe.AIOHTTPClient):
            """It reads no more of an answer than any has, and lets go of the connection whatever comes."""

            async def request_async(
                self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
            ) -> tuple[bytes, int, Mapping[str, str]]:
                asked: Any = self
                args, options = asked._get_request_args_kwargs(method, url, headers, post_data)
                try:
                    answer = await session.request(*args, **options)
                except Exception as error:
                    asked._handle_request_error(error)
                    raise
                try:
                    return await read_whole(answer.content.iter_any()), answer.status, answer.headers
                finally:
                    answer.release()

        return stripe.StripeClient(
            self._settings.secret_key.get_secret_value(),
            base_addresses={"api": self._settings.api_base},
            max_network_retries=0,
            http_client=Bounded(timeout=aiohttp.ClientTimeout(total=seconds), session=session),
        )

    def account_of(self, charge: Charge) -> str | None:
        """Whose account the charge is in; None for the key's own."""
        return charge.account or self._settings.account

    async def refunds_of(self, charge: Charge) -> AsyncIterator[StripeRefund]:
        """The refunds of a charge, ours and others', the newest first.

        Raises:
            GatewayUnreachable: nothing can be said.
            Declined: it cannot be asked so; the charge is not in this account, say.
        """
        params: RefundListParams = {"limit": _PAGE}
        params |= cast("RefundListParams", _reference(charge.transaction))
        while True:
            page = await _heard(_started(self._asking).v1.refunds.list_async(params, self._options(charge)))
            refunds = [StripeRefund.model_validate(each.to_dict()) for each in page.data]
            for refund in refunds:
                yield refund
            if not page.has_more or not refunds:
                return
            params["starting_after"] = _further(params.get("starting_after"), refunds[-1].id)

    async def refund(self, charge: Charge, amount: int, key: str, metadata: Mapping[str, str], *, reverse: bool) -> Any:
        """Send a refund of an amount in Stripe's units.

        Raises:
            Declined: it was not carried out, and will not be under this key.
            NotSent: Stripe has not read it.
            GatewayUnreachable, Exception: nothing is known.
        """
        params: RefundCreateParams = {"amount": amount, "metadata": dict(metadata)}
        params |= cast("RefundCreateParams", _reference(charge.transaction))
        if reverse:
            params["reverse_transfer"] = True
        options: stripe.RequestOptions = self._options(charge) | {"idempotency_key": key}
        return (await _heard(_started(self._sending).v1.refunds.create_async(params, options))).to_dict()

    async def transactions(self, kind: str, account: str | None, since: int, until: int) -> AsyncIterator[Transaction]:
        """The lines of one type on the balance of an account from ``since`` on and before ``until``.

        Raises:
            GatewayUnreachable, Declined, NotSent: nothing can be said.
        """
        params: BalanceTransactionListParams = {
            "type": kind,
            "created": {"gte": since, "lt": until},
            "limit": _PAGE,
            "expand": ["data.source"],
        }
        options = _in_account(account)
        while True:
            page = await _heard(_started(self._sending).v1.balance_transactions.list_async(params, options))
            lines = [Transaction.model_validate(each.to_dict()) for each in page.data]
            for line in lines:
                yield line
            if not page.has_more or not lines:
                return
            params["starting_after"] = _further(params.get("starting_after"), lines[-1].id)

    async def balance(self) -> None:
        """Read the account's balance: a sign of life.

        Raises:
            GatewayUnreachable, Declined, NotSent: Stripe does not answer, or does not know us.
        """
        await _heard(_started(self._asking).v1.balance.retrieve_async(None, _in_account(self._settings.account)))

    def _options(self, charge: Charge) -> "stripe.RequestOptions":
        return _in_account(self.account_of(charge))


def _started(client: "stripe.StripeClient | None") -> "stripe.StripeClient":
    if client is None:
        raise NotSent("not_started")
    return client


def _in_account(account: str | None) -> "stripe.RequestOptions":
    return {"stripe_account": account} if account else {}


def _further(before: str | None, last: str) -> str:
    """After which the next page begins.

    Raises:
        GatewayUnreachable: the page has not led any further, and neither would the next one.
    """
    if last == before:
        raise GatewayUnreachable("same_page_again")
    return last


def _reference(transaction: str) -> dict[str, str]:
    """What was charged, as Stripe's requests name it: a payment intent, or the charge itself."""
    return {"payment_intent" if transaction.startswith("pi_") else "charge": transaction}


async def _heard(asked: Awaitable[Any]) -> Any:
    """The answer; else what is known without one. An error's text may quote what was sent, so it is not passed on."""
    import stripe  # noqa: PLC0415

    try:
        return await asked
    except stripe.StripeError as error:
        known = _known(error)
    raise known


def _known(error: "stripe.StripeError") -> Exception:
    import stripe  # noqa: PLC0415

    code = printable(error.code or _told(error, "code"))
    match error:
        case stripe.APIConnectionError():
            # Only these come from before anything was written: no address, no connection, no TLS.
            if isinstance(error.__cause__, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
                return NotSent("not_connected")
            return GatewayUnreachable("no_answer")
        case stripe.RateLimitError():
            return NotSent(code or "rate_limited", retry_after=_wait(error))
        case stripe.AuthenticationError() | stripe.PermissionError():
            return NotSent(code or "not_permitted")
        case stripe.IdempotencyError():
            return GatewayUnreachable("idempotency_error")
        case stripe.InvalidRequestError() | stripe.CardError() if _told(error, "type"):
            return Declined(_refusal(code, _told(error, "param")), code or printable(_told(error, "type")))
        case _ if error.http_status == 409:
            return GatewayUnreachable(code or "conflict", retry_after=_IN_USE)
        case _:
            replayed = (error.headers or {}).get("Idempotent-Replayed") == "true"
            return GatewayUnreachable(code or "server_error", retry_after=_REPLAYED if replayed else None)


def _refusal(code: str | None, param: str | None) -> str:
    if code is None and param == "amount":
        return "amount_refused"
    return _REFUSALS.get(code or "", "refused")


def _told(error: "stripe.StripeError", field: str) -> str | None:
    """A field of the error as Stripe shapes it; a proxy's error has none."""
    body: object = error.json_body
    if not isinstance(body, dict):
        return None
    shaped: object = cast("dict[str, object]", body).get("error")
    told = cast("dict[str, object]", shaped).get(field) if isinstance(shaped, dict) else None
    return told if isinstance(told, str) else None


def _wait(error: "stripe.StripeError") -> timedelta:
    named = (error.headers or {}).get("Retry-After", "")
    return timedelta(seconds=int(named)) if named.isdecimal() and len(named) < 6 else _RATE_LIMITED
