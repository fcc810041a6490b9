"""Cases without Temporal and PostgreSQL: the same shell and kinds in one process, with a clock of their own.

Nothing here opens a socket, starts a thread or writes a file.
"""
