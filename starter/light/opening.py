"""How a client opens cases: one method for each kind, and the start that all share."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from starter.errors import RefusedRequest
from starter.light.case import LightCase, unreachable
from starter.priorities import of_merchant
from starter.stated_requests import as_request
from workflows import at_start
from workflows.messages.cases import Refusal
from workflows.messages.openings import Opened
from workflows.messages.requests import (
    DisputeRequest,
    ExpiryRequest,
    LateShipmentRequest,
    MerchantRefundRequest,
    PriceProtectionRequest,
    RefundRequest,
    RepairRequest,
    Request,
    ResendRequest,
    ReturnRequest,
    WithdrawalRequest,
)
from workflows.rules.identity import case_id, workflow_name

CaseT = TypeVar("CaseT", bound=LightCase)


class OpensCases(ABC, Generic[CaseT]):
    """The methods that open a case of each kind."""

    async def open_refund(self, request: RefundRequest | Mapping[str, object]) -> CaseT:
        """A buyer asks for a refund (R1 to R8). The same request again is the same case.

        Instead of a model, a mapping with the same fields is taken, amounts in minor units; so it is by all that open.

        Raises:
            RefusedRequest: a field is missing, unknown or wrong, it does not fit the order, or its key was used for
                another request. It names the field and the rule.
            Unreachable: Temporal or the database does not answer; asking again is safe.
        """
        return await self._open(as_request(RefundRequest, request))

    async def open_merchant_refund(self, request: MerchantRefundRequest | Mapping[str, object]) -> CaseT:
        """A merchant pays back of its own accord (R9). Errors as in ``open_refund``."""
        return await self._open(as_request(MerchantRefundRequest, request))

    async def open_return(self, request: ReturnRequest | Mapping[str, object]) -> CaseT:
        """A buyer sends goods back, for money or in exchange (T1 to T11). Errors as in ``open_refund``."""
        return await self._open(as_request(ReturnRequest, request))

    async def open_price_protection(self, request: PriceProtectionRequest | Mapping[str, object]) -> CaseT:
        """A buyer wants back what the price has fallen by (保价, B1 to B3). Errors as in ``open_refund``."""
        return await self._open(as_request(PriceProtectionRequest, request))

    async def open_resend(self, request: ResendRequest | Mapping[str, object]) -> CaseT:
        """A buyer wants goods, or a part of them, sent again (补寄, C1 to C6). Errors as in ``open_refund``."""
        return await self._open(as_request(ResendRequest, request))

    async def open_repair(self, request: RepairRequest | Mapping[str, object]) -> CaseT:
        """A buyer sends goods in to be mended (维修, M1 to M5). Errors as in ``open_refund``."""
        return await self._open(as_request(RepairRequest, request))

    async def open_dispute(self, request: DisputeRequest | Mapping[str, object]) -> CaseT:
        """A buyer disputes an ended case, or an order without one (D1). Errors as in ``open_refund``.

        An open case is disputed by the command ``OpenDispute``, which it takes itself.
        """
        return await self._open(as_request(DisputeRequest, request))

    async def open_withdrawal(self, request: WithdrawalRequest | Mapping[str, object]) -> CaseT:
        """A buyer asks for the unspent principal of an allowance (A1 to A5). Errors as in ``open_refund``."""
        return await self._open(as_request(WithdrawalRequest, request))

    async def schedule_expiry(self, request: ExpiryRequest | Mapping[str, object]) -> CaseT:
        """See to it that an allowance's principal goes back when its validity ends (A6).

        To be called when the allowance is granted. The workflow exists from now on but starts only then: a
        start delay costs one timer and no history, and one id per allowance makes a second call harmless.
        """
        return await self._open(as_request(ExpiryRequest, request))

    @abstractmethod
    async def _open(self, request: Request) -> CaseT: ...


def delay_of(request: Request, now: datetime) -> timedelta:
    """How long the start of a case waits: of what happens at a moment that is known beforehand (A6, L1)."""
    match request:
        case ExpiryRequest(valid_until=opens_at) | LateShipmentRequest(ships_until=opens_at):
            return max(opens_at - now, timedelta(0))
        case _:
            return timedelta(0)


async def start_case(temporal: Client, task_queue: str, request: Request, foreseen: Opened | None) -> None:
    """Start the workflow of a request; with ``foreseen``, what was looked up of it beforehand.

    Raises:
        WorkflowAlreadyStartedError: there is one, or was, as far as Temporal remembers.
        Unreachable: Temporal does not answer.
    """
    shown = None if foreseen and foreseen.refusal else foreseen
    try:
        await temporal.start_workflow(
            workflow_name(request),
            request,
            id=case_id(request),
            task_queue=task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            search_attributes=at_start.foreseen(request, shown),
            static_summary=at_start.summary(request, foreseen),
            static_details=at_start.details(request),
            priority=of_merchant(request.merchant_id),
            start_delay=delay_of(request, datetime.now(UTC)) or None,
        )
    except RPCError as error:
        raise unreachable(error) from error


async def same_request(temporal: Client, identifier: str, request: Request) -> None:
    """Section 11 of docs/rules.md: the same request twice is one case; another body under the same key is refused.

    The first one is looked up in Temporal; where that has forgotten it, the key must do.

    Raises:
        RefusedRequest: the case was opened by another one.
        Unreachable: Temporal does not answer.
    """
    if isinstance(request, LateShipmentRequest):
        return  # one per order, under whichever version of the policy it was announced (L1)
    try:
        async for event in temporal.get_workflow_handle(identifier).fetch_history_events(page_size=1):
            started = event.workflow_execution_started_event_attributes
            (first,) = await temporal.data_converter.decode(started.input.payloads, [type(request)])
            if first != request:
                raise key_reused()
            return
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise unreachable(error) from error


def key_reused() -> RefusedRequest:
    """The refusal of another body under a key that was used (section 11)."""
    explanation = "another request has been sent under this key"
    return RefusedRequest(
        Refusal(code="request_key_reused", field="request_key", rule="section 11", explanation=explanation)
    )
