"""One case, reached through Temporal alone; what the case book adds is asked of it where there is one."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from pydantic import ValidationError
from temporalio.api.enums.v1 import WorkflowExecutionStatus as Status
from temporalio.client import (
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import QueryRejectCondition
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from starter import waiting
from starter.errors import (
    NotYours,
    RefusedCommand,
    RefusedRequest,
    Unanswered,
    UnknownCase,
    Unreachable,
    WorkflowStopped,
)
from starter.light.reached import Reached
from workflows.messages.cases import CaseView, Outcome, Refusal
from workflows.messages.commands import Command
from workflows.messages.converter import UnopenedPayload
from workflows.messages.reading import read_own
from workflows.messages.stages import OutcomeKind, Stopped
from workflows.messages.words import shown_as_written
from workflows.rules.admission import Parties, fingerprint, for_another_case

STOPPED: Final = "workflow_stopped"
"""Why a command is refused whose case is open and carried by no workflow."""

FULL: Final = "case_full"
"""Why a command is refused whose case runs and is given no more, by Temporal's own limits."""

_BETWEEN_RUNS: Final = "Refused.between_runs"
_UNTIL_IT_IS_UNPAUSED: Final = 5

_FULL: Final = {
    RPCStatusCode.FAILED_PRECONDITION: "limit on the total number of distinct updates",
    RPCStatusCode.INVALID_ARGUMENT: "limit for signal events",
}
"""What the server says when a run takes no more updates (2,000) or signals (10,000), by status."""

_GONE: Final = frozenset({RPCStatusCode.UNAVAILABLE, *waiting.NO_ANSWER})


class _LostOnTheWayError(Exception):
    """The workflow took the command, and was stopped or reset before it had answered."""


class LightCase:
    """One case, by its id."""

    def __init__(self, reached: Reached, identifier: str, *, existed: bool = False) -> None:
        """See ``LightAftersales.case``. ``existed``: asked for once more, so that nothing was opened (section 11)."""
        self.id = identifier
        self.existed = existed
        self._reached = reached
        self.handle: WorkflowHandle[object, Outcome] = reached.temporal.get_workflow_handle(
            identifier, result_type=Outcome
        )

    async def view(self, *, patience: timedelta | None = None) -> CaseView:
        """The case as it stands: asked of its workflow, or read from the case book where that does not run.

        ``stopped`` then says why nothing moves it. A worker is waited for 30 s, or for as long as ``patience`` says.

        Raises:
            UnknownCase: there is no such case.
            WorkflowStopped: its workflow was stopped before anything had been written down.
            Unreachable: Temporal, or every worker, does not answer.
        """
        try:
            view = await waiting.look(self.handle, CaseView, QueryRejectCondition.NOT_COMPLETED_CLEANLY, patience)
        except ValidationError:
            raise
        except UnopenedPayload as error:
            raise Unanswered(f"the case's answer: {error}") from error
        except (WorkflowQueryRejectedError, ValueError):  # the SDK knows no word for a paused workflow
            return await self._stopped_view()
        except WorkflowQueryFailedError as error:
            raise Unanswered(str(error)) from error
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return await self._stopped_view()
            raise unreachable(error) from error
        if view.kind is None and view.outcome is OutcomeKind.REFUSED:
            # A second run, of a case that Temporal had forgotten: it has found the case in the book.
            return await self._in_book(Stopped.FORGOTTEN) or view
        return view

    async def act(self, command: Command) -> CaseView:
        """Send a command and get the case's new view, once it is written down.

        The same key again is the same command, also where the workflow does not run any more.

        Raises:
            RefusedCommand: not allowed, not now, or not in this form; it tells how the case stands. ``paused`` and
                ``workflow_stopped`` where nothing moves it.
            NotYours: the case is another merchant's or buyer's.
            UnknownCase: there is no such case.
            Unanswered: no worker took it in time, or it is not known what became of it; send it again.
            Unreachable: Temporal or the database does not answer, or others have sent the case too many commands at
                once; send it again.
        """
        command = self._addressed(command)
        sending = waiting.Sending()
        try:
            with self._reached.span(command.command_name()):
                async with asyncio.timeout(waiting.PATIENCE.total_seconds()):
                    await self._refuse_while_paused(command)
                    return await self._sent(command, sending)
        except WorkflowUpdateFailedError as error:
            raise _refused(error) from error
        except _LostOnTheWayError as error:
            return await self._after_the_end(command, taken=error)
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
            if sending.turned_away:
                raise Unreachable("too many commands to this case are under way: send it again later") from error
            raise Unanswered(f"no worker answered within {waiting.PATIENCE.seconds} s") from error
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return await self._after_the_end(command)
            if is_full(error):
                raise await self._full(command) from error
            raise unreachable(error) from error

    async def _sent(self, command: Command, sending: waiting.Sending) -> CaseView:
        while True:
            try:
                return await self.handle.execute_update(  # pyright: ignore[reportUnknownMemberType]
                    command.command_name(),
                    command,
                    id=f"{command.key}.{fingerprint(command)}",
                    result_type=CaseView,
                )
            except WorkflowUpdateFailedError as error:
                if _between_runs(error):
                    await asyncio.sleep(waiting.UNTIL_THE_NEXT_TASK)
                    continue
                if not _lost(error):
                    raise
                if await self._reached.runs.stopped(self.id):
                    raise _LostOnTheWayError from error
                # The case was reset, and its new run is given the update again: it answers under the same id.
                await asyncio.sleep(waiting.UNTIL_THE_NEXT_TASK)
            except RPCError as error:
                # The case's last task did not come through, as on a worker that has too much to do: it will be
                # done again. Or it was reset before anybody had looked at the command: its new run takes it.
                if await sending.comes_later(error):
                    continue
                if error.status is RPCStatusCode.NOT_FOUND:
                    if await self._reached.runs.status(self.id) != Status.WORKFLOW_EXECUTION_STATUS_RUNNING:
                        raise
                elif error.status is not RPCStatusCode.FAILED_PRECONDITION or is_full(error):
                    raise
                await asyncio.sleep(waiting.UNTIL_THE_NEXT_TASK)

    async def act_and_wait(self, command: Command) -> Outcome:
        """Send a command and wait until the case has ended. Errors as in ``act`` and ``outcome``."""
        await self.act(command)
        return await self.outcome()

    async def tell(self, command: Command) -> None:
        """Send a command without waiting: if it does not fit, the case's log says so and nothing else changes.

        A paused case keeps it until it goes on. A stranger's is not sent at all: each signal stays in the history.

        Raises:
            RefusedCommand: the case has ended, its workflow was stopped, or it takes no more signals.
            NotYours: the case is another merchant's or buyer's.
            UnknownCase: there is no such case.
            Unreachable: Temporal or the database does not answer; send it again.
        """
        await self._refuse_strangers(command)
        command = self._addressed(command)
        try:
            await self.handle.signal(command.command_name(), command, rpc_timeout=waiting.PATIENCE)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                await self._after_the_end(command)
                return
            if is_full(error):
                raise await self._full(command) from error
            raise unreachable(error) from error

    async def outcome(self) -> Outcome:
        """Wait for the end of the case; of one that Temporal has forgotten, as the case book tells it.

        Raises:
            RefusedRequest: the request did not fit, and nothing was opened.
            UnknownCase: there is no such case.
            WorkflowStopped: it was stopped from outside, and does not come to an end.
            Unreachable: Temporal or the database does not answer.
        """
        try:
            outcome = await self._result()
        except WorkflowFailureError as error:
            stopped = await self._stopped()
            raise WorkflowStopped(self.id, stopped or Stopped.FORGOTTEN, await self._in_book(stopped)) from error
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise unreachable(error) from error
            return await self._outcome_in_book()
        if outcome.refusal and outcome.refusal.code == "duplicate_case":
            return await self._outcome_in_book()
        if outcome.refusal:
            raise RefusedRequest(outcome.refusal)
        return outcome

    async def now(self) -> datetime:
        """The case's own time, by which the remaining time is told: another than the wall's once it has been moved.

        Raises:
            Unreachable: Temporal does not answer.
        """
        try:
            return await self._reached.runs.now(self.id)
        except RPCError as error:
            raise unreachable(error) from error

    # How it stands where its workflow does not run -----------------------------------------------------

    async def _after_the_end(self, command: Command, taken: BaseException | None = None) -> CaseView:
        """Nothing takes the command any more. One that the case obeyed before is still the same command.

        As long as it runs: who asks is looked at first, and a key stands for one command and no other (sections 11,
        12). With ``taken`` the workflow had the command before it was stopped, and a step may still be on its way.
        """
        view = await self.view()
        if stranger := await self._stranger(command, view):
            raise _refusal(stranger, None)
        if other := for_another_case(command, self.id):
            raise _refusal(other, None)
        written = [*view.log, *await self._reached.book.log(self.id)]
        done = {entry.command_digest for entry in written if entry.command_key == command.key}
        if done & {fingerprint(command), ""}:  # without a digest where the line is from before digests were kept
            return view
        if done:
            explanation = "another command has been sent under this key"
            raise RefusedCommand(
                Refusal(code="key_reused", field="key", rule="section 11", explanation=explanation), view
            )
        if taken:
            raise Unanswered(f"the case was stopped before it had answered ({view.stopped})") from taken
        if view.stopped is None:
            code, why = "not_open", f"comes too late: the case has ended ({view.outcome})"
        else:
            code, why = STOPPED, f"reaches nobody: the case's workflow was stopped ({view.stopped})"
        explanation = f"{command.command_name()} {why}"
        raise RefusedCommand(Refusal(code=code, field="command", rule="section 11", explanation=explanation), view)

    async def _refuse_while_paused(self, command: Command) -> None:
        """An update that waits for a paused workflow is lost with its caller: nothing is sent, and that is said."""
        runs = self._reached.runs
        if not await runs.can_be_paused() or await runs.stopped(self.id) is not Stopped.PAUSED:
            return
        view = await self._in_book(Stopped.PAUSED)
        if stranger := await self._stranger(command, view):
            raise _refusal(stranger, None)
        explanation = f"{command.command_name()} was not sent: an operator has paused the case; send it again later"
        raise RefusedCommand(Refusal(code="paused", field="command", rule="section 11", explanation=explanation), view)

    async def _refuse_strangers(self, command: Command) -> None:
        """Section 12, R16: before a signal, which the case could only write down as refused."""
        parties = None if self._reached.told_as_fact(command) else await self._reached.book.parties(self.id)
        if parties and (stranger := self._reached.refused_stranger(command, parties)):
            raise _refusal(stranger, None)

    async def _full(self, command: Command) -> RefusedCommand:
        """Temporal's own limit is reached, which a case stays far below by itself (R16)."""
        view = await self.view()
        if stranger := await self._stranger(command, view):
            return _refusal(stranger, None)
        explanation = "Temporal takes no more updates, or no more signals, for this case: the other way is open still"
        return RefusedCommand(Refusal(code=FULL, field="command", rule="R16", explanation=explanation), view)

    async def _stranger(self, command: Command, view: CaseView | None) -> Refusal | None:
        """Why its sender has nothing to say here. What was never opened is theirs who asked for it, or nobody's.

        Where there is no book to say whose a case is, and no view, nothing is told of it that a stranger could learn.
        """
        parties = await self._reached.book.parties(self.id)
        if parties is None and view:
            parties = Parties(view.merchant_id, view.buyer_id)
        if parties is None and self._reached.book.complete:
            parties = Parties("", None)
        return self._reached.refused_stranger(command, parties) if parties else None

    def _addressed(self, command: Command) -> Command:
        """The command, naming its case where what encrypts it cannot bind it to that (P6)."""
        if not self._reached.names_case or command.case is not None:
            return command
        return command.model_copy(update={"case": self.id})

    async def _result(self) -> Outcome:
        while True:
            try:
                return await self.handle.result()
            except RuntimeError:
                # Of a paused workflow the server says at once that there is nothing to wait for.
                if await self._stopped() is not Stopped.PAUSED:
                    raise
                await asyncio.sleep(_UNTIL_IT_IS_UNPAUSED)

    async def _outcome_in_book(self) -> Outcome:
        outcome = await self._reached.book.outcome(self.id)
        if outcome is None:
            view = await self._stopped_view() if self._reached.book.complete else None
            raise WorkflowStopped(self.id, Stopped.FORGOTTEN, view)
        return outcome

    async def _stopped_view(self) -> CaseView:
        stopped = await self._stopped()
        if stopped is None:
            raise Unanswered("the case goes on at this moment: ask again")
        view = await self._in_book(stopped)
        if view is None and stopped is Stopped.FORGOTTEN:
            raise UnknownCase(self.id)
        if view is None:
            raise WorkflowStopped(self.id, stopped, None)
        return view

    async def _stopped(self) -> Stopped | None:
        try:
            return await self._reached.runs.stopped(self.id)
        except RPCError as error:
            raise unreachable(error) from error

    async def _in_book(self, stopped: Stopped | None) -> CaseView | None:
        return await self._reached.book.view(self.id, stopped or Stopped.FORGOTTEN)


def unreachable(error: RPCError) -> Unreachable:
    """What an error of Temporal means to whoever called."""
    if error.status in _GONE:
        return Unreachable("Temporal does not answer")
    return Unreachable(f"Temporal refuses: {error.message}")


def is_full(error: RPCError) -> bool:
    """Whether Temporal takes no more updates or signals of this run: there is no other sign than its words."""
    words = _FULL.get(error.status)
    return words is not None and words in error.message


def _lost(error: WorkflowUpdateFailedError) -> bool:
    """Whether the run that had taken an update ended before it had answered: by being terminated, failing, a reset."""
    return isinstance(error.cause, ApplicationError) and error.cause.type == "AcceptedUpdateCompletedWorkflow"


def _between_runs(error: WorkflowUpdateFailedError) -> bool:
    """Whether the case goes on in another run in a moment."""
    return isinstance(error.cause, ApplicationError) and error.cause.type == _BETWEEN_RUNS


def _refused(error: WorkflowUpdateFailedError) -> RefusedCommand | Unanswered:
    cause = error.cause
    if not isinstance(cause, ApplicationError) or not cause.details:
        # No refusal of ours: the command is good, and what has failed is its workflow.
        return Unanswered(f"the case has not answered: {cause}")
    told, *shown = cause.details
    refusal = read_own(Refusal, told)
    with shown_as_written():
        view = read_own(CaseView, shown[0]) if shown else None
    return _refusal(refusal, view)


def _refusal(refusal: Refusal, view: CaseView | None) -> RefusedCommand:
    return NotYours(refusal, view) if refusal.code == "not_yours" else RefusedCommand(refusal, view)
