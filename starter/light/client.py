"""The light client: opens cases, commands them and waits for them, with Temporal and nothing else of ours.

It looks nothing up beforehand: the case itself checks its request against the order, and says within moments what does
not fit.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.client import Client, Interceptor, Plugin
from temporalio.converter import DataConverter
from temporalio.envconfig import ClientConfigProfile
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from starter.errors import Unanswered, Unreachable, WorkflowStopped, WrongSettings
from starter.light.case import LightCase
from starter.light.configuration import converter_of_the_environment, names_case, task_queue_of_the_environment
from starter.light.opening import OpensCases, delay_of, same_request, start_case
from starter.light.reached import NoCaseBook, Reached, untraced
from starter.running import Runs
from starter.stated_requests import OrderPaid, as_stated, malformed
from workflows.messages.cases import CaseView
from workflows.messages.requests import Request
from workflows.messages.stages import OutcomeKind, StageName
from workflows.rules.identity import case_id

_LOOK: Final = timedelta(seconds=10)
"""How long whoever opens a case waits for its first word. It is open without one, too."""
_UNTIL_THE_NEXT_LOOK: Final = 0.1


@asynccontextmanager
async def connected(
    *,
    converter: DataConverter | None = None,
    task_queue: str | None = None,
    interceptors: Sequence[Interceptor] = (),
    plugins: Sequence[Plugin] = (),
) -> AsyncGenerator["LightAftersales"]:
    """A client for as long as the context lasts; what is not given is taken from the environment.

    Temporal's own variables (``TEMPORAL_ADDRESS``, ...) say where it is; the rest stands in ``configuration``.

    Args:
        converter: What encrypts: ``encrypting_converter(keys)``, or ``remote_converter(codec)``.
        task_queue: That of the cases.
        interceptors: Passed on to Temporal's client, for traces say.
        plugins: Passed on as well.

    Raises:
        WrongSettings: a variable is wrong or missing; the text names it.
        Unreachable: Temporal does not answer.
    """
    try:
        config = ClientConfigProfile.load().to_client_connect_config()
    except (RuntimeError, ValueError, OSError) as error:
        # The first line says what is wrong; those after it quote the file, which may hold an API key.
        raise WrongSettings(f"Temporal's environment configuration: {str(error).splitlines()[0]}") from None
    address, namespace = config.get("target_host", "localhost:7233"), config.get("namespace", "default")
    chosen = converter or converter_of_the_environment(namespace)
    try:
        temporal = await Client.connect(
            address,
            namespace=namespace,
            api_key=config.get("api_key"),
            tls=config.get("tls"),
            rpc_metadata=config.get("rpc_metadata", {}),
            data_converter=chosen,
            interceptors=interceptors,
            plugins=plugins,
        )
    except (RPCError, RuntimeError) as error:
        raise Unreachable(f"Temporal at {address} does not answer") from error
    yield LightAftersales(temporal, task_queue or task_queue_of_the_environment())


class LightAftersales(OpensCases[LightCase]):
    """Cases as a service sees them that reaches Temporal only."""

    def __init__(
        self,
        temporal: Client,
        task_queue: str = "aftersales",
        *,
        span: Callable[[str], AbstractContextManager[None]] = untraced,
    ) -> None:
        """``temporal`` encrypts with ``encrypting_converter`` or ``remote_converter``; ``span`` traces each call."""
        self.temporal = temporal
        self._task_queue = task_queue
        self._reached = Reached(
            temporal, Runs(temporal), NoCaseBook(), names_case=names_case(temporal.data_converter), span=span
        )

    async def open(self, request: Request | Mapping[str, object]) -> LightCase:
        """Open whatever kind of case ``request`` is about. Errors as in ``open_refund``.

        A mapping says of which kind it is in a field more: its ``request`` is ``refund``, ``return``, ``exchange``,
        ``resend``, ``repair``, ``dispute``, ``price-protection``, ``merchant-refund``, ``withdrawal`` or ``expiry``.
        For late shipment (L1) a ``LateShipmentRequest`` is needed, which says until when the order must ship: no order
        is looked up here.
        """
        stated = as_stated(request)
        if isinstance(stated, OrderPaid):
            raise malformed("ships_until", "is needed: send a LateShipmentRequest (L1)")
        return await self._open(stated)

    def case(self, identifier: str) -> LightCase:
        """The case with this id, whether it exists or not."""
        return LightCase(self._reached, identifier)

    async def _open(self, request: Request) -> LightCase:
        identifier = case_id(request)
        with self._reached.span("open"):
            try:
                await start_case(self.temporal, self._task_queue, request, None)
            except WorkflowAlreadyStartedError:
                await same_request(self.temporal, identifier, request)
                return LightCase(self._reached, identifier, existed=True)
            case = self.case(identifier)
            if not delay_of(request, datetime.now(UTC)):
                await _refused_at_once(case)
            return case


async def _refused_at_once(case: LightCase) -> None:
    """Raise what the case finds wrong with its request, as soon as it says so."""
    with suppress(TimeoutError, Unreachable):  # nobody carries it yet: it is open all the same
        async with asyncio.timeout(_LOOK.total_seconds()):
            view = await _first_word(case)
        if view.outcome is OutcomeKind.REFUSED:
            with suppress(WorkflowStopped):  # another run had carried it, which Temporal has forgotten
                await case.outcome()


async def _first_word(case: LightCase) -> CaseView:
    while True:
        with suppress(Unanswered):  # it moves on at this moment
            view = await case.view(patience=_LOOK)
            if view.stage is not StageName.OPENING:
                return view
        await asyncio.sleep(_UNTIL_THE_NEXT_LOOK)
