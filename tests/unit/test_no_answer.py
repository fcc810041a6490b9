"""Whatever tells that a database does not answer reaches whoever has asked as ``Unreachable``."""

import asyncpg
import pytest

from starter.database import answering
from starter.errors import Unreachable


@pytest.mark.parametrize(
    "told",
    [
        ConnectionResetError(),
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.InterfaceError("the connection is closed"),
        asyncpg.InternalClientError("another operation is in progress"),  # a connection that broke while it was asked
    ],
    ids=lambda told: type(told).__name__,
)
def test_a_database_that_does_not_answer_is_unreachable(told: Exception) -> None:
    with pytest.raises(Unreachable), answering():
        raise told
