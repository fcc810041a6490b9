"""What each database role may do: tried with every table, each verb and each column (docs/running.md).

That each may do all that it needs is shown by the tests of cases and of the codec server, which run in these roles.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
import pytest_asyncio

from activities.postgres import granting, schema
from activities.postgres.connection import Connection
from activities.postgres.granting import CannotMakeRoles, Grants
from activities.postgres.person_keys import SCHEMA as KEY_STORE
from activities.postgres.roles import FUNCTIONS, GRANTS, KEY_STORE_GRANTS, DatabaseRole, Privileges, role_name
from starter.stack import Stack
from tests.databases import address_of, database_for_one_test, log_in_as

PREFIX = "tried"
APPEND_ONLY = {
    "casebook.closed_log",
    "casebook.log",
    "disputes.statements",
    "ledger.fund_parts",
    "ledger.funds",
    "ledger.leg_events",
    "ledger.leg_parts",
    "logistics.events",
    "shop.flag_history",
    "shop.return_address_versions",
    "shop.score_changes",
    "shop.standing_decisions",
    "shop.standing_orders",
    "vault.erasures",
    "vault.looks",
    "exports.jobs",
    "exports.movements",
}
"""Their triggers refuse every change; for the lock of a payout a worker may update a column of ``ledger.funds``."""

VIEWS = {
    "casebook.every_case",
    "casebook.whole_case",
    "casebook.whole_log",
    "ledger.every_leg",
    "ledger.every_leg_event",
}
"""Which nobody can write into: each is of several tables."""

STORES = pytest.mark.parametrize("grants", [GRANTS, KEY_STORE_GRANTS], ids=["cases", "key store"])


@pytest_asyncio.fixture(loop_scope="session")
async def granted(own_database: str) -> AsyncIterator[str]:
    """The address of a database with both schemas, and with the roles."""
    owner = await asyncpg.connect(own_database)
    await owner.execute(KEY_STORE)
    for grants in (GRANTS, KEY_STORE_GRANTS):
        await granting.grant(owner, PREFIX, grants)
    await owner.close()
    yield own_database


@asynccontextmanager
async def connected(database: str) -> AsyncGenerator[Connection]:
    connection = await asyncpg.connect(database)
    try:
        yield connection
    finally:
        await connection.close()


async def columns_of(connection: Connection, table: str) -> list[str]:
    rows = await connection.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped",
        table,
    )
    return [row["attname"] for row in rows]


def stated(privileges: Privileges, verb: str, column: str | None = None) -> bool:
    """Whether the verb is stated of the table as a whole or, where a column is named, of that one."""
    return verb in privileges or (
        column is not None and any(re.fullmatch(rf"{verb} \(.*\b{column}\b.*\)", each) for each in privileges)
    )


async def may(connection: Connection, statement: str) -> bool:
    """Whether the statement would be carried out: EXPLAIN looks at the rights, and at nothing else."""
    try:
        await connection.execute(f"EXPLAIN {statement}")
    except asyncpg.InsufficientPrivilegeError:
        return False
    return True


async def test_every_table_of_every_schema_is_stated(granted: str) -> None:
    async with connected(granted) as owner:
        tables = await owner.fetch(
            """
            SELECT schemaname || '.' || tablename AS name FROM pg_tables
            WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
            UNION ALL SELECT schemaname || '.' || viewname FROM pg_views
            WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
            """
        )
        sequences = await owner.fetch(
            """
            SELECT c.oid::regclass::text AS name, EXISTS (
                SELECT FROM pg_depend WHERE objid = c.oid AND classid = 'pg_class'::regclass AND deptype = 'i'
            ) AS of_a_column
            FROM pg_class c WHERE relkind = 'S'
            """
        )

    assert {row["name"] for row in tables} == {*GRANTS, *KEY_STORE_GRANTS}
    assert [row["name"] for row in sequences if not row["of_a_column"]] == [], "who may count these is stated nowhere"


@STORES
@pytest.mark.parametrize("role", list(DatabaseRole))
async def test_a_role_may_do_what_is_stated_and_nothing_else(granted: str, role: DatabaseRole, grants: Grants) -> None:
    wrong: list[str] = []

    def compare(what: str, *, is_stated: bool, is_done: bool) -> None:
        if is_stated != is_done:
            wrong.append(f"{what}: {'stated' if is_stated else 'not stated'}")

    async with connected(granted) as owner, connected(await log_in_as(role, granted, PREFIX)) as login:
        for table, each in grants.items():
            privileges = each[role]
            if table in VIEWS:
                for column in await columns_of(owner, table):
                    statement = f"SELECT {column} FROM {table}"
                    is_stated = stated(privileges, "SELECT", column)
                    compare(statement, is_stated=is_stated, is_done=await may(login, statement))
                continue
            for verb, statement in (
                ("SELECT", f"SELECT * FROM {table}"),
                ("INSERT", f"INSERT INTO {table} DEFAULT VALUES"),
                ("DELETE", f"DELETE FROM {table}"),
            ):
                compare(statement, is_stated=stated(privileges, verb), is_done=await may(login, statement))
            for column in await columns_of(owner, table):
                for verb, statement in (
                    ("SELECT", f"SELECT {column} FROM {table}"),
                    ("UPDATE", f"UPDATE {table} SET {column} = DEFAULT"),
                ):
                    compare(statement, is_stated=stated(privileges, verb, column), is_done=await may(login, statement))
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await login.execute(f"TRUNCATE {table}")
            for statement in (f"ALTER TABLE {table} DISABLE TRIGGER ALL", f"DROP TABLE {table}"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await login.execute(statement)

    assert wrong == []


@pytest.mark.parametrize("role", list(DatabaseRole))
async def test_a_role_calls_the_functions_that_are_its_own(granted: str, role: DatabaseRole) -> None:
    calls = {
        "casebook.make_month(date)": "casebook.make_month('2026-11-01')",
        "casebook.move_closed(timestamptz, integer)": "casebook.move_closed(now(), 1)",
        "casebook.bring_back(text)": "casebook.bring_back('refund/o/k')",
        "ledger.move_funds(timestamptz, timestamptz, integer)": "ledger.move_funds(now(), now(), 1)",
        "ledger.bring_back(text)": "ledger.bring_back('order/o')",
        "casebook.hold_month(date)": "casebook.hold_month('2026-11-01')",
        "casebook.drop_month(date, bigint, bigint)": "casebook.drop_month('2026-11-01', 0, 0)",
    }
    assert calls.keys() == FUNCTIONS.keys()
    async with connected(await log_in_as(role, granted, PREFIX)) as login:
        for function, callers in FUNCTIONS.items():
            assert await may(login, f"ANALYZE SELECT {calls[function]}") is (role in callers), function


async def test_no_role_changes_what_is_append_only(granted: str) -> None:  # section 12
    changing = {
        (table, privilege)
        for table in APPEND_ONLY
        for privileges in GRANTS[table].values()
        for privilege in privileges
        if privilege not in {"SELECT", "INSERT"} and not privilege.startswith("SELECT (")
    }
    async with connected(granted) as owner:
        kept = await owner.fetch(
            """
            SELECT DISTINCT tgrelid::regclass::text AS name FROM pg_trigger
            WHERE NOT tgisinternal AND tgtype & 16 > 0 AND tgtype & 8 > 0 AND tgattr = ''
            """
        )
    async with connected(await log_in_as(DatabaseRole.WORKER, granted, PREFIX)) as worker:
        await worker.execute("INSERT INTO ledger.funds (fund, currency) VALUES ('order/1', 'CNY')")
        await worker.execute("SELECT FROM ledger.funds FOR UPDATE")
        with pytest.raises(asyncpg.RestrictViolationError):
            await worker.execute("UPDATE ledger.funds SET currency = 'USD'")

    assert changing == {("ledger.funds", "UPDATE (currency)")}
    assert {row["name"] for row in kept} <= APPEND_ONLY


async def test_what_somebody_has_granted_besides_is_found_and_taken_back(granted: str) -> None:
    name = role_name(PREFIX, DatabaseRole.CODEC)
    async with connected(granted) as owner:
        assert await granting.differing(owner, PREFIX, GRANTS) == ()
        for changed in (
            f"GRANT DELETE ON vault.looks TO {name}",
            f"GRANT SELECT (sealed) ON vault.recipients TO {name}",
            f"GRANT USAGE ON SCHEMA ledger TO {name}; GRANT TRUNCATE ON ledger.legs TO {name}",
            f"REVOKE INSERT ON vault.looks FROM {name}",
            f"REVOKE USAGE ON SCHEMA vault FROM {name}",
            f"GRANT UPDATE ON public.alembic_version TO {name}",
        ):
            await owner.execute(changed)
            assert await granting.differing(owner, PREFIX, GRANTS) == (name,), changed
            await granting.grant(owner, PREFIX, GRANTS)
            assert await granting.differing(owner, PREFIX, GRANTS) == (), changed


async def test_a_role_may_enter_where_not_everybody_may(granted: str) -> None:
    name = granted.rpartition("/")[2].partition("?")[0]
    async with connected(granted) as owner:
        await owner.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC")
        assert len(await granting.differing(owner, PREFIX, GRANTS)) == len(DatabaseRole)
        await granting.grant(owner, PREFIX, GRANTS)

    for role in DatabaseRole:
        async with connected(await log_in_as(role, granted, PREFIX)) as login:
            await login.fetch("SELECT * FROM public.alembic_version")


async def test_an_owner_who_may_make_no_roles_grants_to_those_that_are_there(stack: Stack) -> None:
    prefix = "made_for_us"
    async with database_for_one_test(stack.database_url) as database, connected(database) as administrator:
        await administrator.execute("CREATE ROLE small_owner LOGIN")
        name = await administrator.fetchval("SELECT current_database()")
        await administrator.execute(f"ALTER DATABASE {name} OWNER TO small_owner")
        as_owner = address_of(name, stack.database_url).replace("postgres@", "small_owner@")
        await schema.upgrade(as_owner)
        async with connected(as_owner) as owner:
            with pytest.raises(CannotMakeRoles, match="small_owner .*--print-roles"):
                await granting.grant(owner, prefix, GRANTS)
            for line in granting.script(prefix).splitlines():
                if line.startswith("DO "):
                    await administrator.execute(line)
            await granting.grant(owner, prefix, GRANTS)
            assert await granting.differing(owner, prefix, GRANTS) == ()


async def test_the_printed_script_makes_the_same(own_database: str) -> None:
    async with connected(own_database) as owner:
        await owner.execute(KEY_STORE)
        await owner.execute(granting.script("printed"))

        for grants in (GRANTS, KEY_STORE_GRANTS):
            assert await granting.differing(owner, "printed", grants) == ()


async def test_who_forgets_a_person_cleans_the_key_up(granted: str) -> None:  # section 8
    notices: list[str] = []
    async with connected(await log_in_as(DatabaseRole.CLIENT, granted, PREFIX)) as login:
        assert isinstance(login, asyncpg.Connection)
        login.add_log_listener(lambda _, message: notices.append(str(message)))
        await login.execute("VACUUM keystore.person_keys")

    assert notices == [], "PostgreSQL only warns, and cleans nothing up, where the right is missing"
