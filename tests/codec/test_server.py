"""The codec server as its callers meet it: on a real key ring, vault and database."""

import asyncio
import json
import logging
import zlib
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload

from activities.postgres import flags, statements
from activities.postgres.vault import Vault
from activities.privacy import codec
from activities.privacy.codec import EncryptionCodec
from activities.privacy.keys import FixedKeys, new_key, read_keys
from starter.codec_server import behind_references, server
from tests.codec.conftest import Serve
from tests.codec.serving import ORIGIN, SECRET, Caller, json_payload, serving, token
from tests.storage.money import open_case
from workflows.messages.actors import buyer, officer
from workflows.messages.flags import AddRemark, Colour, SetFlag
from workflows.messages.persons import BankAccount, Contact, buyer_person
from workflows.messages.statements import Statement, WriteStatement

AT = datetime(2026, 11, 20, tzinfo=UTC)
CLEAR = ("张三丰", "6222021234567890123", "某某银行", "李四", "13912345678", "某路 5 号", "箱子是空的")


async def sealed(ring: FixedKeys, *texts: str) -> list[Payload]:
    return await EncryptionCodec(ring).encode([json_payload(text) for text in texts])


class Kept:
    """References of a buyer of its own, and of a merchant."""

    def __init__(self, account: str, contact: str, statement: str, attachment: str) -> None:
        self.account, self.contact, self.statement, self.attachment = account, contact, statement, attachment

    @property
    def text(self) -> str:
        return json.dumps([self.account, self.contact, self.statement, self.attachment])


@pytest.fixture
async def kept(pool: asyncpg.Pool, vault: Vault) -> Kept:
    person = f"b-{uuid4().hex}"
    async with pool.acquire() as connection:
        account = await vault.keep_bank_account(
            connection,
            person,
            "k-1",
            BankAccount(
                holder=SecretStr("张三丰"), number=SecretStr("6222021234567890123"), bank=SecretStr("某某银行")
            ),
            AT,
        )
        contact = await vault.keep_contact(
            connection,
            person,
            "k-1",
            Contact(name=SecretStr("李四"), phone=SecretStr("13912345678"), street=SecretStr("某路 5 号")),
            AT,
        )
        wish = WriteStatement(case_id=f"refund/{person}", by=buyer(person), text=SecretStr("箱子是空的"), key="k-1")
        statement = await statements.write(connection, vault.keys, wish, buyer_person(person), AT)
        assert isinstance(statement, Statement)
        attachment = await vault.keep_attachment(connection, buyer_person(person), "k-1", b"picture", AT)
    return Kept(account, contact, statement.reference, attachment)


async def looks_of(pool: asyncpg.Pool, actor_id: str) -> list[tuple[Any, ...]]:
    rows = await pool.fetch(
        "SELECT role, subject, field, surface, reason FROM vault.looks WHERE actor_id = $1 ORDER BY id", actor_id
    )
    return [tuple(row) for row in rows]


# Who sees what


async def test_an_operator_sees_payloads_and_masked_values(anybody: Caller, ring: FixedKeys, kept: Kept) -> None:
    plain = '{"amount": 1.50, "reason": "损坏"}'
    first, second = (await anybody.as_("operator").decode(*await sealed(ring, plain, kept.text))).texts
    assert first == plain
    assert json.loads(second) == [
        f"{kept.account} 〔张**, ****0123〕",
        f"{kept.contact} 〔李**, 1******5678, ****〕",
        f"{kept.statement} 〔statement of 5 characters〕",
        f"{kept.attachment} 〔attachment〕",
    ]
    assert not [each for each in CLEAR if each in second]


async def test_an_auditor_sees_the_values_and_each_look_is_recorded(
    anybody: Caller, ring: FixedKeys, pool: asyncpg.Pool, kept: Kept
) -> None:
    auditor, reason = f"a-{uuid4().hex}", "complaint 4711"
    before = datetime.now(UTC)
    (text,) = (await anybody.as_("auditor", auditor, reason=reason).decode(*await sealed(ring, kept.text))).texts
    assert json.loads(text) == [
        f"{kept.account} 〔张三丰, 6222021234567890123, 某某银行〕",
        f"{kept.contact} 〔李四, 13912345678, 某路 5 号〕",
        f"{kept.statement} 〔箱子是空的〕",
        f"{kept.attachment} 〔attachment〕",
    ]
    seen = [
        *[(kept.account, field) for field in ("account_name", "account_number", "bank")],
        *[(kept.contact, field) for field in ("name", "phone", "address")],
        (kept.statement, "statement"),
    ]
    assert await looks_of(pool, auditor) == [("auditor", *each, "codec", reason) for each in seen]
    moments = await pool.fetch("SELECT at FROM vault.looks WHERE actor_id = $1", auditor)
    assert all(before <= row["at"] <= datetime.now(UTC) for row in moments)
    # Looking again is another look.
    await anybody.as_("auditor", auditor, reason=reason).decode(*await sealed(ring, kept.text))
    assert len(await looks_of(pool, auditor)) == 2 * len(seen)


async def test_remarks_of_a_case_are_seen_as_other_words_are(
    anybody: Caller, ring: FixedKeys, pool: asyncpg.Pool, vault: Vault
) -> None:  # section 12, P2
    case = await open_case(pool)
    order_no = await pool.fetchval("SELECT order_no FROM casebook.cases WHERE case_id = $1", case.case_id)
    page = json.dumps(f"remarks:{case.case_id}")
    (before,) = (await anybody.as_("operator").decode(*await sealed(ring, page))).texts
    for subject, text in ((order_no, "箱子是空的"), (case.case_id, "李四来电")):
        noted = {"subject": subject, "merchant_id": case.merchant_id, "text": text, "key": "k", "by": officer("f-1")}
        async with pool.acquire() as connection, connection.transaction():
            await flags.add_remark(connection, vault.keys, AddRemark.model_validate(noted), AT)

    (masked,) = (await anybody.as_("operator").decode(*await sealed(ring, page))).texts
    auditor = f"a-{uuid4().hex}"
    (clear,) = (await anybody.as_("auditor", auditor, reason="why").decode(*await sealed(ring, page))).texts

    assert json.loads(before) == f"remarks:{case.case_id} 〔none〕"
    assert json.loads(masked) == f"remarks:{case.case_id} 〔{order_no}: 5 characters, {case.case_id}: 4 characters〕"
    assert json.loads(clear) == f"remarks:{case.case_id} 〔{order_no}: 箱子是空的, {case.case_id}: 李四来电〕"
    assert await looks_of(pool, auditor) == [("auditor", case.case_id, "remark", "codec", "why")] * 2


async def test_what_an_officer_has_before_a_ruling_stands_behind_a_reference(
    anybody: Caller, ring: FixedKeys, pool: asyncpg.Pool, vault: Vault
) -> None:  # D8, P2
    case = await open_case(pool)
    order_no = await pool.fetchval("SELECT order_no FROM casebook.cases WHERE case_id = $1", case.case_id)
    mark = {"subject": order_no, "merchant_id": case.merchant_id, "key": "k", "by": officer("f-1")}
    async with pool.acquire() as connection, connection.transaction():
        await flags.set_flag(connection, SetFlag.model_validate({**mark, "colour": Colour.CYAN}), AT)
        await flags.add_remark(connection, vault.keys, AddRemark.model_validate({**mark, "text": "箱子是空的"}), AT)
    page = json.dumps(f"dossier:{case.case_id}")
    auditor = f"a-{uuid4().hex}"

    (shown,) = (await anybody.as_("operator").decode(*await sealed(ring, page))).texts
    (audited,) = (await anybody.as_("auditor", auditor, reason="why").decode(*await sealed(ring, page))).texts
    (bare,) = (await anybody.as_("service").decode(*await sealed(ring, page))).texts
    (nobody,) = (await anybody.as_("operator").decode(*await sealed(ring, json.dumps("dossier:refund/O-0/k")))).texts

    note = json.loads(shown).removeprefix(f"dossier:{case.case_id} 〔").removesuffix("〕")
    assert "\n- **插旗 · flag**: `cyan`\n" in note
    assert "no other case" in note
    assert "箱子" not in shown + audited
    assert audited == shown
    assert bare == page
    assert json.loads(nobody) == "dossier:refund/O-0/k 〔forgotten, or never kept〕"


async def test_nobody_else_leaves_looks(anybody: Caller, ring: FixedKeys, pool: asyncpg.Pool, kept: Kept) -> None:
    before = await pool.fetchval("SELECT count(*) FROM vault.looks")
    for role in ("operator", "service"):
        await anybody.as_(role).decode(*await sealed(ring, kept.text))
    # An auditor neither, where there was nothing to see.
    await anybody.as_("auditor", reason="why").decode(*await sealed(ring, json.dumps([kept.attachment, "plain"])))
    assert await pool.fetchval("SELECT count(*) FROM vault.looks") == before


async def test_a_program_gets_payloads_as_they_are(anybody: Caller, ring: FixedKeys, kept: Kept) -> None:
    service = anybody.as_("service")
    assert (await service.decode(*await sealed(ring, kept.text))).texts == [kept.text]
    noted = json.dumps(f"{kept.account} 〔张**〕", ensure_ascii=False)
    (encrypted,) = (await service.encode(json_payload(noted))).payloads
    assert (await service.decode(encrypted)).texts == [noted]


async def test_an_auditor_without_a_reason_is_refused(anybody: Caller, ring: FixedKeys, kept: Kept) -> None:
    answer = await anybody.as_("auditor").decode(*await sealed(ring, kept.text))
    assert answer.status == 403
    assert "must say why" in answer.document["error"]
    assert answer.reason == answer.document["error"]


async def test_an_auditor_writes_nothing(anybody: Caller) -> None:
    answer = await anybody.as_("auditor", reason="why").encode(json_payload("1"))
    assert (answer.status, answer.document) == (403, {"error": "an auditor looks, and writes nothing"})


async def test_a_look_that_cannot_be_recorded_shows_nothing(
    anybody: Caller, ring: FixedKeys, pool: asyncpg.Pool, kept: Kept
) -> None:
    await pool.execute("CREATE FUNCTION vault.full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'full'; END $$")
    await pool.execute("CREATE TRIGGER fail BEFORE INSERT ON vault.looks EXECUTE FUNCTION vault.full()")
    try:
        answer = await anybody.as_("auditor", reason="why").decode(*await sealed(ring, kept.text))
    finally:
        await pool.execute("DROP TRIGGER fail ON vault.looks")
        await pool.execute("DROP FUNCTION vault.full")
    assert answer.status == 503
    assert "nothing is shown" in answer.document["error"]


async def test_of_the_forgotten_and_the_unknown_there_is_nothing(
    anybody: Caller, ring: FixedKeys, pool: asyncpg.Pool, vault: Vault, kept: Kept
) -> None:
    person = await pool.fetchval("SELECT person FROM vault.items WHERE reference = $1", kept.account)
    await vault.keys.destroy(person)
    unknown = "vault:address/" + "0" * 32
    references = [kept.account, kept.statement, unknown]
    payloads = await sealed(ring, json.dumps(references))
    auditor = f"a-{uuid4().hex}"
    for caller in (anybody.as_("operator"), anybody.as_("auditor", auditor, reason="why")):
        (text,) = (await caller.decode(*payloads)).texts
        assert json.loads(text) == [f"{each} 〔forgotten, or never kept〕" for each in references]
    assert await looks_of(pool, auditor) == []


async def test_a_reference_that_somebody_made_up_gets_no_note(anybody: Caller, kept: Kept) -> None:
    # It was never encrypted: it does not come from a case.
    for caller in (anybody.as_("operator"), anybody.as_("auditor", reason="why")):
        assert (await caller.decode(json_payload(kept.text))).texts == [kept.text]


async def test_more_references_than_are_looked_up_stay_without_a_note(
    anybody: Caller, ring: FixedKeys, kept: Kept
) -> None:
    many = ["vault:evidence/" + f"{number:032x}" for number in range(behind_references.MOST_REFERENCES)]
    (text,) = (await anybody.as_("operator").decode(*await sealed(ring, json.dumps([*many, kept.account])))).texts
    shown = json.loads(text)
    assert shown[-2:] == [f"{many[-1]} 〔attachment〕", kept.account]


async def test_an_operator_is_told_where_the_vault_is_silent_and_an_auditor_sees_nothing(
    ring: FixedKeys, vault: Vault, database: str, kept: Kept
) -> None:
    import aiohttp

    from activities.postgres.pool import open_pool
    from starter.codec_server import running

    pool = await open_pool(database)
    async with running(serving(), ring, pool, vault) as address, aiohttp.ClientSession() as session:
        await pool.close()
        anybody = Caller(session, address)
        payloads = await sealed(ring, json.dumps({"account": kept.account, "amount": 7}))
        (text,) = (await anybody.as_("operator").decode(*payloads)).texts
        assert json.loads(text) == {"account": f"{kept.account} 〔the vault does not answer〕", "amount": 7}
        assert (await anybody.as_("auditor", reason="why").decode(*payloads)).status == 503
        # What names nobody needs no vault.
        assert (await anybody.as_("auditor", reason="why").decode(*await sealed(ring, "7"))).texts == ["7"]


# Encrypting and decrypting


async def test_what_an_operator_types_is_encrypted_without_the_notes(
    anybody: Caller, ring: FixedKeys, kept: Kept
) -> None:
    operator = anybody.as_("operator")
    (shown,) = (await operator.decode(*await sealed(ring, kept.text))).payloads
    (encrypted,) = (await operator.encode(shown)).payloads
    assert dict(encrypted.metadata) == {"encoding": b"binary/aes-256-gcm", "encryption-key-id": b"new"}
    assert kept.account.encode() not in encrypted.data
    assert await EncryptionCodec(ring).decode([encrypted]) == [json_payload(kept.text)]


async def test_payloads_under_each_live_key_are_opened(anybody: Caller, ring: FixedKeys) -> None:
    old = FixedKeys([await ring.named("old")])
    payloads = [*await sealed(ring, "1"), *await sealed(old, "2"), json_payload("3"), Payload()]
    answer = await anybody.as_("operator").decode(*payloads)
    assert answer.texts == ["1", "2", "3", ""]


async def test_an_unknown_key_is_a_clear_error(anybody: Caller) -> None:
    payloads = await sealed(FixedKeys(read_keys(new_key("retired-2025"))), '"secret"')
    answer = await anybody.as_("operator").decode(*payloads)
    assert answer.status == 422
    assert answer.document == {"error": "this is encrypted under the key 'retired-2025', which is not in the key ring"}
    # The Web UI shows the status line.
    assert answer.reason == answer.document["error"]


async def test_a_key_id_from_outside_cannot_break_the_status_line(anybody: Caller) -> None:
    payload = Payload(metadata={"encoding": codec.ENCODING, codec.KEY_ID: b"x\r\nSet-Cookie: a=b\xe9" + b"y" * 99})
    answer = await anybody.as_("operator").decode(payload)
    assert answer.status == 422
    assert "set-cookie" not in answer.headers
    assert "'x\\r\\nSet-Cookie: a=b\\ufffd" in answer.reason
    assert "y" * 30 not in answer.reason


async def test_what_was_changed_is_not_opened(anybody: Caller, ring: FixedKeys) -> None:
    (payload,) = await sealed(ring, '"secret"')
    changed = Payload(metadata=payload.metadata, data=payload.data[:-1] + bytes([payload.data[-1] ^ 1]))
    for each in (changed, Payload(metadata=payload.metadata, data=b"")):
        answer = await anybody.as_("operator").decode(each)
        assert answer.status == 422
        assert "was changed" in answer.document["error"]


# Who may ask


@pytest.mark.parametrize("path", ["/decode", "/encode"])
async def test_without_a_token_that_counts_nothing_is_done(anybody: Caller, ring: FixedKeys, path: str) -> None:
    (payload,) = await sealed(ring, '"secret"')
    for caller in (
        anybody,
        anybody.having(Authorization="Bearer"),
        anybody.having(Authorization=f"Basic {token()}"),
        anybody.having(Authorization=f"Bearer {token(life=-1)}"),
        anybody.having(Authorization="Bearer x.y.z"),
    ):
        answer = await caller.ask(path, payload)
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert set(answer.document) == {"error"}


async def test_a_token_comes_in_the_header_or_in_the_path(anybody: Caller, ring: FixedKeys) -> None:
    payloads = await sealed(ring, "1")
    assert (await anybody.having(Authorization=f"bEARER {token()}").decode(*payloads)).texts == ["1"]
    # As the Web UI calls it.
    path = f"/as/{token()}/decode?preserveStorageRefs=true"
    assert (await anybody.ask(path, *payloads)).texts == ["1"]
    assert (await anybody.ask("/as/x.y.z/decode", *payloads)).status == 401
    # The one in the path is ours for certain: a log-in's own may come along in the header.
    assert (await anybody.having(Authorization="Bearer x.y.z").ask(path, *payloads)).texts == ["1"]


async def test_only_the_configured_namespaces_are_served(anybody: Caller, ring: FixedKeys) -> None:
    payloads = await sealed(ring, "1")
    operator = anybody.as_("operator")
    assert (await operator.having(X_Namespace="other").decode(*payloads)).status == 403
    missing = await operator.lacking("X-Namespace").decode(*payloads)
    assert (missing.status, missing.document) == (400, {"error": "the header X-Namespace is missing"})


async def test_other_paths_and_methods_are_told_so(anybody: Caller) -> None:
    operator = anybody.as_("operator")
    assert (await operator.ask("/download", json_payload("1"))).status == 404
    answer = await operator.ask("/decode", method="GET")
    assert (answer.status, answer.document) == (405, {"error": "Method Not Allowed"})


# Browsers


async def test_a_browser_may_ask_from_pages_of_the_web_ui(anybody: Caller, ring: FixedKeys) -> None:
    browser = anybody.having(Origin=ORIGIN)
    preflight = await browser.having(
        Access_Control_Request_Method="POST", Access_Control_Request_Headers="authorization,content-type,x-namespace"
    ).ask(f"/as/{token()}/decode", method="OPTIONS", body=b"")
    assert preflight.status == 204
    assert preflight.headers["access-control-allow-origin"] == ORIGIN
    assert preflight.headers["access-control-allow-methods"] == "POST"
    allowed = {each.strip() for each in preflight.headers["access-control-allow-headers"].split(",")}
    assert allowed == {"content-type", "x-namespace", "authorization", "authorization-extras"}
    assert "access-control-allow-credentials" not in preflight.headers
    payloads = await sealed(ring, "1")
    answer = await browser.as_("operator").decode(*payloads)
    assert answer.texts == ["1"]
    # A failure too, or the page could not read why.
    refused = await browser.decode(*payloads)
    assert refused.status == 401
    for each in (answer, refused):
        assert each.headers["access-control-allow-origin"] == ORIGIN
        assert each.headers["vary"] == "Origin"


@pytest.mark.parametrize(
    "origin", ["http://127.0.0.1:8234", "https://127.0.0.1:8233", "http://127.0.0.1:8233.evil.example", "null", "*", ""]
)
async def test_from_other_pages_it_may_not(anybody: Caller, ring: FixedKeys, origin: str) -> None:
    payloads = await sealed(ring, "1")
    for method, body in (("POST", None), ("OPTIONS", b"")):
        answer = await anybody.as_("operator").having(Origin=origin).ask("/decode", *payloads, method=method, body=body)
        assert answer.status == 403
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_who_is_no_browser_is_told_nothing_about_origins(anybody: Caller, ring: FixedKeys) -> None:
    answer = await anybody.as_("operator").decode(*await sealed(ring, "1"))
    assert not [name for name in answer.headers if name.startswith("access-control")]


# Limits


async def test_a_body_may_be_so_large_and_no_larger(serve: Serve) -> None:
    async with serve(serving(max_body_bytes=1000)) as anybody:
        operator = anybody.as_("operator")
        body = b'{"payloads": []}'
        assert (await operator.ask("/decode", body=body.ljust(1000))).status == 200
        answer = await operator.ask("/decode", body=body.ljust(1001))
        assert (answer.status, answer.document) == (413, {"error": "the body is too large"})


async def test_what_comes_compressed_is_not_unpacked(anybody: Caller) -> None:
    # It could be small on the wire and large in memory.
    bomb = zlib.compress(b'{"payloads": []}'.ljust(100_000))
    answer = await anybody.as_("operator").having(Content_Encoding="deflate").ask("/decode", body=bomb)
    assert answer.status == 400


async def test_payloads_may_hold_so_much_in_all(
    anybody: Caller, ring: FixedKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MOST_INFLATED", 100_000)
    # A few hundred bytes each on the wire.
    payloads = await sealed(ring, *[json.dumps("a" * 40_000)] * 3)
    assert sum(len(each.data) for each in payloads) < 1000
    operator = anybody.as_("operator")
    assert (await operator.decode(*payloads[:2])).status == 200
    answer = await operator.decode(*payloads)
    assert (answer.status, answer.document) == (413, {"error": "the payloads hold more than 100000 bytes in all"})


async def test_one_payload_may_grow_so_far(anybody: Caller, ring: FixedKeys) -> None:
    payloads = await sealed(ring, json.dumps("a" * codec.MOST_INFLATED))
    answer = await anybody.as_("operator").decode(*payloads)
    assert answer.status == 413
    assert "a payload holds more than" in answer.document["error"]


async def test_malformed_bodies_and_too_many_payloads_are_told_so(anybody: Caller) -> None:
    operator = anybody.as_("operator")
    for path in ("/decode", "/encode"):
        assert (await operator.ask(path, body=b'{"payloads": [{"data": "*"}]}')).status == 400
        assert (await operator.ask(path, body=b'{"payloads": [' + b"{}," * 1000 + b"{}]}")).status == 413


async def test_each_may_ask_so_often(serve: Serve, ring: FixedKeys) -> None:
    payloads = await sealed(ring, "1")
    async with serve(serving(requests_per_minute=3)) as anybody:
        operator = anybody.as_("operator", "o-1")
        assert [(await operator.decode(*payloads)).status for _ in range(3)] == [200] * 3
        refused = await operator.having(Origin=ORIGIN).decode(*payloads)
        assert refused.status == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 20
        # Another token of the same person is the same person; another person is not.
        assert (await anybody.as_("operator", "o-1", life=90).decode(*payloads)).status == 429
        assert (await anybody.as_("operator", "o-2").decode(*payloads)).status == 200
        # Who is nobody uses up nobody's share.
        assert [(await anybody.decode(*payloads)).status for _ in range(5)] == [401] * 5
        assert (await anybody.as_("operator", "o-2").decode(*payloads)).status == 200


async def test_large_bodies_count_as_many_requests(serve: Serve) -> None:
    large = json_payload(json.dumps("x" * 512 * 1024))
    async with serve(serving(requests_per_minute=20)) as anybody:
        operator = anybody.as_("operator", "o-1")
        assert [(await operator.encode(large)).status for _ in range(3)] == [200, 429, 429]
        assert (await anybody.as_("operator", "o-2").encode(json_payload("1"))).status == 200


async def test_pages_of_an_embedded_web_ui_need_no_token(serve: Serve, ring: FixedKeys) -> None:
    payloads = await sealed(ring, "1")
    async with serve(serving(open_to_ui=True)) as anybody:
        assert (await anybody.having(Origin=ORIGIN).ask("/ui/decode", *payloads)).texts == ["1"]
        assert (await anybody.having(Origin="http://127.0.0.1:1").ask("/ui/decode", *payloads)).status == 403
        assert (await anybody.ask("/ui/decode", *payloads)).status == 401
        assert (await anybody.having(Origin=ORIGIN).ask("/decode", *payloads)).status == 401
    async with serve(serving()) as anybody:
        assert (await anybody.having(Origin=ORIGIN).ask("/ui/decode", *payloads)).status == 401


@pytest.mark.parametrize("path", ["/decode", "//decode", "///decode"])
async def test_slashes_before_the_action_do_not_matter(anybody: Caller, ring: FixedKeys, path: str) -> None:
    payloads = await sealed(ring, "1")
    assert (await anybody.as_("operator").ask(path, *payloads)).texts == ["1"]
    assert (await anybody.ask(f"/as/{token()}{path}", *payloads)).texts == ["1"]


async def test_nothing_is_answered_with_nothing(anybody: Caller) -> None:
    for path in ("/decode", "/encode"):
        assert (await anybody.as_("operator").ask(path, body=b"{}")).document == {"payloads": []}


# What is told


async def test_the_log_says_who_did_what_and_holds_no_token_path_or_payload(
    serve: Serve, ring: FixedKeys, kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    (payload,) = await sealed(ring, kept.text)
    made = token("operator", "o-17")
    # A server of its own: whether it logs at all is settled when it starts.
    with caplog.at_level(logging.DEBUG):
        async with serve(serving()) as anybody:
            await anybody.ask(f"/as/{made}/decode", payload)
            await anybody.ask(f"/as/{made}/encode", json_payload('"typed"'))
            await anybody.ask(f"/as/{made}x/decode", payload)
            await anybody.as_("auditor", "a-17", reason="complaint 4711").decode(payload)
            # Not even HTTP: the line is longer than any.
            async with anybody.session.post(f"{anybody.address}/as/{made}{'x' * 9000}/decode") as response:
                assert response.status == 400
                assert made not in await response.text()
    lines = [record.getMessage() for record in caplog.records if record.name == "codec"]
    assert lines == [
        "decode by operator o-17: 1 payloads",
        "encode by operator o-17: 1 payloads",
        "refused with 401: the token is not valid",
        "decode by auditor a-17: 1 payloads",
    ]
    secrets = (made[:40], made.split(".")[1][:20], SECRET, kept.account, "typed", *CLEAR)
    told = caplog.text + "".join(str(record.__dict__) for record in caplog.records if record.name != "asyncio")
    assert not [each for each in secrets if each in told]


async def test_a_fault_of_ours_tells_where_and_nothing_of_the_payload(
    anybody: Caller, ring: FixedKeys, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(payloads: list[Payload]) -> str:
        raise RuntimeError(payloads[0].data.decode())

    monkeypatch.setattr("starter.codec_server.wire.written", fail)
    answer = await anybody.as_("operator").decode(*await sealed(ring, '"secret text"'))
    assert (answer.status, answer.document) == (500, {"error": "the codec server failed; its log says where"})
    assert "RuntimeError in" in caplog.text
    assert "_answer" in caplog.text
    assert "secret text" not in caplog.text


async def test_many_at_once_are_served(anybody: Caller, ring: FixedKeys, kept: Kept) -> None:
    (payload,) = await sealed(ring, kept.text)
    answers = await asyncio.gather(*(anybody.as_("operator", "o-many").decode(payload) for _ in range(60)))
    assert {each.status for each in answers} == {200}
    assert len({tuple(each.texts) for each in answers}) == 1
