"""Making the roles of the databases, and giving each exactly what is stated of it (`roles`)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from activities.postgres.connection import Connection
from activities.postgres.roles import FUNCTIONS, GRANTS, KEY_STORE_GRANTS, DatabaseRole, Privileges, role_name

Grants = Mapping[str, Mapping[DatabaseRole, Privileges]]
Right = tuple[str, str, str]
"""A table, a privilege, and the column that it is for; empty for what tables have as a whole, and for functions."""

_SHARED: Final = "public."
"""A schema that may hold what is not ours."""
_OF_COLUMNS: Final = ("SELECT", "INSERT", "UPDATE", "REFERENCES")
_OF_TABLES: Final = ("DELETE", "TRUNCATE", "TRIGGER")
_MAINTAIN: Final = "MAINTAIN"
_MAINTAIN_SINCE: Final = 17
_EXECUTE: Final = "EXECUTE"
_PRIVILEGE: Final = re.compile(r"(?P<name>[A-Z]+)(?: \((?P<columns>[a-z_, ]+)\))?")
# Any fixed number, other than that of migrations: it stands for "somebody changes the grants in this database".
_ADVISORY_LOCK: Final = 6_202_211_416


class CannotMakeRoles(Exception):  # noqa: N818 -- named after what happened
    """The login may not make roles, or not grant on the tables; the text says what to do."""


@dataclass(frozen=True)
class Rights:
    """What a role has and should have, as the database itself works it out, memberships and PUBLIC included."""

    had: frozenset[Right]
    needed: frozenset[Right]

    @property
    def beyond(self) -> frozenset[Right]:
        """What it may do and has no need of."""
        return self.had - self.needed

    @property
    def lacking(self) -> frozenset[Right]:
        """What it needs and may not do."""
        return self.needed - self.had


async def differing(connection: Connection, prefix: str, grants: Grants) -> tuple[str, ...]:
    """The names of the roles that are missing, or have other rights than stated; none where the tables are missing."""
    tables = await connection.fetchval("SELECT count(to_regclass(name)) FROM unnest($1::text[]) AS name", list(grants))
    if tables < len(grants):
        return ()
    return tuple(
        [role_name(prefix, role) for role in DatabaseRole if not await _is_as_stated(connection, prefix, role, grants)]
    )


async def grant(connection: Connection, prefix: str, grants: Grants) -> None:
    """Make the roles that are missing, and give each exactly what is stated. Doing it again changes nothing.

    Raises:
        CannotMakeRoles: the connection's login may not.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _ADVISORY_LOCK)
        for role in DatabaseRole:
            await _make(connection, role_name(prefix, role))
        login = await connection.fetchval("SELECT current_user")
        try:
            for role in DatabaseRole:
                name = role_name(prefix, role)
                await _let_enter(connection, name, grants, role)
                for statement in statements(name, role, grants, maintains=_maintains(connection)):
                    await connection.execute(statement)
        except asyncpg.InsufficientPrivilegeError as error:
            raise CannotMakeRoles(
                f"the database user {login} may not grant what the roles {prefix}_... need ({error}): "
                "set up with the login that owns the tables"
            ) from error


async def rights_of(connection: Connection, name: str | None, roles: Sequence[DatabaseRole], grants: Grants) -> Rights:
    """What a role may do in the schemas of ``grants``, beside what these ``roles`` need together.

    Args:
        connection: To the database.
        name: The role; None for whoever is connected.
        roles: What it stands for.
        grants: What is stated of the database's tables.
    """
    maintains = _maintains(connection)
    columns: dict[str, list[str]] = {}
    had: set[Right] = set()
    for row in await connection.fetch(
        """
        SELECT n.nspname || '.' || c.relname AS "table", a.attname AS "column", p AS privilege,
               has_schema_privilege(coalesce($1, current_user), n.oid, 'USAGE')
               AND has_column_privilege(coalesce($1, current_user), c.oid, a.attnum, p) AS had
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        CROSS JOIN unnest($3::text[]) AS p
        WHERE c.relkind = ANY ('{r,p,v,m,f}') AND (n.nspname = ANY ($2) OR n.nspname || '.' || c.relname = ANY ($4))
        """,
        name,
        _schemas(grants),
        list(_OF_COLUMNS),
        list(grants),
    ):
        if row["privilege"] == _OF_COLUMNS[0]:
            columns.setdefault(row["table"], []).append(row["column"])
        if row["had"]:
            had.add((row["table"], row["privilege"], row["column"]))
    for row in await connection.fetch(
        """
        SELECT t AS "table", p AS privilege FROM unnest($2::text[]) AS t CROSS JOIN unnest($3::text[]) AS p
        WHERE has_schema_privilege(coalesce($1, current_user), split_part(t, '.', 1), 'USAGE')
        AND has_table_privilege(coalesce($1, current_user), t, p)
        """,
        name,
        list(columns),
        [*_OF_TABLES, *([_MAINTAIN] if maintains else [])],
    ):
        had.add((row["table"], row["privilege"], ""))
    functions = _functions(grants)
    for row in await connection.fetch(
        """
        SELECT f AS function FROM unnest($2::text[]) AS f
        -- Who may not enter a schema may not so much as look a function up in it.
        WHERE CASE
        WHEN has_schema_privilege(coalesce($1, current_user), to_regnamespace(split_part(f, '.', 1))::oid, 'USAGE')
        THEN has_function_privilege(coalesce($1, current_user), to_regprocedure(f), 'EXECUTE') END
        """,
        name,
        list(functions),
    ):
        had.add((row["function"], _EXECUTE, ""))
    needed = {
        right
        for table, each in grants.items()
        for role in roles
        for privilege in each[role]
        for right in _rights(table, privilege, columns.get(table, []))
        if maintains or right[1] != _MAINTAIN
    } | {(function, _EXECUTE, "") for function, callers in functions.items() if {*callers} & {*roles}}
    return Rights(had=frozenset(had), needed=frozenset(needed))


def statements(name: str, role: DatabaseRole, grants: Grants, *, maintains: bool = True) -> Iterator[str]:
    """What gives the role called ``name`` exactly what is stated of ``role``."""
    for schema in _schemas(grants):
        yield f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {name}"
        yield f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM {name}"
        yield f"REVOKE ALL ON SCHEMA {schema} FROM {name}"
    for table in grants:
        if table.startswith(_SHARED):
            yield f"REVOKE ALL ON {table} FROM {name}"
    for schema in _entered(grants, role):
        yield f"GRANT USAGE ON SCHEMA {schema} TO {name}"
    for table, each in grants.items():
        privileges = [one for one in each[role] if maintains or one != _MAINTAIN]
        if privileges:
            yield f"GRANT {', '.join(privileges)} ON {table} TO {name}"
    for function, callers in _functions(grants).items():
        yield f"REVOKE ALL ON FUNCTION {function} FROM {name}"
        if role in callers:
            yield f"GRANT EXECUTE ON FUNCTION {function} TO {name}"


def script(prefix: str) -> str:
    """All of it as SQL for psql, for whoever may make roles where `aftersales setup` may not."""
    names = {role: role_name(prefix, role) for role in DatabaseRole}
    lines = [
        "-- Roles of the service: groups without a login. Make logins of your own members of one each, such as",
        *(f"--   CREATE ROLE {name}_1 LOGIN PASSWORD '...' IN ROLE {name};" for name in names.values()),
        "-- On the server of each database:",
        *(
            f"DO $$ BEGIN CREATE ROLE {name} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
            for name in names.values()
        ),
    ]
    for title, grants in (("of the cases (DATABASE_URL)", GRANTS), ("of persons' keys", KEY_STORE_GRANTS)):
        lines += [
            "",
            f"-- In the database {title}, by the owner of its tables: `aftersales setup` does the same, and again",
            "-- with each release. MAINTAIN is there from PostgreSQL 17 on.",
        ]
        for role, name in names.items():
            lines += [f"{each};" for each in statements(name, role, grants)]
    return "\n".join(lines)


def _functions(grants: Grants) -> Mapping[str, tuple[DatabaseRole, ...]]:
    """Those in the database of these tables."""
    schemas = _schemas(grants)
    return {function: callers for function, callers in FUNCTIONS.items() if function.partition(".")[0] in schemas}


def _schemas(grants: Grants) -> list[str]:
    """The schemas that are ours alone."""
    return sorted({table.partition(".")[0] for table in grants if not table.startswith(_SHARED)})


def _entered(grants: Grants, role: DatabaseRole) -> list[str]:
    return sorted({t.partition(".")[0] for t, each in grants.items() if each[role] and not t.startswith(_SHARED)})


def _rights(table: str, privilege: str, columns: Sequence[str]) -> Iterator[Right]:
    stated = _PRIVILEGE.fullmatch(privilege)
    assert stated
    name = stated["name"]
    if name not in _OF_COLUMNS:
        yield table, name, ""
        return
    for column in stated["columns"].split(", ") if stated["columns"] else columns:
        yield table, name, column


def _maintains(connection: Connection) -> bool:
    """Whether VACUUM is a privilege of its own there; before, it is the owner's alone."""
    return connection.get_server_version().major >= _MAINTAIN_SINCE


async def _is_as_stated(connection: Connection, prefix: str, role: DatabaseRole, grants: Grants) -> bool:
    name = role_name(prefix, role)
    if not await _exists(connection, name) or not await _can_enter(connection, name, grants, role):
        return False
    rights = await rights_of(connection, name, [role], grants)
    return rights.had == rights.needed


async def _exists(connection: Connection, name: str) -> bool:
    return await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", name)


async def _make(connection: Connection, name: str) -> None:
    if await _exists(connection, name):
        return
    try:
        async with connection.transaction():
            await connection.execute(f"CREATE ROLE {name} NOLOGIN")
    except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
        pass  # a setup of another database on this server was quicker
    except asyncpg.InsufficientPrivilegeError as error:
        login = await connection.fetchval("SELECT current_user")
        raise CannotMakeRoles(
            f"the database user {login} may not make the role {name}: let somebody who may run the SQL of "
            "`aftersales setup --print-roles`, or set AFTERSALES_DATABASE_ROLES=none to do without roles"
        ) from error


async def _can_enter(connection: Connection, name: str, grants: Grants, role: DatabaseRole) -> bool:
    """Whether it may connect, and use the schema of what is in ``public``, as PUBLIC mostly may."""
    if not any(each[role] for each in grants.values()):
        return True
    return await connection.fetchval(
        """
        SELECT has_database_privilege($1, current_database(), 'CONNECT')
               AND has_schema_privilege($1, 'public', 'USAGE')
        """,
        name,
    )


async def _let_enter(connection: Connection, name: str, grants: Grants, role: DatabaseRole) -> None:
    if await _can_enter(connection, name, grants, role):
        return
    database = await connection.fetchval("SELECT quote_ident(current_database())")
    await connection.execute(f"GRANT CONNECT ON DATABASE {database} TO {name}")
    await connection.execute(f"GRANT USAGE ON SCHEMA public TO {name}")
