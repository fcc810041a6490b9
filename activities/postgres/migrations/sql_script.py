"""Running plain SQL inside a revision."""

from alembic import op
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection


def run_script(sql: str) -> None:
    """Runs SQL of any number of statements, as one message to the server, in the migration's transaction."""
    connection = op.get_bind().connection.dbapi_connection
    assert isinstance(connection, AsyncAdapt_asyncpg_connection)
    connection.run_async(lambda driver: driver.execute(sql))
