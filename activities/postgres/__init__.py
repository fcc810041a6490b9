"""The project's PostgreSQL: connections, schema, and what is read from and written to it."""
