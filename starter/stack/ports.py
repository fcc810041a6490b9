"""Ports on the loopback interface."""

import json
import random
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"

# Below the range from which Linux and macOS take the local ends of outgoing connections: a client that keeps
# asking a server which is down must not come to hold the server's own port.
_RANGE: Final = range(20_000, 32_000)


def choose(names: Sequence[str], memory: Path) -> dict[str, int]:
    """A free port for each name: the one it had last time where that is free, as `memory` (a file) tells."""
    try:
        remembered: dict[str, int] = json.loads(memory.read_text())
    except (FileNotFoundError, ValueError):
        remembered = {}
    chosen: dict[str, int] = {}
    for name in names:
        port = remembered.get(name)
        while port is None or port in chosen.values() or not _is_free(port):
            port = random.choice(_RANGE)  # noqa: S311 -- not a secret
        chosen[name] = port
    memory.write_text(json.dumps(remembered | chosen))
    return chosen


def forget(memory: Path) -> None:
    """Makes the next `choose` take other ports."""
    memory.unlink(missing_ok=True)


def accepts(port: int) -> bool:
    """Whether somebody takes connections on `port`."""
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex((LOOPBACK, port)) == 0


def _is_free(port: int) -> bool:
    with socket.socket() as server:
        # As the servers do: what is left of closed connections does not make a port taken.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
