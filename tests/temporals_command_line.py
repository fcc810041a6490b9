"""Temporal's own command line, as operators type it."""

import asyncio

from starter.stack.temporal_server import executable


async def typed(address: str, *words: str) -> tuple[int, str]:
    """``temporal`` with these words on the server of this address: its exit code, and all that it says."""
    process = await asyncio.create_subprocess_exec(
        executable(),
        *words,
        *("--address", address, "--namespace", "default"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()
