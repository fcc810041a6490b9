"""``aftersales fast-forward``: moving one case's clock (development only)."""

import asyncio
from datetime import timedelta
from typing import Annotated, Final

import typer
from rich.text import Text
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper

from starter.client import connected
from starter.commands import wording
from starter.commands.failures import UsageError
from starter.commands.printing import Json, answer
from starter.commands.reaching import for_development
from starter.commands.viewing import CaseId
from starter.errors import RefusedCommand, Unanswered, UnknownCase
from starter.settings import Settings
from workflows.messages.cases import Refusal

_PATIENCE: Final = 60


def fast_forward(
    case: CaseId,
    duration: Annotated[str, typer.Argument(metavar="DURATION", help="How far: 90s, 30m, 48h, 7d, 1d12h.")],
    as_json: Json = False,
) -> int:
    """Move the clock of one case forward, and of no other; what falls due on the way happens. Development only.

    Example: [cyan]aftersales fast-forward refund/O-1/k-1 48h[/]
    """
    settings = for_development("moving a case's clock")
    return asyncio.run(_move(settings, case, wording.duration(duration), as_json))


async def _move(settings: Settings, identifier: str, length: timedelta, as_json: bool) -> int:
    async with connected(settings) as aftersales:
        handle = aftersales.case(identifier).handle
        skipper = TimeSkipper(aftersales.temporal)
        try:
            async with asyncio.timeout(_PATIENCE):
                still_open = await skipper.fast_forward(handle, length)
            now = await skipper.get_current_time(handle)
        except TimeoutError as error:
            raise Unanswered(f"no worker carried the case on within {_PATIENCE} s") from error
        except RPCError as error:
            raise _explained(error, identifier) from error
    ended = "" if still_open else "; it has ended"
    answer(
        as_json,
        {"case_id": identifier, "now": now, "open": still_open},
        Text(f"{identifier} is at {now:%Y-%m-%d %H:%M:%S} UTC{ended}"),
    )
    return 0


def _explained(error: RPCError, identifier: str) -> Exception:
    match error.status:
        case RPCStatusCode.NOT_FOUND if "completed" in error.message:
            return RefusedCommand(
                Refusal(code="not_open", field="command", rule="section 11", explanation="the case has ended"),
                None,
            )
        case RPCStatusCode.NOT_FOUND:
            return UnknownCase(identifier)
        case RPCStatusCode.INVALID_ARGUMENT | RPCStatusCode.UNIMPLEMENTED:
            return UsageError(f"this Temporal server does not move clocks: {error.message}")
        case _:
            return error
