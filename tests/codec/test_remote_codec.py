"""A client without keys, before a codec server: what it gets back, and what it is told where that does not work."""

import pytest
from aiohttp import web

from activities.privacy.codec import is_encrypted
from starter.errors import CodecRefused, Unreachable
from starter.light.remote_codec import RemoteCodec
from tests.codec.serving import Caller, json_payload, token

PLAIN = [json_payload('{"key": "a-1"}'), json_payload('"x" * 1000')]


def asking(address: str) -> RemoteCodec:
    return RemoteCodec(f"{address}/", "default", lambda: token("service", "orders-team"))


async def test_what_it_encrypts_comes_back_as_it_was(anybody: Caller) -> None:
    codec = asking(anybody.address)

    sealed = await codec.encode(PLAIN)

    assert all(is_encrypted(each) for each in sealed)
    assert await codec.decode(sealed) == PLAIN
    assert await codec.decode([]) == []


async def test_a_token_may_be_fetched_for_each_request(anybody: Caller) -> None:
    async def fetched() -> str:
        return token("service", "orders-team")

    codec = RemoteCodec(anybody.address, "default", fetched)

    assert await codec.decode(await codec.encode(PLAIN)) == PLAIN


@pytest.mark.parametrize(("claims", "namespace"), [({"life": -1}, "default"), ({}, "another")])
async def test_a_refusal_says_what_the_server_says(anybody: Caller, claims: dict[str, int], namespace: str) -> None:
    codec = RemoteCodec(anybody.address, namespace, lambda: token("service", "orders-team", **claims))

    with pytest.raises(CodecRefused, match="expired|not opened here"):
        await codec.encode(PLAIN)


async def test_what_is_under_another_key_is_refused(anybody: Caller) -> None:
    codec = asking(anybody.address)
    sealed = await codec.encode(PLAIN)
    sealed[0].metadata["encryption-key-id"] = b"gone"

    with pytest.raises(CodecRefused, match="not in the key ring"):
        await codec.decode(sealed)


async def test_nothing_is_sent_on_to_where_it_is_redirected(anybody: Caller) -> None:
    heard: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        heard.append(request.path)
        if request.path.startswith("/moved"):
            return web.Response(status=302, headers={"Location": "/stolen"})
        return web.json_response({"payloads": []} if request.path.startswith("/short") else {})

    application = web.Application()
    application.router.add_route("*", "/{any:.*}", elsewhere)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        for place in ("moved", "short", "other"):
            with pytest.raises(CodecRefused):
                await asking(f"{address}/{place}").encode(PLAIN)
    finally:
        await runner.cleanup()
    assert heard == ["/moved/encode", "/short/encode", "/other/encode"]

    with pytest.raises(Unreachable):
        await asking(address).encode(PLAIN)


def test_an_endpoint_is_a_url() -> None:
    for wrong in ("codec.example.com", "file:///etc/passwd", "https://"):
        with pytest.raises(ValueError, match="URL"):
            RemoteCodec(wrong, "default", str)
