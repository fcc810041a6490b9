#!/usr/bin/env bash
# stripe 16.1.0 (PyPI) with aiohttp: an answer that breaks off in its body raises aiohttp's own exception, no StripeError,
# and one that is slow in its body a bare TimeoutError. `except stripe.StripeError` around create_async misses both, at the
# moment when money has moved. (With httpx the same is an APIConnectionError: the body is read inside the try.)
# Ends with 0 while that is so.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q --disable-pip-version-check install "stripe==16.1.0" "aiohttp==3.14.5" "httpx==0.28.1"
cat > "$folder/try.py" <<'PY'
import asyncio

import aiohttp
import httpx
import stripe
from aiohttp import web


async def broken_off(request: web.Request) -> web.StreamResponse:
    half = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await half.prepare(request)
    await half.write(b'{"id": "re_')
    if "slow" in request.headers.get("Idempotency-Key", ""):
        await asyncio.sleep(2)
    if request.transport is not None:
        request.transport.close()
    return half


async def raised(base: str, client: stripe.HTTPClient, key: str) -> BaseException:
    asked = stripe.StripeClient("sk_test_1", base_addresses={"api": base}, http_client=client)
    try:
        await asked.v1.refunds.create_async({"charge": "ch_1"}, {"idempotency_key": key})
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


async def main() -> None:
    app = web.Application()
    app.router.add_post("/v1/refunds", broken_off)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    by_aiohttp = stripe.AIOHTTPClient(timeout=aiohttp.ClientTimeout(total=1))
    by_httpx = stripe.HTTPXClient(timeout=httpx.Timeout(1))
    for key in ("broken", "slow"):
        for name, client in (("aiohttp", by_aiohttp), ("httpx", by_httpx)):
            error = await raised(base, client, key)
            is_stripes = isinstance(error, stripe.StripeError)
            print(f"{key} with {name}: {type(error).__module__}.{type(error).__name__}, a StripeError: {is_stripes}")
            assert is_stripes == (name == "httpx")
    await by_aiohttp.close_async()
    await by_httpx.close_async()
    await runner.cleanup()


asyncio.run(main())
PY
"$folder/venv/bin/python" "$folder/try.py"
