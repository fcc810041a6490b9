"""What is raised where a database does not answer, or breaks off what it was asked."""

from typing import Final

import asyncpg

NO_ANSWER: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""The last is what asyncpg says where a connection broke while it was asked for something, and is given back."""
