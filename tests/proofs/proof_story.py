"""Stories that are told to prove something: what ``telling`` tells, and a few turns more.

``0 again``: the last command to that case once more. ``late 0 signed``: what the carrier tells a day after it happened.
``settle 0 succeeded``: the gateway decides on the first refund of that case, and calls back; ``call 0``: it calls back
once more. ``lose 0``: the run that carries the case is lost, and another one goes on; ``crash 2``: the run is lost that
does the second activity from now on, once that is done and before it hears of it.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from tests import profiles
from tests.processes.telling import BEGAN, PARCELS, Story
from tests.proofs.crashing import CrashingInterpreter
from workflows.kinds.opening_step import UNSHIPPED
from workflows.kinds.refund import gone_meanwhile
from workflows.messages.actors import GATEWAY
from workflows.messages.cases import Refusal
from workflows.messages.commands import Command, GatewayCallback, GatewayResult
from workflows.messages.message import CaseId
from workflows.messages.parcels import CarrierEvent, ParcelEvent

_AT_ONCE: Final = frozenset({"lose", "crash", "open", "gateway", "watch"})
"""What takes no time."""


class ProofStory(Story):
    """A story in a world whose runs can be lost; it remembers what was sent, and what came of it."""

    def __init__(self, world: str) -> None:
        self.told = CrashingInterpreter(BEGAN, profiles.ALL)
        super().__init__(world)
        self.sent: list[tuple[CaseId, Command, Refusal | None]] = []
        self.events: list[CarrierEvent] = []

    def made(self) -> CrashingInterpreter:
        """See Story."""
        return self.told

    def turn(self, line: str) -> None:
        """See Story. A second passes, so that no two deadlines are over at the same moment."""
        if line.split(maxsplit=1)[0] not in _AT_ONCE:
            self.told.pass_time(seconds=1)
        match line.split():
            case [number, "again"]:
                self.repeat(self.case(number))
            case ["late", number, event]:
                told = self._told(PARCELS[int(number)], ParcelEvent(event))
                self._carrier(told.model_copy(update={"happened_at": told.happened_at - timedelta(days=1)}))
            case ["parcel", number, event]:
                self._carrier(self._told(PARCELS[int(number)], ParcelEvent(event)))
            case ["event", "again"] if self.events:
                self.told.carrier_tells(self.events[-1])
            case ["settle", number, result]:
                self._settle(self.case(number), GatewayResult(result))
            case ["call", number]:
                self._call(self.case(number))
            case ["order", "ships"]:
                super().turn(line)
                self._tell_that_it_shipped()
            case ["crash", number]:
                self.told.crash_after = self.told.activities_done + int(number)
            case ["lose", number]:
                self.told.lose(self.case(number))
            case _:
                super().turn(line)

    def repeat(self, case: CaseId) -> Refusal | None:
        """The last command that was sent to a case and carried out, once more."""
        last = [command for to, command, refusal in self.sent if to == case and refusal is None]
        return self.told.act(case, last[-1]) if last else None

    def _tell_that_it_shipped(self) -> None:
        """R7: whoever waits for goods that have not shipped, as another run would find it by the order (section 11)."""
        for case in self.told.cases():
            stands = self.told.host(case).run.running.case
            if stands.opened.kind and stands.state.stage in UNSHIPPED:
                opened = stands.opened.model_copy(update={"shipped_since": self.told.now})
                for fact in gone_meanwhile(replace(stands, opened=opened)):
                    self.told.tell(case, fact)

    def _carrier(self, event: CarrierEvent) -> None:
        self.events.append(event)
        self.told.carrier_tells(event)

    def _command(self, case: CaseId, command: Command) -> None:
        self.sent.append((case, command, self.told.act(case, command)))

    def _numbers_of(self, case: CaseId) -> list[str]:
        return [leg.refund_no for leg in self.told.ledger.legs_of(case)]

    def _settle(self, case: CaseId, result: GatewayResult) -> None:
        gateway = self.told.gateway
        for number in self._numbers_of(case):
            if (row := gateway.refunds.get(number)) is None:
                continue
            failure = "declined" if result is GatewayResult.FAILED else None
            gateway.refunds[number] = replace(
                row, result=result, result_at=self.told.now, failure=failure, later=None, later_at=None
            )
            self._tell(number)
            return

    def _call(self, case: CaseId) -> None:
        for number in self._numbers_of(case):
            if number in self.told.gateway.refunds:
                self._tell(number)
                return

    def _tell(self, number: str) -> None:
        row = self.told.gateway.refunds[number]
        callback = GatewayCallback(
            key=f"CB-{number}-{row.attempts}-{row.result}",
            by=GATEWAY,
            refund_no=number,
            result=row.result,
            failure=row.failure,
            settled_at=max(row.result_at, self.told.now) if row.result_at > self.told.now else row.result_at,
            attempt=row.instruction.attempt,
        )
        self.told.gateway_calls_back(callback)
