"""What Alembic runs to migrate. It is given an open connection whose transaction belongs to the caller."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
