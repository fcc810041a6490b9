"""What is shown and revealed of persons, and that every look is recorded (P1, P2)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr, ValidationError

from activities.postgres import disclosures, parcels
from activities.postgres import looks as lookers
from activities.postgres.disclosures import OtherLookUnderKey, TooManyReveals
from activities.postgres.looks import Look
from activities.postgres.pool import open_pool
from activities.postgres.vault import Vault
from starter.disclosures import Disclosures
from starter.errors import UnknownCase, UnknownOrder
from tests.storage.money import NOON, minutes, some_id
from tests.storage.shop import IN_FULL, MASKED, NAME, STREET, case_of, sent_order
from workflows.messages.actors import Actor, Role, buyer, carrier, merchant, officer
from workflows.messages.cases import Refusal
from workflows.messages.disclosures import Reveal, Revealed, RevealField, ShownRecipient
from workflows.messages.parcels import Parcel, ParcelPurpose
from workflows.messages.surfaces import Surface
from workflows.rules.refusals import refused

HOUR = timedelta(hours=1)
NUMBER = "17000000001-1234"
EVERYTHING = tuple(RevealField)


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await open_pool(database, max_size=16) as opened:
        yield opened


@pytest.fixture
def merchant_id() -> str:
    return some_id("m")


@pytest_asyncio.fixture(loop_scope="session")
async def order_no(pool: asyncpg.Pool, vault: Vault, merchant_id: str) -> str:
    return await sent_order(pool, vault, merchant_id)


class ClosedVault(Vault):
    """Fails whoever reads it."""

    async def recipient(self, connection: Any, order_no: str) -> Any:
        raise AssertionError(f"the vault was read for {order_no}")


def closed(vault: Vault) -> Vault:
    return ClosedVault(vault.keys, vault.lookup_key)


def wish(by: Actor, subject: str, *fields: RevealField, key: str | None = None, why: str = "buyer_called") -> Reveal:
    return Reveal(key=key or some_id("k"), by=by, subject=subject, fields=fields or (RevealField.NAME,), why=why)


async def show(
    pool: asyncpg.Pool,
    vault: Vault,
    order_no: str,
    surface: Surface,
    viewer: Actor,
    *,
    per_hour: int = 100,
    at: datetime = NOON,
) -> ShownRecipient | None:
    async with pool.acquire() as connection, connection.transaction():
        return await disclosures.show(connection, vault, order_no, surface, viewer, per_hour, at)


async def reveal(
    pool: asyncpg.Pool, vault: Vault, wish: Reveal, *, per_hour: int = 100, at: datetime = NOON
) -> Revealed | None:
    async with pool.acquire() as connection, connection.transaction():
        return await disclosures.reveal(connection, vault, wish, per_hour, at)


async def looks(pool: asyncpg.Pool, subject: str, merchant_id: str | None = None) -> tuple[Look, ...]:
    async with pool.acquire() as connection:
        return await lookers.looks(connection, merchant_id, subject=subject)


def seen(shown: ShownRecipient | None) -> tuple[str, ...]:
    assert shown is not None
    texts = (shown.name, shown.phone, shown.address)
    return tuple(text.get_secret_value() if text else "" for text in texts)


def opened(text: SecretStr | None) -> str | None:
    return text.get_secret_value() if text else None


class TestShowing:
    @pytest.mark.parametrize("surface", [Surface.DEFAULT, Surface.ORDER_CHECK, Surface.INVOICE])
    async def test_a_merchant_sees_masks(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str, surface: Surface
    ) -> None:  # P1
        assert seen(await show(pool, vault, order_no, surface, merchant(merchant_id))) == MASKED
        assert await looks(pool, order_no) == ()

    async def test_the_buyer_checks_its_own_order_in_full(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str
    ) -> None:  # P1
        mine = await sent_order(pool, vault, merchant_id, buyer_id="b-7")

        assert seen(await show(pool, vault, mine, Surface.ORDER_CHECK, buyer("b-7"))) == IN_FULL
        assert await looks(pool, mine) == ()

    async def test_a_waybill_has_the_real_phone_and_leaves_a_record(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str
    ) -> None:  # P1, P2
        assert seen(await show(pool, vault, order_no, Surface.WAYBILL, merchant(merchant_id))) == IN_FULL

        found = await looks(pool, order_no)
        assert {each.field for each in found} == {"name", "phone", "address"}
        assert {(each.by, each.surface, each.at) for each in found} == {(merchant(merchant_id), "waybill", NOON)}

    async def test_a_waybill_that_was_not_made_shows_masks(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str
    ) -> None:  # P8
        unshipped = await sent_order(pool, vault, merchant_id, shipped=False)

        assert seen(await show(pool, vault, unshipped, Surface.WAYBILL, merchant(merchant_id))) == MASKED
        assert await looks(pool, unshipped) == ()

        parcel = Parcel(carrier="sf", tracking_no=some_id("T"))
        async with pool.acquire() as connection, connection.transaction():
            await parcels.watch(connection, parcel, purpose=ParcelPurpose.ORDER, at=NOON, order_no=unshipped)
        assert seen(await show(pool, vault, unshipped, Surface.WAYBILL, merchant(merchant_id))) == IN_FULL

    async def test_only_what_is_in_full_is_recorded(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str
    ) -> None:  # P1, P2
        shown = await show(pool, vault, order_no, Surface.SEND_USER, merchant(merchant_id))

        assert seen(shown) == (IN_FULL[0], MASKED[1], IN_FULL[2])
        assert [each.field for each in await looks(pool, order_no)] == ["address", "name"]

    async def test_the_platform_sees_masks_even_on_a_waybill(
        self, pool: asyncpg.Pool, vault: Vault, order_no: str
    ) -> None:  # P1
        assert seen(await show(pool, vault, order_no, Surface.WAYBILL, officer("f-1"))) == MASKED

    @pytest.mark.parametrize("role", [Role.MERCHANT, Role.BUYER, Role.CARRIER])
    async def test_for_anybody_else_the_order_does_not_exist(
        self, pool: asyncpg.Pool, vault: Vault, order_no: str, role: Role
    ) -> None:  # section 12
        somebody = Actor(role=role, id=some_id("x"))

        for number in (order_no, some_id("o")):
            assert await show(pool, closed(vault), number, Surface.WAYBILL, somebody) is None
        assert await looks(pool, order_no) == ()

    async def test_ids_of_another_role_open_nothing(self, pool: asyncpg.Pool, vault: Vault, merchant_id: str) -> None:
        mine = await sent_order(pool, vault, merchant_id, buyer_id="b-7")

        for stranger in (buyer(merchant_id), merchant("b-7"), carrier(merchant_id)):
            assert await show(pool, vault, mine, Surface.DEFAULT, stranger) is None

    @pytest.mark.parametrize("known", [True, False])
    async def test_nobody_is_shown_who_is_not_known_or_was_forgotten(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, known: bool
    ) -> None:
        buyer_id = some_id("b")
        order_no = await sent_order(pool, vault, merchant_id, buyer_id=buyer_id, known=known)
        await vault.keys.destroy(f"buyer/{buyer_id}")

        assert seen(await show(pool, vault, order_no, Surface.WAYBILL, merchant(merchant_id))) == ("", "", "")
        assert await looks(pool, order_no) == ()


class TestRevealing:
    async def test_what_is_asked_for_is_given_and_recorded(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str
    ) -> None:  # P2
        by = merchant(merchant_id)
        owner = await pool.fetchval("SELECT buyer_id FROM shop.orders WHERE order_no = $1", order_no)

        revealed = await reveal(pool, vault, wish(by, order_no, *EVERYTHING, key="k-1", why="lost_parcel"))

        assert revealed is not None
        assert (opened(revealed.name), opened(revealed.address)) == (IN_FULL[0], IN_FULL[2])
        for field, look in zip(("name", "address", "virtual_number"), await looks(pool, order_no), strict=True):
            assert look == Look(
                key="k-1",
                by=by,
                merchant_id=merchant_id,
                subject=order_no,
                order_no=order_no,
                person=f"buyer/{owner}",
                field=field,
                surface="reveal",
                reason="lost_parcel",
                at=NOON,
            )

    @pytest.mark.parametrize("field", RevealField)
    async def test_nothing_else_is(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str, field: RevealField
    ) -> None:  # P2
        revealed = await reveal(pool, vault, wish(merchant(merchant_id), order_no, field))

        assert revealed is not None
        assert (revealed.name is not None, revealed.address is not None) == (
            field is RevealField.NAME,
            field is RevealField.ADDRESS,
        )
        assert [each.field for each in await looks(pool, order_no)] == [field]

    async def test_at_a_case_of_its_own(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str
    ) -> None:  # P2
        case_id = await case_of(pool, merchant_id, order_no)

        revealed = await reveal(pool, vault, wish(merchant(merchant_id), case_id))

        assert revealed is not None
        assert opened(revealed.name) == NAME
        assert [each.subject for each in await looks(pool, case_id)] == [case_id]

    async def test_at_another_merchants_there_is_nothing_to_reveal(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str
    ) -> None:  # section 12
        case_id = await case_of(pool, merchant_id, order_no)
        stranger = merchant(some_id("m"))

        for subject in (order_no, case_id, some_id("o"), f"refund/{some_id('o')}/k-1"):
            assert await reveal(pool, closed(vault), wish(stranger, subject)) is None
        assert await looks(pool, order_no) == ()

    async def test_an_officer_reveals_at_any_merchants(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str
    ) -> None:
        revealed = await reveal(pool, vault, wish(officer("f-1"), order_no))

        assert revealed is not None
        assert opened(revealed.name) == NAME
        assert [(each.by, each.merchant_id) for each in await looks(pool, order_no)] == [(officer("f-1"), merchant_id)]

    @pytest.mark.parametrize("known", [True, False])
    async def test_of_the_forgotten_there_is_nothing_to_see_and_to_record(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, known: bool
    ) -> None:
        buyer_id = some_id("b")
        order_no = await sent_order(pool, vault, merchant_id, buyer_id=buyer_id, known=known)
        await vault.keys.destroy(f"buyer/{buyer_id}")

        revealed = await reveal(pool, vault, wish(merchant(merchant_id), order_no, *EVERYTHING))

        assert revealed is not None
        assert (revealed.name, revealed.address) == (None, None)
        assert revealed.number_refusal is not None
        assert await looks(pool, order_no) == ()

    async def test_a_case_about_an_allowance_was_sent_to_nobody(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str
    ) -> None:
        case_id = await case_of(pool, merchant_id, None)

        revealed = await reveal(pool, vault, wish(merchant(merchant_id), case_id))

        assert revealed is not None
        assert revealed.name is None

    async def test_a_log_shows_stars(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str
    ) -> None:  # P6
        revealed = await reveal(pool, vault, wish(merchant(merchant_id), order_no, *EVERYTHING))

        assert revealed is not None
        for text in (repr(revealed), str(revealed), revealed.model_dump_json()):
            assert NAME not in text
            assert STREET not in text

    @pytest.mark.parametrize("by", [buyer("b-1"), carrier("sf")])
    def test_only_back_ends_reveal(self, by: Actor) -> None:  # P2
        with pytest.raises(ValidationError, match="P2"):
            wish(by, "o-1")

    @pytest.mark.parametrize("fields", [(), ("phone",), ("name", "name")])
    def test_the_phone_is_not_to_be_revealed(self, fields: tuple[str, ...]) -> None:  # P2
        with pytest.raises(ValidationError, match="fields"):
            Reveal.model_validate(
                {"key": "k-1", "by": merchant("m-1"), "subject": "o-1", "fields": fields, "why": "buyer_called"}
            )


class TestOneKey:
    async def test_is_one_look(self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str) -> None:
        same = wish(merchant(merchant_id), order_no, RevealField.NAME, RevealField.ADDRESS)

        first = await reveal(pool, vault, same)
        again = await reveal(pool, vault, same, at=minutes(59), per_hour=1)

        assert first is not None
        assert again is not None
        assert (again.name, again.address) == (first.name, first.address)
        assert [each.at for each in await looks(pool, order_no)] == [NOON, NOON]

    async def test_is_one_look_also_at_once(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str
    ) -> None:
        same = wish(merchant(merchant_id), order_no, *EVERYTHING)

        given = await asyncio.gather(*(reveal(pool, vault, same) for _ in range(8)))

        assert [each and opened(each.name) for each in given] == [NAME] * 8
        assert len(await looks(pool, order_no)) == len(EVERYTHING)

    @pytest.mark.parametrize("change", ["subject", "fewer", "more", "why", "role"])
    async def test_with_another_body_is_refused(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str, change: str
    ) -> None:
        by = merchant(merchant_id)
        first = wish(by, order_no, RevealField.NAME, RevealField.ADDRESS)
        await reveal(pool, vault, first)
        others: dict[str, dict[str, object]] = {
            "subject": {"subject": await sent_order(pool, vault, merchant_id)},
            "fewer": {"fields": (RevealField.NAME,)},
            "more": {"fields": EVERYTHING},
            "why": {"why": "curiosity"},
            "role": {"by": officer(merchant_id)},
        }
        other = first.model_copy(update=others[change])

        with pytest.raises(OtherLookUnderKey):
            await reveal(pool, closed(vault), other)
        assert len(await looks(pool, order_no)) == 2
        assert await looks(pool, str(others["subject"]["subject"])) == ()

    async def test_is_of_use_for_an_hour_only(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str
    ) -> None:
        """Else one recorded look would be any number of them."""
        same = wish(merchant(merchant_id), order_no)
        await reveal(pool, vault, same)

        with pytest.raises(OtherLookUnderKey):
            await reveal(pool, closed(vault), same, at=NOON + HOUR)

    async def test_is_the_actors_own(self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str) -> None:
        other = some_id("m")
        theirs = await sent_order(pool, vault, other)
        key = some_id("k")

        await reveal(pool, vault, wish(merchant(merchant_id), order_no, key=key))
        await reveal(pool, vault, wish(merchant(other), theirs, key=key))

        assert [len(await looks(pool, each)) for each in (order_no, theirs)] == [1, 1]


class TestTheLimit:
    async def test_says_when_to_try_again_and_reads_nothing(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str
    ) -> None:  # P2
        by = merchant(merchant_id)
        for minute in (0, 10, 20):
            await reveal(pool, vault, wish(by, order_no, *EVERYTHING), per_hour=3, at=minutes(minute))

        for minute in (20, 30, 59):
            with pytest.raises(TooManyReveals) as refusal:
                await reveal(pool, closed(vault), wish(by, order_no), per_hour=3, at=minutes(minute))
            assert refusal.value.try_again_at == NOON + HOUR
        assert len(await looks(pool, order_no)) == 9

        await reveal(pool, vault, wish(by, order_no), per_hour=3, at=refusal.value.try_again_at)
        with pytest.raises(TooManyReveals) as refusal:
            await reveal(pool, closed(vault), wish(by, order_no), per_hour=3, at=NOON + HOUR)
        assert refusal.value.try_again_at == minutes(70)

    async def test_that_was_lowered_waits_until_enough_are_past(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str
    ) -> None:
        by = merchant(merchant_id)
        for minute in (0, 10, 20):
            await reveal(pool, vault, wish(by, order_no), at=minutes(minute))

        with pytest.raises(TooManyReveals) as refusal:
            await reveal(pool, vault, wish(by, order_no), per_hour=1, at=minutes(30))
        assert refusal.value.try_again_at == minutes(80)

    async def test_holds_for_each_actor_by_itself(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str
    ) -> None:
        await reveal(pool, vault, wish(merchant(merchant_id), order_no), per_hour=1)

        assert await reveal(pool, vault, wish(officer(merchant_id), order_no), per_hour=1)
        other = some_id("m")
        assert await reveal(pool, vault, wish(merchant(other), await sent_order(pool, vault, other)), per_hour=1)

    @pytest.mark.parametrize("surface", [Surface.WAYBILL, Surface.ADDRESS_CHECK, Surface.SEND_USER])
    async def test_counts_every_real_phone_and_street(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str, surface: Surface
    ) -> None:  # P8
        by = merchant(merchant_id)
        await show(pool, vault, order_no, surface, by, per_hour=3)
        await show(pool, vault, order_no, surface, by, per_hour=3, at=minutes(1))
        await reveal(pool, vault, wish(by, order_no), per_hour=3, at=minutes(2))

        with pytest.raises(TooManyReveals) as shown:
            await show(pool, closed(vault), order_no, surface, by, per_hour=3, at=minutes(3))
        with pytest.raises(TooManyReveals):
            await reveal(pool, closed(vault), wish(by, order_no), per_hour=3, at=minutes(3))
        assert shown.value.try_again_at == NOON + HOUR
        assert seen(await show(pool, vault, order_no, Surface.DEFAULT, by, per_hour=3, at=minutes(3))) == MASKED

    async def test_lets_the_buyer_check_its_own(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str
    ) -> None:  # P1, P8
        mine = await sent_order(pool, vault, merchant_id, buyer_id="b-7")
        for _ in range(3):
            assert seen(await show(pool, vault, mine, Surface.ORDER_CHECK, buyer("b-7"), per_hour=1)) == IN_FULL

    async def test_is_not_overrun_by_many_at_once(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str
    ) -> None:  # P2
        by = merchant(merchant_id)

        results = await asyncio.gather(
            *(reveal(pool, vault, wish(by, order_no), per_hour=5) for _ in range(16)), return_exceptions=True
        )

        assert sum(isinstance(each, Revealed) for each in results) == 5
        assert sum(isinstance(each, TooManyReveals) for each in results) == 11
        assert len(await looks(pool, order_no)) == 5


class TestTheRecord:
    @pytest.mark.parametrize(
        "change", ["UPDATE vault.looks SET reason = 'none'", "DELETE FROM vault.looks", "TRUNCATE vault.looks"]
    )
    async def test_is_append_only(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str, change: str
    ) -> None:
        await reveal(pool, vault, wish(merchant(merchant_id), order_no))

        with pytest.raises(asyncpg.RestrictViolationError):
            await pool.execute(change)

    async def test_a_look_that_cannot_be_recorded_is_not_had(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str
    ) -> None:  # P2
        async with pool.acquire() as connection:
            transaction = connection.transaction(readonly=True)
            await transaction.start()
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                await disclosures.reveal(connection, vault, wish(merchant(merchant_id), order_no), 9, NOON)
            await transaction.rollback()

    async def test_of_an_order_has_its_cases_too(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str
    ) -> None:
        case_id = await case_of(pool, merchant_id, order_no)
        for subject in (order_no, case_id):
            await reveal(pool, vault, wish(merchant(merchant_id), subject))

        assert [each.subject for each in await looks(pool, order_no)] == [order_no, case_id]
        assert [each.subject for each in await looks(pool, case_id)] == [case_id]
        assert len(await looks(pool, order_no, merchant_id)) == 2
        assert await looks(pool, order_no, some_id("m")) == ()


class Numbers:
    """Gives one number, or one refusal, and knows who asked."""

    def __init__(self, answer: SecretStr | Refusal | None = None) -> None:
        self.answer = answer or SecretStr(NUMBER)
        self.asked: list[tuple[str, Actor]] = []

    async def obtain(self, subject: str, by: Actor) -> SecretStr | Refusal:
        self.asked.append((subject, by))
        return self.answer


class TestTheClient:
    async def test_reveals_a_virtual_number_once_that_is_recorded(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str
    ) -> None:  # P2
        by, recorded = merchant(merchant_id), list[str]()

        class Watching(Numbers):
            async def obtain(self, subject: str, by: Actor) -> SecretStr | Refusal:
                recorded.extend(each.field for each in await looks(pool, subject))
                return await super().obtain(subject, by)

        numbers = Watching()
        revealed = await Disclosures(pool, vault, numbers, 9).reveal(wish(by, order_no, *EVERYTHING))

        assert (opened(revealed.name), opened(revealed.virtual_number)) == (NAME, NUMBER)
        assert NUMBER not in repr(revealed)
        assert numbers.asked == [(order_no, by)]
        assert "virtual_number" in recorded

    async def test_obtains_a_number_only_where_one_is_asked_for(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str
    ) -> None:
        buyer_id = some_id("b")
        forgotten = await sent_order(pool, vault, merchant_id, buyer_id=buyer_id)
        await vault.keys.destroy(f"buyer/{buyer_id}")
        numbers = Numbers()
        desk = Disclosures(pool, vault, numbers, 2)
        by = merchant(merchant_id)

        await desk.reveal(wish(by, order_no, RevealField.NAME, RevealField.ADDRESS))
        assert (await desk.reveal(wish(by, forgotten, *EVERYTHING))).virtual_number is None
        await desk.reveal(wish(by, order_no))
        with pytest.raises(TooManyReveals):
            await desk.reveal(wish(by, order_no, *EVERYTHING))
        assert numbers.asked == []

    async def test_says_why_there_is_no_number(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str
    ) -> None:
        refusal = refused("pool_dry", "subject", "P3", "no number is free")
        desk = Disclosures(pool, vault, Numbers(refusal), 9)

        revealed = await desk.reveal(wish(merchant(merchant_id), order_no, *EVERYTHING))

        assert (opened(revealed.name), revealed.virtual_number) == (NAME, None)
        assert revealed.number_refusal == refusal

    async def test_knows_no_order_or_case_of_others(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str
    ) -> None:  # section 12
        desk = Disclosures(pool, vault, Numbers(), 9)
        stranger = merchant(some_id("m"))
        case_id = await case_of(pool, merchant_id, order_no)

        with pytest.raises(UnknownOrder):
            await desk.show(order_no, Surface.DEFAULT, stranger)
        with pytest.raises(UnknownOrder):
            await desk.reveal(wish(stranger, order_no))
        with pytest.raises(UnknownCase):
            await desk.reveal(wish(stranger, case_id))
        assert await desk.looks(stranger, subject=order_no) == ()

    async def test_shows_and_tells_who_looked(
        self, pool: asyncpg.Pool, vault: Vault, merchant_id: str, order_no: str
    ) -> None:
        desk = Disclosures(pool, vault, Numbers(), 9)

        assert seen(await desk.show(order_no, Surface.DEFAULT, merchant(merchant_id))) == MASKED
        await desk.show(order_no, Surface.SEND_USER, merchant(merchant_id))

        assert [each.field for each in await desk.looks(merchant(merchant_id), subject=order_no)] == ["address", "name"]
