"""Webhooks' requests (X4): what they are signed with, where they may go, and the file that says so."""

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from socket import AF_INET, AddressFamily

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer

from activities.webhooks import endpoints, posting
from activities.webhooks.endpoints import EndpointsError
from activities.webhooks.posting import NotTaken
from activities.webhooks.public_addresses import NotPublic, PublicOnly, is_public
from activities.webhooks.signing import is_ours, key_of, new_secret, signed
from workflows.messages.events import EventType

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
FILE = """
[endpoints.crm]
url = "https://crm.example.com/hooks"
secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
types = ["case.closed"]
"""


def test_a_signature_is_that_of_the_specification() -> None:
    headers = signed([key_of(SECRET)], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_receiver_knows_ours_by_either_secret_and_no_other() -> None:  # X4
    old, new = new_secret(), new_secret()
    headers = signed([key_of(new), key_of(old)], "evt_1", 1000, b"{}")

    assert is_ours(old, headers, b"{}", 1001)
    assert is_ours(new, headers, b"{}", 1001)
    assert not is_ours(new_secret(), headers, b"{}", 1001)
    assert not is_ours(new, headers, b"{ }", 1001)
    assert not is_ours(new, {**headers, "webhook-id": "evt_2"}, b"{}", 1001)
    assert not is_ours(new, {**headers, "webhook-timestamp": "1001"}, b"{}", 1001)
    assert not is_ours(new, headers, b"{}", 1301), "somebody has kept it, and sends it again"
    assert not is_ours(new, {}, b"{}", 1001)


def test_the_lines_of_the_page_know_ours() -> None:  # X4
    page = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")
    (lines,) = [each for each in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "def is_ours" in each]
    names: dict[str, Callable[[str, Mapping[str, str], bytes], bool]] = {}
    exec(lines, names)
    headers = signed([key_of(new_secret()), key_of(SECRET)], "evt_1", int(time.time()), b"{}")

    assert names["is_ours"](SECRET, headers, b"{}")
    assert not names["is_ours"](SECRET, headers, b"{ }")
    assert not names["is_ours"](new_secret(), headers, b"{}")
    stale = signed([key_of(SECRET)], "evt_1", int(time.time()) - 600, b"{}")
    assert not names["is_ours"](SECRET, stale, b"{}")


@pytest.mark.parametrize(
    "wrong", ["", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_?" + "A" * 40]
)
def test_a_weak_or_misspelt_secret_is_refused_and_not_repeated(wrong: str) -> None:
    with pytest.raises(ValueError, match="a secret is whsec_ and 24 to 64 bytes in base64") as refused:
        key_of(wrong)
    assert not wrong.removeprefix("whsec_") or wrong not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("10.0.0.1", False),
        ("172.16.3.4", False),
        ("192.168.1.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::5db8:d822", True),
        ("2002:a00:1::", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


class Names(AbstractResolver):
    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(self, host: str, port: int = 0, family: AddressFamily = AF_INET) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=each, port=port, family=family, proto=0, flags=0)
            for each in self._addresses
        ]

    async def close(self) -> None:
        pass


async def test_a_name_that_leads_inside_is_refused_even_beside_public_addresses() -> None:
    assert await PublicOnly(Names("93.184.216.34")).resolve("crm.example.com", 443)
    with pytest.raises(NotPublic):
        await PublicOnly(Names("93.184.216.34", "10.0.0.1")).resolve("crm.example.com", 443)


async def test_a_request_goes_nowhere_inside_and_follows_nobody_there() -> None:  # X4
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        if request.path == "/moved":
            return web.Response(status=302, headers={"location": "/inside"})
        return web.Response(status=503, headers={"retry-after": "99999999"})

    application = web.Application()
    application.router.add_post("/{any}", answer)
    async with TestServer(application) as server:
        inside, moved = str(server.make_url("/inside")), str(server.make_url("/moved"))
        async with posting.posting(anywhere=False) as poster:
            for url in (inside, inside.replace("127.0.0.1", "localhost"), inside.replace("127.0.0.1", "[::1]")):
                with pytest.raises(NotTaken, match="private_address"):
                    await poster.post(url, [b"k" * 32], "evt_1", b"{}")
        async with posting.posting(anywhere=True) as poster:
            with pytest.raises(NotTaken, match="http_302"):
                await poster.post(moved, [b"k" * 32], "evt_1", b"{}")
            with pytest.raises(NotTaken, match="http_503") as busy:
                await poster.post(inside, [b"k" * 32], "evt_1", b"{}")
            assert busy.value.retry_after == 3600, "an hour at most"
    async with posting.posting(anywhere=True) as poster:
        with pytest.raises(NotTaken, match="unreachable"):
            await poster.post(inside, [b"k" * 32], "evt_1", b"{}")

    assert asked == ["/moved", "/inside"]


def test_the_file_says_who_is_told_of_what(tmp_path: Path) -> None:
    path = tmp_path / "webhooks.toml"
    path.write_text(FILE)

    (crm,) = endpoints.read(path, anywhere=False).values()

    assert (crm.url, crm.types, crm.begins) == ("https://crm.example.com/hooks", (EventType.CLOSED,), "now")
    assert SECRET not in repr(crm)


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ("https://crm.example.com/hooks", "http://crm.example.com", r"endpoints\.crm\.url: must begin with https://"),
        ("crm.example.com", "10.0.0.1", r"endpoints\.crm\.url: must be an address of the public internet"),
        ("crm.example.com", "user:hunter2@crm.example.com", r"endpoints\.crm\.url: must be https://host/path"),
        (SECRET, "whsec_aHVudGVyMg==", r"endpoints\.crm\.secrets: a secret is whsec_"),
        ("case.closed", "case.eaten", r"endpoints\.crm\.types\.0: Input should be 'case.opened'"),
        ("types", "type", r"endpoints\.crm\.type: Extra inputs are not permitted"),
        ("[endpoints.crm]", "[endpoints.CRM]", r"endpoints\.CRM: String should match pattern"),
        ('["case.closed"]', "hunter2", r"is no TOML: line 5, column 9"),
        ("endpoints", "endpoint", r"endpoint: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_file_is_refused_by_endpoint_and_field(tmp_path: Path, wrong: str, right: str, said: str) -> None:  # X4
    path = tmp_path / "webhooks.toml"
    path.write_text(FILE.replace(wrong, right))

    with pytest.raises(EndpointsError, match=said) as refused:
        endpoints.read(path, anywhere=False)
    assert "hunter2" not in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EndpointsError, match=r"none\.toml cannot be read"):
        endpoints.read(tmp_path / "none.toml", anywhere=True)
