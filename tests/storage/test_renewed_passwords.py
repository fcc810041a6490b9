"""A password that is changed in its file counts from the next connection on, in a process that runs."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import asyncpg
import pytest
import pytest_asyncio

from activities.postgres.connecting import by_file, connect
from activities.postgres.pool import open_pool
from starter.settings import SettingsError, load_settings


@pytest_asyncio.fixture(loop_scope="session")
async def guarded(empty_database: str, state_dirs: Path, tmp_path: Path) -> AsyncIterator[tuple[str, Path]]:
    """The address of a user whose password the server asks for, and the file that holds it."""
    user, rules = f"u{secrets.token_hex(4)}", state_dirs / "shared" / "postgres" / "pg_hba.conf"
    before = rules.read_text()
    administrator = await asyncpg.connect(empty_database)
    await administrator.execute(f"CREATE ROLE {user} LOGIN")
    rules.write_text(f"local all {user} scram-sha-256\nhost all {user} all scram-sha-256\n{before}")
    await administrator.execute("SELECT pg_reload_conf()")
    parts = urlsplit(empty_database)
    host = parts.netloc.rpartition("@")[2]
    file = tmp_path / "a password"
    query = "&".join(filter(None, (parts.query, f"password_file={quote(str(file))}")))
    try:
        yield parts._replace(netloc=f"{user}@{host}", query=query).geturl(), file
    finally:
        rules.write_text(before)
        await administrator.execute("SELECT pg_reload_conf()")
        await administrator.execute(f"DROP ROLE {user}")
        await administrator.close()


async def renew(database: str, url: str, file: Path, password: str) -> None:
    """What whoever rotates passwords does."""
    connection = await asyncpg.connect(database)
    await connection.execute(f"ALTER ROLE {urlsplit(url).username} PASSWORD '{password}'")
    await connection.close()
    file.write_text(f"{password}\n")


async def test_a_pool_takes_up_a_renewed_password(empty_database: str, guarded: tuple[str, Path]) -> None:
    url, file = guarded
    await renew(empty_database, url, file, "first")
    async with await open_pool(url, max_size=2) as pool, pool.acquire() as old:
        await renew(empty_database, url, file, "second")
        async with pool.acquire() as new:
            assert await new.fetchval("SELECT current_user") == urlsplit(url).username
        # One that is open goes on.
        assert await old.fetchval("SELECT 1") == 1
        alone = await connect(url)
        await alone.close()
        file.write_text("wrong\n")
        with pytest.raises(asyncpg.InvalidPasswordError):
            await connect(url)


async def test_a_file_that_is_missing_is_no_wrong_password(guarded: tuple[str, Path]) -> None:
    with pytest.raises(FileNotFoundError):
        await connect(guarded[0])


def test_the_other_parameters_of_an_address_stay(tmp_path: Path) -> None:
    file = tmp_path / "a file"
    file.write_text("p w\r\n")

    url, password = by_file(f"postgresql://u@h/d?sslmode=require&password_file={quote(str(file))}&host=/run/pg")

    assert url == "postgresql://u@h/d?sslmode=require&host=%2Frun%2Fpg"
    assert password is not None
    assert password() == "p w"
    assert by_file("postgresql://u:p@h/d?host=/run/pg") == ("postgresql://u:p@h/d?host=/run/pg", None)


@pytest.mark.parametrize("setting", ["database_url", "key_store_url"])
def test_a_password_has_one_place(setting: str) -> None:
    with pytest.raises(SettingsError, match="only one of them can count") as caught:
        load_settings(**{setting: "postgresql://u:hunter2@h/d?password_file=/p"})

    assert "hunter2" not in str(caught.value)
