"""What an operation does: who calls, whether they may, and what comes of it."""

import asyncio
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, cast

import asyncpg
from nexusrpc import HandlerError, HandlerErrorType
from nexusrpc.handler import CancelOperationContext, OperationHandler, StartOperationContext, StartOperationResultSync
from temporalio import nexus
from temporalio.client import Client
from temporalio.common import RawValue, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.nexus import (
    CancelWorkflowRunOptions,
    TemporalCancelOperationContext,
    TemporalNexusClient,
    TemporalOperationHandler,
    TemporalOperationResult,
    TemporalStartOperationContext,
)
from temporalio.service import RPCError, RPCStatusCode

from activities.opening import Opening
from starter.archived_cases import ArchivedCases
from starter.cases import PostgresCaseBook, reached_with_book
from starter.checking import BeforeOpening
from starter.errors import (
    NewerRelease,
    RefusedCommand,
    RefusedRequest,
    UnknownCase,
    Unreachable,
    WorkflowStopped,
)
from starter.light.case import LightCase
from starter.light.opening import same_request
from starter.nexus_endpoints import Rights
from starter.priorities import of_merchant
from starter.running import Runs
from starter.stated_requests import as_request, malformed
from workflows import at_start
from workflows.definitions.every_kind import CASES
from workflows.messages.cases import Outcome, Refusal
from workflows.messages.commands import Command
from workflows.messages.converter import AWAITED_OUTSIDE
from workflows.messages.nexus import CaseNamed, CaseTold, CommandTo
from workflows.messages.requests import OrderRequest, WithdrawalRequest, opener
from workflows.rules import admission
from workflows.rules.admission import Parties
from workflows.rules.identity import case_id, workflow_name

_BRIEFLY: Final = 8.0
"""Seconds: an operation must have answered, or have begun, within ten."""
_PATIENCE: Final = timedelta(seconds=6)

COMMANDS: Final[Mapping[str, type[Command]]] = {
    kind.command_name(): kind for case in CASES for kind in case.commands if not kind.fact and not kind.ours
}
"""What may be sent: what somebody asks for. Facts come from carriers, the gateway and our own workflows."""


class Door:
    """What all operations share."""

    def __init__(
        self,
        temporal: Client,
        pool: asyncpg.Pool,
        opening: Opening,
        task_queue: str,
        endpoints: Mapping[str, Rights],
        archived: ArchivedCases | None = None,
    ) -> None:
        """``opening`` looks at requests beforehand; ``endpoints`` says as whom callers may act."""
        runs = Runs(temporal)
        self.temporal = temporal
        self.task_queue = task_queue
        self.book = PostgresCaseBook(pool, archived)
        self.before = BeforeOpening(temporal, pool, runs, opening)
        self._reached = reached_with_book(temporal, runs, self.book)
        self._endpoints = endpoints

    def rights(self) -> Rights:
        """As whom the caller may act: by the endpoint, which the server tells and no caller can choose."""
        endpoint = nexus.info().endpoint
        if (rights := self._endpoints.get(endpoint)) is None:
            raise _may_not(f"the endpoint {endpoint} may do nothing here (AFTERSALES_NEXUS_ENDPOINTS)")
        return rights

    def case(self, identifier: str) -> LightCase:
        """The case with this id."""
        return LightCase(self._reached, identifier)

    async def case_of(self, rights: Rights, identifier: str) -> LightCase:
        """The case, where it is the caller's to see; of another's nothing is told, not even that it exists."""
        case = self.case(identifier)
        parties = await self.book.parties(identifier)
        if parties is None:  # it is being opened
            view = await case.view(patience=_PATIENCE)
            parties = Parties(view.merchant_id, view.buyer_id)
        if not rights.may_see(parties.merchant_id):
            raise UnknownCase(identifier)
        return case


class Opens(TemporalOperationHandler[RawValue, Outcome]):
    """Opens a case, or finds it, and ends with its outcome."""

    def __init__(self, door: Door, kind: type[OrderRequest | WithdrawalRequest]) -> None:
        self._door = door
        self._kind = kind

    async def start_operation(
        self, ctx: TemporalStartOperationContext, client: TemporalNexusClient, input: RawValue
    ) -> TemporalOperationResult[Outcome]:
        """See base class."""
        del ctx
        with answering():
            async with asyncio.timeout(_BRIEFLY):
                rights = self._door.rights()
                request: Any = as_request(self._kind, _stated(self._door, input))
                by = opener(request)
                if not rights.may_act_as(by) or not rights.may_see(request.merchant_id):
                    raise _may_not(
                        f"through this endpoint nobody acts as {by.role} in cases of this merchant (section 12)"
                    )
                return await self._opened(client, request)

    async def _opened(self, client: TemporalNexusClient, request: Any) -> TemporalOperationResult[Outcome]:
        identifier, foreseen = case_id(request), None
        if await self._door.before.written_down(identifier, request):
            if outcome := await self._door.book.outcome(identifier):
                return TemporalOperationResult[Outcome].sync(outcome)
        else:
            foreseen = await self._door.before.foresee(request, identifier)
            await same_request(self._door.temporal, identifier, request)
        await self._tell_that_it_is_awaited(identifier)
        try:
            return await client.start_workflow(
                workflow_name(request),
                request,
                id=identifier,
                task_queue=self._door.task_queue,
                result_type=Outcome,
                # Whoever asks second waits for the same case. One that has ended answers at once, below.
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                memo={AWAITED_OUTSIDE: True},
                search_attributes=at_start.foreseen(request, None if foreseen and foreseen.refusal else foreseen),
                static_summary=at_start.summary(request, foreseen),
                static_details=at_start.details(request),
                priority=of_merchant(request.merchant_id),
            )
        except WorkflowAlreadyStartedError:
            outcome = await self._door.case(identifier).outcome()
            return TemporalOperationResult[Outcome].sync(outcome)

    async def _tell_that_it_is_awaited(self, identifier: str) -> None:
        """To one that runs already; one that is started now is told by its memo."""
        try:
            await self._door.temporal.get_workflow_handle(identifier).signal(AWAITED_OUTSIDE)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    async def cancel_workflow_run(self, ctx: TemporalCancelOperationContext, options: CancelWorkflowRunOptions) -> None:
        """A cancellation ends no case: whoever wants that sends the command for it."""
        del ctx
        raise HandlerError(
            f"a case is not cancelled: send `withdraw` to {options.workflow_id} through the operation `act`",
            type=HandlerErrorType.NOT_IMPLEMENTED,
            retryable_override=False,
        )


class _AtOnce(OperationHandler[RawValue, CaseTold]):
    """An operation that has answered before its caller stops waiting."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def start(self, ctx: StartOperationContext, input: RawValue) -> StartOperationResultSync[CaseTold]:
        """See base class."""
        del ctx
        with answering():
            async with asyncio.timeout(_BRIEFLY):
                return StartOperationResultSync(await self._told(self._door.rights(), _stated(self._door, input)))

    async def cancel(self, ctx: CancelOperationContext, token: str) -> None:
        """Never asked for: it has ended when it has begun."""
        del ctx, token

    async def _told(self, rights: Rights, stated: Mapping[str, object]) -> CaseTold:
        raise NotImplementedError


class Views(_AtOnce):
    """Tells how a case stands."""

    async def _told(self, rights: Rights, stated: Mapping[str, object]) -> CaseTold:
        case = await self._door.case_of(rights, as_request(CaseNamed, stated).case)
        return CaseTold.of(await case.view(patience=_PATIENCE))


class Acts(_AtOnce):
    """Sends a command."""

    async def _told(self, rights: Rights, stated: Mapping[str, object]) -> CaseTold:
        asked = as_request(CommandTo, stated)
        command = _command(asked)
        if not rights.may_act_as(command.by):
            raise _may_not(f"by: through this endpoint nobody acts as {command.by.role} with this id (section 12)")
        case = await self._door.case_of(rights, asked.case)
        return CaseTold.of(await case.act(command))


def _command(asked: CommandTo) -> Command:
    kind = COMMANDS.get(asked.name)
    if kind is None:
        raise malformed("name", "is no command that is asked of a case")
    command = admission.read([asked.command], kind)
    if isinstance(command, Refusal):
        raise RefusedRequest(command.model_copy(update={"field": f"command.{command.field}"}))
    return command


def _stated(door: Door, given: RawValue) -> Mapping[str, object]:
    """The object that was sent, in JSON and in clear: neither side can read what the other encrypts."""
    (value,) = door.temporal.data_converter.payload_converter.from_payloads([given.payload])
    if not isinstance(value, dict):
        raise malformed("input", "must be one JSON object, in clear (encoding json/plain)")
    return cast("dict[str, object]", value)


def _may_not(why: str) -> HandlerError:
    return HandlerError(why, type=HandlerErrorType.UNAUTHORIZED, retryable_override=False)


@contextmanager
def answering() -> Generator[None]:
    """What goes wrong, as the caller learns of it; what comes right later is tried again by Temporal."""
    try:
        yield
    except (RefusedRequest, RefusedCommand) as error:
        raise HandlerError(str(error), type=HandlerErrorType.BAD_REQUEST, retryable_override=False) from None
    except UnknownCase as error:
        raise HandlerError(str(error), type=HandlerErrorType.NOT_FOUND, retryable_override=False) from None
    except RPCError as error:
        if error.status is RPCStatusCode.FAILED_PRECONDITION and "callback" in error.message:
            raise HandlerError(
                "Temporal lets no more callers wait for this case: look at it by the operation `view`",
                type=HandlerErrorType.RESOURCE_EXHAUSTED,
                retryable_override=False,
            ) from None
        raise HandlerError("Temporal does not answer", type=HandlerErrorType.UNAVAILABLE) from None
    except WorkflowStopped as error:
        raise HandlerError(str(error), type=HandlerErrorType.UNAVAILABLE) from None
    except (Unreachable, NewerRelease, TimeoutError):
        raise HandlerError("no worker, or no server, has answered in time", type=HandlerErrorType.UNAVAILABLE) from None
