"""``aftersales demo``."""

import asyncio
from pathlib import Path
from typing import Annotated, Literal

import typer

from starter.commands.printing import Json
from starter.demo.run import run_demo


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the servers and the Web UI up afterwards, until Ctrl-C.")
    ] = False,
    state_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the demo's own servers, emptied first; by default a temporary one.", file_okay=False
        ),
    ] = None,
    payments: Annotated[
        Literal["stub", "stripe", "wechatpay", "alipay"],
        typer.Option(
            help="Pay through the adapter to this provider, at a small server of its API on this machine: the cases "
            "that a provider pays by itself. Needs a checkout with its tests."
        ),
    ] = "stub",
    as_json: Json = False,
) -> int:
    """Open real cases on real servers, move their clocks through days, and show where every fen went.

    Needs nothing and touches nothing of yours: it runs servers of its own. Exit code 1 if anything differs from
    what the demo's files expect.

    Example: [cyan]aftersales demo --keep[/]
    """
    return asyncio.run(run_demo(keep=keep, state_dir=state_dir, as_json=as_json, payments=payments))
