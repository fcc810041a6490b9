"""Virtual numbers 虚拟号 as a platform's services see them (P3).

numbers = VirtualNumbers(temporal, task_queue)
view = await numbers.obtain(ObtainNumber(key="n-1", by=merchant("m-1"), subject=order("O-1")))
"""

import asyncio
from typing import Any, Final
from uuid import uuid4

from pydantic import SecretStr
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from starter import waiting
from starter.errors import AftersalesError, Unanswered, Unreachable
from starter.priorities import of_actor
from workflows.messages import search_attributes as attributes
from workflows.messages.actors import Actor
from workflows.messages.cases import Refusal
from workflows.messages.reading import read_own
from workflows.messages.virtual_numbers import (
    BecameSubscription,
    NumberCommand,
    NumberStart,
    NumberSubject,
    NumberView,
    ObtainNumber,
    OrderCompleted,
    ReleaseNumber,
    RenewNumber,
    Scope,
)
from workflows.messages.words import shown_as_written
from workflows.rules.virtual_numbers import summary

_TRIES: Final = 3
"""Of a command that comes at the moment at which its workflow ends."""


class RefusedNumber(AftersalesError):  # noqa: N818 -- named after what happened
    """A command about a number was not obeyed: ``refusal`` says why, ``view`` how the number stands.

    None where that is not known, or is not for whoever asked (P2).
    """

    def __init__(self, refusal: Refusal, view: NumberView | None) -> None:
        super().__init__(f"{refusal.code}: {refusal.field}: {refusal.explanation} ({refusal.rule})")
        self.refusal = refusal
        self.view = view


def order(order_no: str) -> NumberSubject:
    """The number of an order."""
    return NumberSubject(scope=Scope.ORDER, id=order_no)


def sub_order(order_no: str) -> NumberSubject:
    """The number of one delivery of a subscription."""
    return NumberSubject(scope=Scope.SUB_ORDER, id=order_no)


def case(case_id: str) -> NumberSubject:
    """The number of a case."""
    return NumberSubject(scope=Scope.CASE, id=case_id)


class VirtualNumbers:
    """Each order, sub-order and case has one workflow that keeps its number; it is begun when it is first needed.

    Every command raises:
        RefusedNumber: not allowed, not now, or not in this form. ``no_number_free`` and ``provider_unreachable``
            are worth asking again, with the same key.
        Unanswered: no worker answered in time; send it again.
        Unreachable: Temporal does not answer, or others ask for the same number too much at once; send it again.
    """

    def __init__(self, temporal: Client, task_queue: str) -> None:
        self._temporal = temporal
        self._task_queue = task_queue

    async def obtain(self, request: ObtainNumber) -> NumberView:
        """The number that is bound, else another one is bound (P3); whoever asks at the same time gets the same."""
        return await self._act(request)

    async def renew(self, command: RenewNumber) -> NumberView:
        """A case's number is valid for its whole time again (P3)."""
        return await self._act(command)

    async def order_completed(self, fact: OrderCompleted) -> NumberView:
        """To be called for every order and sub-order that completes, or is closed unclaimed (P3)."""
        return await self._act(fact)

    async def became_subscription(self, fact: BecameSubscription) -> NumberView:
        """To be called when an order is split into the deliveries of a subscription 定期购 (P3)."""
        return await self._act(fact)

    async def release(self, command: ReleaseNumber) -> NumberView:
        """Unbind for good; the answer does not wait for the provider, who is told until it answers."""
        return await self._act(command)

    async def view(self, subject: NumberSubject) -> NumberView | None:
        """The number as it stands; None where nobody has asked for one.

        Raises:
            Unreachable: Temporal, or every worker, does not answer.
        """
        handle = self._temporal.get_workflow_handle(subject.workflow_id)
        try:
            return await waiting.look(handle, NumberView)
        except WorkflowQueryRejectedError as error:
            raise Unanswered(str(error)) from error
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise Unreachable(f"Temporal does not answer: {error.status.name}") from error

    async def _act(self, command: NumberCommand) -> NumberView:
        sending = waiting.Sending()
        try:
            async with asyncio.timeout(waiting.PATIENCE.total_seconds()):
                return await self._sent(command, sending)
        except WorkflowUpdateFailedError as error:
            raise _refused(error) from error
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
            if sending.turned_away:
                raise Unreachable("too many commands to this number are under way: send it again later") from error
            raise Unanswered(f"no worker answered within {waiting.PATIENCE.seconds} s") from error
        except RPCError as error:
            raise Unreachable(f"Temporal does not answer: {error.status.name}") from error

    async def _sent(self, command: NumberCommand, sending: waiting.Sending) -> NumberView:
        tries = _TRIES
        while True:
            try:
                return await self._send(command)
            except RPCError as error:
                if await sending.comes_later(error):
                    continue
                tries -= 1
                if not tries or error.status not in {RPCStatusCode.NOT_FOUND, RPCStatusCode.ABORTED}:
                    raise

    async def _send(self, command: NumberCommand) -> NumberView:
        """Where the workflow has ended, or never was, it begins: what is known of the subject is written down."""
        subject = command.subject
        of_order = [] if subject.scope is Scope.CASE else [SearchAttributePair(attributes.ORDER, subject.id)]
        beginning: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
            "VirtualNumber",
            NumberStart(subject=subject),
            id=subject.workflow_id,
            task_queue=self._task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            search_attributes=TypedSearchAttributes(of_order),
            static_summary=summary(subject),
            priority=of_actor(command.by),
        )
        # No update id: a command that was refused is tried again under its key, which the workflow knows.
        return await self._temporal.execute_update_with_start_workflow(  # pyright: ignore[reportUnknownMemberType]
            command.command_name(),
            command,
            start_workflow_operation=beginning,
            result_type=NumberView,
        )


class NumbersForMerchants:
    """Virtual numbers as they are revealed and exported (P2, P5): one text, or why there is none."""

    def __init__(self, numbers: VirtualNumbers) -> None:
        self._numbers = numbers

    async def obtain(self, subject: str, by: Actor) -> SecretStr | Refusal:
        """The number of an order or case, ``<11 digits>-<extension>``.

        Raises:
            Unreachable: Temporal, a worker or the provider does not answer; asking again is safe.
        """
        about = case(subject) if "/" in subject else order(subject)
        try:
            view = await self._numbers.obtain(ObtainNumber(key=f"d-{uuid4().hex}", by=by, subject=about))
        except RefusedNumber as error:
            if error.refusal.code == "provider_unreachable":
                raise Unreachable(str(error)) from error
            return error.refusal
        assert view.number
        return SecretStr(f"{view.number.number}-{view.number.extension}")


def _refused(error: WorkflowUpdateFailedError) -> RefusedNumber | Unanswered:
    cause = error.cause
    if not isinstance(cause, ApplicationError) or not cause.details:
        # No refusal of ours: its workflow was stopped, or reset, while it had the command.
        return Unanswered(f"the number has not answered: {cause}")
    refusal, *shown = cause.details
    with shown_as_written():
        view = read_own(NumberView, shown[0]) if shown else None
    return RefusedNumber(read_own(Refusal, refusal), view)
