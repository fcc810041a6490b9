"""The feed of events over HTTP (X4): ``GET /v1/events``, to be mounted in a service that knows who asks."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web
from pydantic_core import to_jsonable_python

from starter.errors import RefusedReading, Unreachable
from starter.events import Events
from workflows.messages.cases import Refusal

PATH: Final = "/v1/events"

_LONGEST_WAIT: Final = 30
_WAITS: Final = frozenset(map(str, range(_LONGEST_WAIT + 1)))
_LOOKS_EVERY: Final = 0.5
_GONE: Final = "not_in_feed"
_LISTS: Final = frozenset({"types"})


def routes(events: Events) -> list[web.RouteDef]:
    """``GET /v1/events?after=&limit=&types=&merchant_id=&wait=`` gives a ``FeedPage``.

    ``types`` has commas between; with ``wait``, a number of seconds up to 30, the answer comes once there is an event.
    A wrong parameter is answered with 400, a cursor that would leave events out with 410, both with the refusal as
    ``{"refusal": ...}``; a database that does not answer with 503. Nobody is asked who they are here.
    """

    async def get(request: web.Request) -> web.Response:
        try:
            query, wait = _read(request.query)
            until = asyncio.get_running_loop().time() + wait
            page = await events.page(query)
            while not page.events and asyncio.get_running_loop().time() < until:
                if not page.more:
                    await asyncio.sleep(_LOOKS_EVERY)
                page = await events.page(query | {"after": page.next})
        except RefusedReading as error:
            status = web.HTTPGone.status_code if error.refusal.code == _GONE else web.HTTPBadRequest.status_code
            return web.json_response({"refusal": error.refusal.model_dump(mode="json")}, status=status)
        except Unreachable:
            return web.json_response({"error": "the database does not answer"}, status=503)
        return web.json_response(to_jsonable_python(page, exclude_none=True))

    return [web.get(PATH, get)]


def _read(given: Mapping[str, str]) -> tuple[dict[str, Any], int]:
    query: dict[str, Any] = {
        name: tuple(filter(None, value.split(","))) if name in _LISTS else value
        for name, value in given.items()
        if name != "wait"
    }
    wait = given.get("wait", "0")
    if wait not in _WAITS:
        explanation = f"a whole number of seconds from 0 to {_LONGEST_WAIT}"
        raise RefusedReading(Refusal(code="malformed", field="wait", rule="X4", explanation=explanation))
    return query, int(wait)
