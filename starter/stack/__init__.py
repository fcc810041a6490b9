"""Temporal and PostgreSQL beside the project, for a machine where neither runs: one stack on a state folder.

The two servers are children of a small keeper process that outlives whoever started the stack for just as
long as it takes to stop them: its standard input ends when the starter is gone, however that came about.
"""

from starter.stack.embedded import Stack, StackError, embedded_stack
from starter.stack.state_folder import Addresses

__all__ = ["Addresses", "Stack", "StackError", "embedded_stack"]
