"""Every look is found by order, case, person and actor, whoever looked (P2), and return addresses are read (T12)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr

from activities.postgres import addresses, looks
from activities.postgres.disclosures import TooManyReveals
from activities.postgres.looks import Looker
from activities.postgres.pool import open_pool
from activities.postgres.vault import Vault
from starter.codec_server.access import Caller
from starter.codec_server.access import Role as CallerRole
from starter.codec_server.behind_references import BehindReferences
from starter.disclosures import Disclosures
from starter.errors import NoReturnAddress, UnknownCase
from tests.storage.money import NOON, some_id
from tests.storage.shop import case_of, sent_order
from workflows.messages.actors import Actor, Role, buyer, merchant, officer
from workflows.messages.addresses import Region, SaveAddress
from workflows.messages.cases import Refusal
from workflows.messages.disclosures import Reveal, RevealField
from workflows.messages.persons import BankAccount, Contact

CONTACT = Contact(name=SecretStr("仓库老马"), phone=SecretStr("13900001111"), street=SecretStr("仓储路1号"))
ACCOUNT = BankAccount.model_validate({"holder": "欧阳小明", "number": "6222020000000001234", "bank": "ICBC"})
REGION = Region(province="广东省", city="广州市", district="天河区")
PLATFORM = officer("f-1")


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(database, max_size=8) as opened:
        yield opened


@pytest.fixture
def merchant_id() -> str:
    return some_id("m")


class NoNumbers:
    """Has no virtual numbers."""

    async def obtain(self, subject: str, by: Actor) -> SecretStr | Refusal:
        raise AssertionError((subject, by))


def desk(pool: asyncpg.Pool, vault: Vault, per_hour: int = 100) -> Disclosures:
    return Disclosures(pool, vault, NoNumbers(), per_hour)


async def returning(pool: asyncpg.Pool, vault: Vault, merchant_id: str, *, chosen: bool = True) -> str:
    """A case of buyer b-1 whose goods go back to a merchant's address; its id."""
    case_id = await case_of(pool, merchant_id, await sent_order(pool, vault, merchant_id, buyer_id="b-1"))
    async with pool.acquire() as connection, connection.transaction():
        details = await vault.keep_contact(connection, merchant_id, "c-1", CONTACT, NOON)
        await addresses.save(
            connection,
            SaveAddress(merchant_id=merchant_id, address_id="a-9", region=REGION, details=details, is_default=True),
            NOON,
        )
        if chosen:
            await connection.execute(
                """
                INSERT INTO casebook.log
                    (case_id, position, step, event, actor_role, actor_id, rule, at, command_key, facts)
                VALUES ($1, 0, 1, 'agreed', 'merchant', $3, 'T1', $2, 'k', $4)
                """,
                case_id,
                NOON,
                merchant_id,
                {"address": "a-9", "address_version": 1},
            )
    return case_id


class TestReturnAddresses:
    @pytest.mark.parametrize("role", [Role.BUYER, Role.MERCHANT])
    async def test_are_read_by_the_buyer_and_the_merchant_of_the_case(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, role: Role
    ) -> None:  # T12
        case_id = await returning(pool, vault, merchant_id)
        viewer = buyer("b-1") if role is Role.BUYER else merchant(merchant_id)

        found = await desk(pool, vault).return_address(case_id, viewer)

        assert (found.name, found.phone, found.street) == (CONTACT.name, CONTACT.phone, CONTACT.street)
        assert (found.address_id, found.version, found.region) == ("a-9", 1, REGION)
        recorded = await desk(pool, vault).looks(PLATFORM, subject=case_id)
        assert [(each.by, each.field, each.surface) for each in recorded] == [
            (viewer, field, "return_address") for field in ("address", "name", "phone")
        ]
        assert {each.person for each in recorded} == {f"merchant/{merchant_id}"}

    async def test_are_read_as_they_were_chosen(self, pool: asyncpg.Pool, vault: Vault, merchant_id: str) -> None:  # T2
        case_id = await returning(pool, vault, merchant_id)
        async with pool.acquire() as connection, connection.transaction():
            moved = SaveAddress(merchant_id=merchant_id, address_id="a-9", region=REGION, details="other:address/1")
            assert (await addresses.save(connection, moved, NOON)).version == 2

        assert (await desk(pool, vault).return_address(case_id, buyer("b-1"))).street == CONTACT.street

    async def test_are_nobody_elses_business(self, pool: asyncpg.Pool, vault: Vault, merchant_id: str) -> None:  # T12
        case_id = await returning(pool, vault, merchant_id)

        for stranger in (buyer("b-2"), buyer(merchant_id), merchant("b-1"), merchant(some_id("m")), PLATFORM):
            with pytest.raises(UnknownCase):
                await desk(pool, vault).return_address(case_id, stranger)
        assert await desk(pool, vault).looks(PLATFORM, subject=case_id) == ()

    async def test_must_have_been_chosen(self, pool: asyncpg.Pool, vault: Vault, merchant_id: str) -> None:  # T12
        case_id = await returning(pool, vault, merchant_id, chosen=False)

        with pytest.raises(NoReturnAddress, match="T12"):
            await desk(pool, vault).return_address(case_id, buyer("b-1"))

    async def test_are_gone_with_a_merchant_that_was_forgotten(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str
    ) -> None:
        case_id = await returning(pool, vault, merchant_id)
        await vault.keys.destroy(f"merchant/{merchant_id}")

        found = await desk(pool, vault).return_address(case_id, buyer("b-1"))

        assert (found.name, found.phone, found.street, found.region) == (None, None, None, REGION)
        assert await desk(pool, vault).looks(PLATFORM, subject=case_id) == ()

    async def test_count_against_the_limit(self, pool: asyncpg.Pool, vault: Vault, merchant_id: str) -> None:  # P8
        case_id = await returning(pool, vault, merchant_id)
        strict = desk(pool, vault, per_hour=2)
        for _ in range(2):
            await strict.return_address(case_id, merchant(merchant_id))

        with pytest.raises(TooManyReveals):
            await strict.return_address(case_id, merchant(merchant_id))


async def looked(pool: asyncpg.Pool, vault: Vault, merchant_id: str, buyer_id: str) -> tuple[str, str, str, str]:
    """A merchant has revealed a name at a case; an auditor has seen an account and a contact. Order, case, auditor,
    reference of the account."""
    order_no = await sent_order(pool, vault, merchant_id, buyer_id=buyer_id)
    case_id = await case_of(pool, merchant_id, order_no)
    wish = Reveal(key=some_id("k"), by=merchant(merchant_id), subject=case_id, fields=(RevealField.NAME,), why="called")
    await desk(pool, vault).reveal(wish)
    async with pool.acquire() as connection:
        account = await vault.keep_bank_account(connection, buyer_id, "k", ACCOUNT, NOON)
        contact = await vault.keep_contact(connection, merchant_id, "k", CONTACT, NOON)
    auditor = f"{some_id('a')}@audit.example"
    caller = Caller(CallerRole.AUDITOR, auditor, "Beschwerde 4711: Auszahlung?")
    await BehindReferences(pool, vault, 60).clear([account, contact], caller)
    return order_no, case_id, auditor, account


class TestTheRecord:
    async def test_is_found_by_order_case_person_and_actor(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str
    ) -> None:  # P2
        buyer_id = some_id("b")
        order_no, case_id, auditor, account = await looked(pool, vault, merchant_id, buyer_id)
        read = desk(pool, vault).looks

        by_order = await read(PLATFORM, subject=order_no)
        assert [(each.subject, each.field) for each in by_order] == [
            (case_id, "name"),
            (account, "account_name"),
            (account, "account_number"),
            (account, "bank"),
        ]
        assert await read(PLATFORM, subject=case_id) == by_order[:1], "whose case it is says the case, not the order"
        assert {each.subject for each in await read(PLATFORM, person=f"buyer/{buyer_id}")} == {account}
        theirs = await read(PLATFORM, actor=Looker(role="auditor", id=auditor))
        assert {each.field for each in theirs} >= {"account_number", "phone", "address"}
        assert {(each.by.role, each.by.id, each.reason) for each in theirs} == {
            ("auditor", auditor, "Beschwerde 4711: Auszahlung?")
        }
        assert [each.field for each in await read(PLATFORM, actor=merchant(merchant_id))] == ["name"]

    async def test_is_a_merchants_for_its_own_only(self, pool: asyncpg.Pool, vault: Vault, merchant_id: str) -> None:
        order_no, case_id, _, _ = await looked(pool, vault, merchant_id, some_id("b"))
        read = desk(pool, vault).looks

        assert [each.subject for each in await read(merchant(merchant_id), subject=order_no)] == [case_id]
        assert await read(merchant(some_id("m")), subject=order_no) == ()
        for stranger in (buyer("b-1"), Actor(role=Role.CARRIER, id="sf")):
            with pytest.raises(ValueError, match="P2"):
                await read(stranger, subject=order_no)
        with pytest.raises(ValueError, match="which|P2"):
            await read(PLATFORM)

    async def test_is_read_whatever_was_written_down(self, pool: asyncpg.Pool, vault: Vault) -> None:  # P2
        odd = Looker(role="robot", id="an id; with 空格 and (signs)")
        async with pool.acquire() as connection:
            await looks.record(
                connection, odd, None, ["vault:address/gone"], ["phone"], "Some Surface", "any words?", NOON
            )

        (found,) = await desk(pool, vault).looks(PLATFORM, actor=odd)

        assert (found.by, found.subject, found.reason) == (odd, "vault:address/gone", "any words?")


async def test_an_auditor_sees_so_many_phones_an_hour(pool: asyncpg.Pool, vault: Vault, merchant_id: str) -> None:  # P8
    async with pool.acquire() as connection:
        contacts = [
            await vault.keep_contact(connection, merchant_id, f"k-{number}", CONTACT, NOON) for number in range(3)
        ]
    auditor = Caller(CallerRole.AUDITOR, some_id("a"), "complaint")
    behind = BehindReferences(pool, vault, 2)

    first = await behind.clear(contacts[:1], auditor)
    notes = await behind.clear(contacts, auditor)

    assert "13900001111" in first[contacts[0]]
    assert ["13900001111" in notes[each] for each in contacts] == [True, True, False]
    assert "P8" in notes[contacts[2]]
    assert "1******1111" in notes[contacts[2]]
    later = datetime.now(UTC) + timedelta(minutes=61)
    async with pool.acquire() as connection, connection.transaction():
        assert await looks.seen_lately(connection, Looker(role="auditor", id=auditor.subject), later) == frozenset()
