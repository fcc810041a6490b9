"""What is looked at before a case is opened, by whoever reaches the database: a request is refused before anything
is started, and one that was made before is the case that it opened.
"""

from datetime import UTC, datetime

import asyncpg
from temporalio.client import Client
from temporalio.service import RPCError

from activities.opening import Opening
from activities.postgres import casebook
from starter.database import foreseeing, reading
from starter.errors import RefusedRequest
from starter.light.case import unreachable
from starter.light.opening import key_reused, same_request
from starter.running import Runs
from workflows.messages.cases import CaseKey
from workflows.messages.openings import OpenCase, Opened
from workflows.messages.requests import LateShipmentRequest, Request
from workflows.rules.identity import request_digest


class BeforeOpening:
    """Looks at requests before they open a case. All of it raises ``Unreachable`` where a server does not answer."""

    def __init__(self, temporal: Client, pool: asyncpg.Pool, runs: Runs, opening: Opening) -> None:
        self._temporal = temporal
        self._pool = pool
        self._runs = runs
        self._opening = opening

    async def foresee(self, request: Request, identifier: str) -> Opened:
        """What opening would find now; refuse what does not fit, unless the case exists already.

        Raises:
            RefusedRequest: it does not fit.
            NewerRelease: the books hold what only a newer release knows.
        """
        opening = OpenCase(case=CaseKey(case_id=identifier, run_id=""), at=datetime.now(UTC), request=request)
        with foreseeing():
            foreseen = await self._opening.foresee(opening)
        stranger = foreseen.refusal and foreseen.refusal.code == "not_yours"  # is not told either that it exists
        if foreseen.refusal and (stranger or not await self.exists(identifier)):
            raise RefusedRequest(foreseen.refusal)
        return foreseen

    async def exists(self, identifier: str) -> bool:
        """Whether Temporal or the case book has the case."""
        if await self._digest(identifier) is not None:
            return True
        try:
            return await self._runs.exists(identifier)
        except RPCError as error:
            raise unreachable(error) from error

    async def written_down(self, identifier: str, request: Request) -> bool:
        """Whether the case book has the case, whatever Temporal still knows of it: the same request is that case.

        Raises:
            RefusedRequest: another request has opened it.
        """
        digest = await self._digest(identifier)
        if digest is None or digest == request_digest(request):
            return digest is not None
        await self.foresee(request, identifier)
        if digest and not isinstance(request, LateShipmentRequest):  # of which there is one per order (L1)
            raise key_reused()
        await same_request(self._temporal, identifier, request)
        return True

    async def _digest(self, identifier: str) -> str | None:
        async with reading(self._pool) as connection:
            return await casebook.digest_of_request(connection, identifier)
