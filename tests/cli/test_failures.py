"""What a command says that a server has kept from its work: a sentence and an exit code, and no traceback."""

import asyncpg
import pytest

from starter.commands.failures import Exit, describe


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.AdminShutdownError("terminating connection due to administrator command"),
        asyncpg.TooManyConnectionsError("sorry, too many clients already"),
        asyncpg.ObjectNotInPrerequisiteStateError("database is not currently accepting connections"),
        asyncpg.InvalidPasswordError("password authentication failed"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_database_that_does_not_serve_now_is_told_in_a_sentence(error: asyncpg.PostgresError) -> None:
    told = describe(error)

    assert told is not None
    assert (told.error, told.exit_code) == ("unreachable", Exit.UNREACHABLE)
    assert str(error) in told.message


def test_a_fault_of_ours_keeps_its_traceback() -> None:
    assert describe(asyncpg.PostgresSyntaxError("syntax error at or near SELEC")) is None
