"""A story of the book told again in memory: under the rules that it had, or under others (G7).

What is told is what came from outside, each at its moment: requests, commands, carriers' words, the gateway's answers,
declarations. What a case does by itself it does again: silence, payments, disputes and compensation that it starts.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from activities.postgres.past_cases import PastCase, PastLine, PastStory
from starter.interpreter.book import CaseRow
from starter.interpreter.host import Answer
from starter.interpreter.interpreter import Interpreter
from starter.whatif.gateway import PastGateway, sendings
from starter.whatif.past_book import PastBook, standing_orders
from workflows.kinds.stage import STAGES
from workflows.messages.actors import officer
from workflows.messages.addresses import Region, ReturnAddress
from workflows.messages.commands import Command, GatewayCallback, LookAtBook, MovePolicy, PausesChanged
from workflows.messages.message import CaseId
from workflows.messages.parcels import CarrierEvent
from workflows.messages.pauses import DeclareExemption, PauseWindow
from workflows.messages.policy import Policy
from workflows.messages.requests import CompensationRequest, LateShipmentRequest, Request
from workflows.messages.stages import StageName
from workflows.rules.balances import Account
from workflows.rules.dispute import STANDS_STILL
from workflows.rules.parcels import report_of
from workflows.rules.told_again import command_of

_BEFORE: Final = timedelta(seconds=5)
"""How long before a case that another one starts its rules and its order are put in place."""
_HEARD_EARLY: Final = timedelta(minutes=2)
_NOT_TOLD: Final = (GatewayCallback, LookAtBook, PausesChanged)
"""What the gateway tells by itself, and what the declarations bring about."""


@dataclass(frozen=True)
class Rules:
    """What is tried. Without anything, each case has the rules that it had."""

    policy: Policy | None = None
    """Takes the place of every version of the profile of its name."""
    pauses: tuple[PauseWindow, ...] = ()
    """Windows besides those that were declared (section 9)."""


AS_THEY_WERE: Final = Rules()

IN_THE_ARCHIVE: Final = "a case of the order is in the archive alone"
PAID_WITH_ALLOWANCE: Final = "paid with an allowance, whose balance of then the book does not have"
"""A7: what goes back to it, and as what, depends on what else was spent and paid back of it."""


@dataclass(frozen=True)
class Declared:
    """What the platform has declared: for all stories."""

    pauses: tuple[PauseWindow, ...] = ()
    exemptions: Mapping[str, DeclareExemption] = field(default_factory=dict[str, DeclareExemption])


@dataclass(frozen=True)
class Unheard:
    """A command that was obeyed, and is not under the rules that are tried."""

    case_id: CaseId
    command: str
    event: str
    """The log line that told of it."""
    at: datetime
    code: str
    """Of the refusal; ``never_opened`` where there is no such case, ``too_soon`` where it never comes so far."""


@dataclass(frozen=True)
class ToldAgain:
    """What a story comes to."""

    interpreter: Interpreter
    unheard: tuple[Unheard, ...]
    assumed: frozenset[str]
    """Refunds of which the book knows nothing, and that are taken for paid."""
    later: Counter[CaseId]
    """How many commands of each case are told later than they came, because it had not come so far."""

    def row(self, case: CaseId) -> CaseRow | None:
        """The case as it stands then; None where it was never opened."""
        return self.interpreter.book.cases.get(case)


class CannotBeToldError(Exception):
    """The book does not have what is needed; the text is a reason in a few words."""


@dataclass
class _Sent:
    """A command that was told, and what came of it."""

    case: PastCase
    line: PastLine
    command: Command
    answer: Answer | None = None
    """None where there is no such case."""

    @property
    def refused(self) -> bool:
        """Whether it is not obeyed."""
        return self.answer is None or self.answer.refusal is not None


@dataclass(frozen=True)
class _Turn:
    """Something that happens at a moment; of the same moment, what prepares comes first."""

    at: datetime
    rank: int
    do: Callable[[], None]


def told_again(story: PastStory, declared: Declared, rules: Rules, until: datetime) -> ToldAgain:
    """Tell a story under these rules, and let time pass until then.

    Raises:
        CannotBeToldError: the book lacks something.
    """
    return _Telling(story, declared, rules).tell(until)


class _Telling:
    def __init__(self, story: PastStory, declared: Declared, rules: Rules) -> None:
        self._story, self._declared, self._rules = story, declared, rules
        self._gateway = PastGateway(past={number: sendings(said) for number, said in story.legs.items()})
        turns = [*self._turns()]
        self._turns_in_order = sorted(turns, key=lambda turn: (turn.at, turn.rank))
        self._world = Interpreter(
            self._turns_in_order[0].at if turns else story.cases[0].opened_at, {}, gateway=self._gateway, book=PastBook
        )
        assert isinstance(self._world.book, PastBook)
        self._world.book.decided = dict(standing_orders(story))
        self._sent: list[_Sent] = []
        self._waiting: list[_Sent] = []
        """Commands that a case has not come so far for, in the order in which they came."""
        self._told_later = Counter[CaseId]()

    def tell(self, until: datetime) -> ToldAgain:
        self._prepare()
        for turn in self._turns_in_order:
            self._let_pass(turn.at)
            turn.do()
        self._let_pass(until)
        return ToldAgain(self._world, tuple(self._unheard()), frozenset(self._gateway.assumed), self._told_later)

    def _let_pass(self, until: datetime) -> None:
        world = self._world
        while self._waiting and (moment := world.next_moment()) is not None and moment <= until:
            world.pass_time(seconds=(moment - world.now).total_seconds())
            self._say_what_waits()
        if (seconds := (until - world.now).total_seconds()) >= 0:
            world.pass_time(seconds=seconds)

    def _unheard(self) -> Iterator[Unheard]:
        for sent in self._sent:
            if sent.refused:
                refusal = sent.answer.refusal if sent.answer else None
                code = "too_soon" if sent in self._waiting else refusal.code if refusal else "never_opened"
                entry = sent.line.entry
                yield Unheard(sent.case.case_id, sent.command.command_name(), entry.event, entry.at, code)

    # What is there from the beginning -----------------------------------------------------------------------

    def _prepare(self) -> None:
        shop, story = self._world.shop, self._story
        shop.exemptions.update(self._declared.exemptions)
        for window in self._rules.pauses:
            shop.pauses[window.id] = window
        merchant = story.cases[0].merchant_id
        if not any(line.stage is StageName.ADDRESS_MISSING for case in story.cases for line in case.lines):
            shop.addresses[merchant] = self._addresses() or [_stand_in(merchant)]
        for each in story.parcels:
            if each.case_id is None:
                shop.watch(each.parcel, each.purpose, order_no=story.subject)

    def _addresses(self) -> list[ReturnAddress]:
        answers = [answer for case in self._story.cases for answer in case.answers.values()]
        chosen = [answer.address for answer in answers if answer.address is not None]
        return [*{each.address_id: each for each in chosen}.values()]

    # What happens -------------------------------------------------------------------------------------------

    def _turns(self) -> Iterator[_Turn]:
        if self._story.away:
            raise CannotBeToldError(IN_THE_ARCHIVE)
        if any(case.opened.order and case.opened.order.allowances for case in self._story.cases):
            raise CannotBeToldError(PAID_WITH_ALLOWANCE)
        began = min(case.opened_at for case in self._story.cases)
        yield from self._declarations(began)
        sent = [turn for case in self._story.cases for turn in self._case(case)]
        yield from sent
        yield from self._carriers(sorted(turn.at for turn in sent))

    def _declarations(self, began: datetime) -> Iterator[_Turn]:
        for window in self._declared.pauses:
            if window.resumes_at <= began - timedelta(days=1):
                continue
            as_declared = window.model_copy(update={"lifted_at": None, "lifted_by": None})
            first = max(window.declared_at, began - timedelta(hours=1))
            yield _Turn(first, 0, lambda each=as_declared: self._declare(each, "declared"))
            if window.lifted_at:
                yield _Turn(max(window.lifted_at, first), 0, lambda each=window: self._declare(each, "lifted"))

    def _declare(self, window: PauseWindow, change: str) -> None:
        world = self._world
        world.shop.pauses[window.id] = window
        for row in list(world.book.cases.values()):
            runs = row.closed_at is None and row.due is not None and STAGES[row.stage].pausable
            runs = runs or row.stage in STANDS_STILL
            if runs and row.kind in window.kinds:
                changed = PausesChanged(key=f"pause-{window.id[:40]}-{change}", by=officer("staff"), window=window.id)
                world.tell(row.case_id, changed)

    def _carriers(self, turns: list[datetime]) -> Iterator[_Turn]:
        """What carriers have told is known from then on; cases hear of it by the words that were told to them.

        A carrier that was asked is on record a moment after it was asked, and has to answer then: what nobody was told
        of is known a little earlier, though not before anything else that happened before.
        """
        told = {line.entry.command_key for case in self._story.cases for line in case.lines}
        for each in self._story.parcels:
            for recorded_at, event in each.events:
                known = max(recorded_at, turns[0])
                if report_of(event).key not in told:
                    before = bisect_right(turns, recorded_at)
                    known = max(recorded_at - _HEARD_EARLY, turns[max(before - 1, 0)])
                yield _Turn(known, 3, lambda told=event: self._record(told))

    def _record(self, told: CarrierEvent) -> None:
        self._world.shop.record_event(told)

    def _case(self, case: PastCase) -> Iterator[_Turn]:
        opened_by = case.request
        if opened_by is None or case.opened.policy is None:
            raise CannotBeToldError("what opened it is not in the book")
        request = opened_by.request
        by_another = isinstance(request, CompensationRequest) or opened_by.carried_out_by is not None
        if by_another:
            yield _Turn(case.opened_at - _BEFORE, 0, lambda: self._put_in_place(case))
        else:
            at, asked = self._opening(case, request)
            yield _Turn(at, 1, lambda: self._open(case, asked))
        yield from self._commands(case)

    def _opening(self, case: PastCase, request: Request) -> tuple[datetime, Request]:
        """When a request is told. L1: where less time is given to ship, it is asked sooner whether the order has."""
        order, tried = case.opened.order, self._rules.policy
        if isinstance(request, LateShipmentRequest) and order and tried and tried.name == order.marketplace:
            until = order.paid_at + timedelta(hours=tried.late_shipment.ship_hours)
            return min(until, case.opened_at), request.model_copy(update={"ships_until": until})
        return case.opened_at, request

    def _open(self, case: PastCase, request: Request) -> None:
        self._put_in_place(case)
        self._world.open(request)

    def _put_in_place(self, case: PastCase) -> None:
        """The rules and the order or allowance as they were when the case opened."""
        world, opened, tried = self._world, case.opened, self._rules.policy
        policy = opened.policy
        assert policy is not None
        world.policies[policy.name] = tried if tried and tried.name == policy.name else policy
        if opened.order:
            world.shop.orders[opened.order.order_no] = opened.order
        if facts := opened.allowance:
            known = world.shop.accounts.get(facts.allowance_id)
            world.shop.accounts[facts.allowance_id] = replace(known, facts=facts) if known else Account(facts)

    def _commands(self, case: PastCase) -> Iterator[_Turn]:
        told: set[str] = set()
        for line in case.lines:
            key = line.entry.command_key
            if not key or key in told or "standing_order" in line.entry.facts:  # G4: the case decides that itself
                continue
            told.add(key)
            if line.command is None:
                raise CannotBeToldError("what its commands said is not in the book")
            command = command_of(line.entry, line.command)
            if command is None:
                raise CannotBeToldError("one of its commands is of another release")
            if not isinstance(command, _NOT_TOLD) and not command.ours:
                yield _Turn(line.entry.at, 2, lambda line=line, command=command: self._say(case, line, command))

    def _say(self, case: PastCase, line: PastLine, command: Command) -> None:
        world = self._world
        if isinstance(command, MovePolicy) and not self._moves(case, line):
            return
        self._know_address(case, line)
        if command.fact:
            if case.case_id in world.cases():
                world.tell(case.case_id, command)
            self._say_what_waits()
            return
        sent = _Sent(case, line, command)
        self._sent.append(sent)
        self._send(sent)
        if sent.refused and self._is_to_come(sent):
            self._waiting.append(sent)
        self._say_what_waits()

    def _send(self, sent: _Sent) -> None:
        if sent.case.case_id in self._world.cases():
            sent.answer = self._world.send(sent.case.case_id, sent.command)

    def _is_to_come(self, sent: _Sent) -> bool:
        """Whether the case has not been yet in the stage in which the command was obeyed."""
        row, before = self._world.book.cases.get(sent.case.case_id), _stage_before(sent.case, sent.line)
        if row is None or row.closed_at is not None or before is None:
            return False
        return before not in self._been(sent.case.case_id)

    def _been(self, case: CaseId) -> set[StageName]:
        book = self._world.book
        assert isinstance(book, PastBook)
        return book.been.get(case, set())

    def _say_what_waits(self) -> None:
        """Who came before the case was so far says it as soon as it is."""
        again = True
        while again and self._waiting:
            again = False
            for sent in self._waiting:
                if not self._is_to_come(sent):
                    self._waiting.remove(sent)
                    self._send(sent)
                    self._told_later[sent.case.case_id] += not sent.refused
                    again = True
                    break

    def _moves(self, case: PastCase, line: PastLine) -> bool:
        """Section 2: under a profile that is tried a case stays with it; else it finds the version that it moved to."""
        tried, moved = self._rules.policy, case.answers.get(line.step)
        policy = moved.policy if moved else None
        if policy is None or (tried and tried.name == policy.name):
            return False
        self._world.policies[policy.name] = policy
        return True

    def _know_address(self, case: PastCase, line: PastLine) -> None:
        """T2: where the address book was empty once, it has what was chosen from it later."""
        answer = case.answers.get(line.step)
        if answer and answer.address:
            self._world.shop.addresses[case.merchant_id] = [answer.address]


def _stage_before(case: PastCase, line: PastLine) -> StageName | None:
    """Where the case stood when the step of this line was taken."""
    return next((each.stage for each in reversed(case.lines) if each.step < line.step), None)


def _stand_in(merchant: str) -> ReturnAddress:
    return ReturnAddress.made_of(
        merchant_id=merchant,
        address_id="any",
        region=Region.made_of(province="-", city="-"),
        details="vault:addresses/any",
        is_default=True,
        version=1,
    )
