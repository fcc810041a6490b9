"""A process that has loaded the command line, and forks for every command.

A command is still a process of its own, with its words, environment, streams and exit code; only what an interpreter
needs to load the program is spent once. The fork comes before any thread: the SDK's runtime is the command's own.
"""

import asyncio
import contextlib
import gc
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from typing import IO

from starter.commands import main
from starter.commands.application import application

LOADED_LATER = ("holidays", "iso4217", "rich.markdown", "typer.rich_utils")


class Zygote:
    """The way to it."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests

    async def run(self, words: Sequence[str], environment: Mapping[str, str], streams: Sequence[IO[bytes]]) -> int:
        """The exit code of a command on these standard streams; negative for the signal that ended it."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._requests, [b"."], [theirs.fileno(), *(each.fileno() for each in streams)])
        reader, writer = await asyncio.open_connection(sock=ours)
        with contextlib.closing(writer):
            writer.write(json.dumps([words, dict(environment)]).encode() + b"\n")
            return int(await reader.readline())


@asynccontextmanager
async def zygote(environment: Mapping[str, str]) -> AsyncGenerator[Zygote]:
    """One that is there as long as the context lasts."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.cli.zygote", str(theirs.fileno())),
            pass_fds=[theirs.fileno()],
            env=environment,
        )
        theirs.close()
        yield Zygote(ours)
    assert await process.wait() == 0


def fork_for_each_request(requests: socket.socket) -> None:
    """Returns only in processes that are to run a command, once they are ready to."""
    # A command's collector would touch, and thereby copy, what it shares with all others.
    gc.freeze()
    # Nobody waits for those who stand between the commands and this process.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        wanted, descriptors, _, _ = socket.recv_fds(requests, 1, 4)
        if not wanted:
            sys.exit()
        if os.fork() == 0:
            requests.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return become_a_command(socket.socket(fileno=descriptors[0]), descriptors[1:])
        for each in descriptors:
            os.close(each)


def become_a_command(asker: socket.socket, streams: Sequence[int]) -> None:
    """Returns in one more process, the command's; this one waits for its end, to tell the code."""
    with asker, asker.makefile("rw") as conversation:
        words, environment = json.loads(conversation.readline())
        command = os.fork()
        if command:
            _, status = os.waitpid(command, 0)
            print(os.waitstatus_to_exitcode(status), file=conversation, flush=True)
            os._exit(0)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.argv = ["aftersales", *words]
    os.environ.clear()
    os.environ.update(environment)


if __name__ == "__main__":
    # Every module that a command needs, and those that are loaded by what it does.
    application()
    for each in LOADED_LATER:
        import_module(each)
    fork_for_each_request(socket.socket(fileno=int(sys.argv[1])))
    main()
