"""How what lasts hears that it is to stop."""

import asyncio
import os
import signal

from starter.commands.failures import Exit


def told_to_stop() -> asyncio.Event:
    """Set by the first Ctrl-C or SIGTERM; a second one ends the process at once, and the servers with it."""
    stop = asyncio.Event()

    def asked() -> None:
        if stop.is_set():
            os._exit(Exit.NO)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked)
    return stop
