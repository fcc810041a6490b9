"""Tells one story to the model and to real cases, and holds the one against the other after each move.

The cases are those of a ``World``: in memory (``WorldInMemory``) or on servers, through the public client.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from activities.gateways.payment_stub import Behaviour, Mode
from starter.client import Case
from starter.errors import RefusedCommand
from tests.proofs import rules_model as rules
from tests.proofs.beginnings import OPENED
from tests.proofs.model_case import ModelCase
from tests.proofs.moves import DECIDING, DISPUTES, SETTINGS, Now, Parties, command_of
from tests.proofs.rules_model import HOUR, Ruled
from tests.workflow.world import World, until
from workflows.messages.actors import Actor, Role
from workflows.messages.cases import CaseView, Refusal
from workflows.messages.commands import Command
from workflows.messages.parcels import ParcelEvent
from workflows.messages.stages import StageName
from workflows.rules.compensation import return_freight_fund

NEAR: Final = timedelta(minutes=10)
"""Within which two deadlines count as the same: on servers a story goes on while the clock runs."""

FREIGHT: Final = 800
"""What sending goods in costs, in minor units (T10)."""

_IN_FLIGHT: Final = frozenset({StageName.PAYING, StageName.SETTLING})
_ON_THE_WAY: Final = frozenset({"return_overdue"})
_WITH_GOODS: Final = frozenset({"receipt_rejected", "goods_held", "reship_overdue"})


class DisagreementError(AssertionError):
    """Model and case are not at one; the message is the story so far."""


class Telling:
    """A story, the model's case and the real one."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.setting = SETTINGS[name]
        self.told: list[str] = [f"setting: {name}"]
        self.commands = 0
        self.dispute: ModelCase | None = None
        self._dispute_case: Case | None = None
        self._ended_disputes: set[str] = set()
        self._last: tuple[Case, Command] | None = None
        self._exemption = "peak"

    # The beginning --------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Open the case."""
        world, setting = self.world, self.setting
        await world.address()
        begun = await OPENED[setting.kind](world, setting)
        self._case, self._funds, self._exemption = begun.case, (begun.fund,), begun.exemption
        self._parties = Parties(world.merchant, world.buyer, *(world.parcel() for _ in range(3)))
        self.model = ModelCase(begun.stages, begun.first, setting.asked, await world.now(self._case))
        await self.agree()

    # Moves ----------------------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether the case has ended."""
        return self.model.ended is not None

    def says(self, word: str, role: Role) -> bool:
        """Whether the rulebook says what this command comes to now."""
        spoken = self._spoken_to(word)
        return spoken is not None and spoken.is_said(word, role)

    def words(self) -> list[tuple[str, Role]]:
        """Every command that is carried out now."""
        words = self.model.open_words() + (self.dispute.open_words() if self.dispute else [])
        return [(word, role) for word, role in words if self.says(word, role)]

    async def send(self, word: str, role: Role, *, seen: str = "") -> None:
        """A command; ``seen`` is ``right`` or ``stale`` where it says what it was decided on (R11)."""
        self._tell(f"{role} {word} {seen}".strip())
        model, case = self._spoken_to(word), self._about(word)
        assert model
        await self._clocks()
        view = await case.view()
        takes = model.takes(word, role) and seen != "stale"
        command = self._command(word, role, view, seen)
        to = model.act(word, role) if takes else None
        if takes and word == "enter_tracking" and role is Role.BUYER:
            model.freight = self._freight(role)
        before = None if takes else await self._standing()
        refusal = await self._sent(case, command)
        if (refusal is None) is not takes:
            self._fail(f"the model {'takes' if takes else 'refuses'} it; the case says {refusal or 'yes'}")
        if seen == "stale" and model.takes(word, role) and refusal and refusal.code != "application_changed":
            self._fail(f"it was decided on what has changed (R11); the case says {refusal}")
        if to is not None:
            self._last = (case, command)
            await self._go(model, to)
        await self.agree()
        if before is not None and before != await self._standing():
            self._fail("a refusal has changed something")

    async def again(self) -> None:
        """The last command that was carried out, once more: nothing changes (section 11)."""
        if self._last is None:
            return
        self._tell("the same once more")
        case, command = self._last
        before = await self._standing()
        if refusal := await self._sent(case, command):
            self._fail(f"it is refused now: {refusal}")
        if before != await self._standing():
            self._fail("a repeated command has changed something")

    async def stranger(self, word: str) -> None:
        """A command of another merchant's or buyer's: refused (section 12)."""
        self._tell(f"a stranger {word}")
        case = self._about(word)
        before = await self._standing()
        command = self._command(word, Role.MERCHANT, await case.view(), "")
        foreign = command.model_copy(update={"by": Actor(role=Role.MERCHANT, id="m-other")})
        if await self._sent(case, foreign) is None:
            self._fail("a stranger is obeyed")
        if before != await self._standing():
            self._fail("a stranger has changed something")

    async def wait(self) -> None:
        """Let the time of whoever is waited for pass."""
        spoken, case = (self.dispute, self._dispute_case) if self.dispute else (self.model, self._case)
        if self.over:
            return
        assert case
        assert spoken
        view = await case.view()
        silence = spoken.at.silence
        if silence is None or (view.due is None and spoken.stage != "paying"):
            return
        self._tell("time passes")
        await self._clocks()
        if spoken.stage == "paying" or view.due is None:
            await self.world.forward(case, hours=26)
        else:
            left = view.due - await self.world.now(case)
            await self.world.forward(case, seconds=max(left.total_seconds(), 0) + 5)
        spoken.now = spoken.due or await self.world.now(case)
        await self._go(spoken, silence)
        await self.agree()

    async def hours(self, hours: int) -> None:
        """Let so much time pass, which is less than what is left."""
        case, spoken = self._case, self.model
        if self.over or self.dispute or spoken.stage == "paying" or not spoken.due:
            return
        left = spoken.due - await self.world.now(case)
        if left <= timedelta(hours=hours) + HOUR / 2:
            return
        self._tell(f"{hours} h pass")
        await self.world.forward(case, hours=hours)
        await self._clocks()
        await self.agree()

    async def carrier(self, event: str) -> None:
        """The carrier's word about the parcel on its way, where the rulebook says what it comes to."""
        to = rules.CARRIERS_WORD.get((self.model.stage, event))
        if self.over or self.dispute or to is None or self.setting.profile == "jd-self":
            return
        if event == "signed" and self.model.ruled:
            to = rules.RULED_OUT
        parcel = self._parties.back
        if self.model.stage == "exchange_underway":
            parcel = self._parties.out
        elif self.model.stage == "merchant_review":
            parcel = await self.world.announced(self._funds[0].removeprefix("order/"))
        self._tell(f"the carrier: {event}")
        await self._clocks()
        at = await self.world.now(self._case)
        await self.world.carrier_tells(parcel, ParcelEvent(event), at)
        await self._go(self.model, to)
        await self.agree()

    async def gateway(self, mode: str) -> None:
        """What the gateway does with the next payment."""
        if self.over or self.model.gateway != "succeed" or self.model.stage in {"paying", "payment_attention"}:
            return
        if self.model.freight:  # whose payment would be the next one
            return
        self._tell(f"gateway: {mode}")
        (fund,) = self._funds
        told = Behaviour(mode=Mode(mode), order_no=fund.split("/")[1], uses_left=1, settle_after_seconds=3_600)
        await self.world.behave(told)
        self.model.gateway = mode

    # What must be so ------------------------------------------------------------------------------------

    async def agree(self) -> None:
        """The case stands as the model does."""
        model = self.model
        view = await self._settled(self._case, model)
        paid = await self._paid()
        if paid != (model.paid, 0 if model.by_hand else model.paid):
            self._fail(f"paid by ledger and gateway: {paid}; by the model: {model.paid}")
        if model.ended:
            outcome = await self._case.outcome()
            told = sum(each.amount for each in (outcome.refunded, outcome.compensated) if each)
            if outcome.outcome not in model.ended.outcomes or told != model.paid:
                self._fail(f"ended as {outcome.outcome} with {told}; by the model: {model.ended}, {model.paid}")
            await self._freight_agrees()
            return
        self._stands(model, view)
        if self.dispute and self._dispute_case:
            self._stands(self.dispute, await self._settled(self._dispute_case, self.dispute))

    def _stands(self, model: ModelCase, view: CaseView) -> None:
        if not _same(model.stage, view.stage):
            self._fail(f"stands in {view.stage}; by the model in {model.stage}")
        if model.due and (view.due is None or abs(view.due - model.due) > NEAR):
            self._fail(f"due at {view.due}; by the model at {model.due}")
        if view.due is None and not view.no_deadline_because:
            self._fail("neither a deadline nor a reason for having none")
        taken = {(each.name, role) for each in view.commands for role in each.roles}
        for word, role in model.open_words():
            if model.is_said(word, role) and (_names(word), role) not in taken:
                self._fail(f"{word} of {role} is not shown as open; open are {sorted(taken)}")

    async def _freight_agrees(self) -> None:
        fund, owed = return_freight_fund(self._case.id), self.model.freight_owed
        if self.on_servers and owed:
            await until(lambda: self.world.compensated(fund), lambda paid: paid > 0, seconds=20)
        if (paid := await self.world.compensated(fund)) != owed:
            self._fail(f"for the freight of the return {paid} was paid; by the model {owed} is owed")

    async def _paid(self) -> tuple[int, int]:
        world = self.world
        return sum([await world.compensated(each) for each in self._funds]), await world.paid_from(*self._funds)

    # How a move is made ---------------------------------------------------------------------------------

    async def _go(self, model: ModelCase, to: rules.To) -> None:
        case = self._case if model is self.model else self._dispute_case
        assert case
        view = await self._arrived(case, to)
        if not model.go(to, seen=view.stage):
            self._fail(f"has gone to {view.stage}; by the model to one of {to}")
        if model is self.model and self.dispute is None and view.dispute:
            self._dispute_case = self.world.aftersales.case(view.dispute)
            stood = model.kept[0] if model.kept else ""
            stages = rules.dispute(
                self.setting.profile,
                goods_with_merchant=stood in _WITH_GOODS,
                goods_on_the_way=stood in _ON_THE_WAY,
            )
            first = (await self._dispute_case.view()).stage
            self.dispute = ModelCase(stages, first, model.asked, await self.world.now(self._dispute_case))
        if isinstance(to, Ruled):
            self.model.ruled |= bool({"ruled", "dismissed"} & {*to.outcomes})
            if "resolved" not in to.outcomes:
                self.model.freight_ruled = to.freight_of_merchant
            if self._dispute_case:
                self._ended_disputes.add(self._dispute_case.id)
            self.dispute, self._dispute_case = None, None
            self.model.now = await self.world.now(self._case)
            await self._go(self.model, to.case_goes)
        elif model is self.dispute and model.stage != "negotiation" and self.model.stage == "disputed":
            await self._go(self.model, "locked")

    async def _arrived(self, case: Case, to: rules.To) -> CaseView:
        """The view, once the case may have come there: on servers that takes a moment."""
        match to:
            case tuple():
                return await self._once(case, lambda view: view.stage in to)
            case str():
                return await self._once(case, lambda view: view.stage == to)
            case _:
                return await self._once(case, lambda _: True)

    def _is_behind(self, view: CaseView) -> bool:
        """Whether the case has not yet heard of a dispute's end, which its dispute has told us."""
        return view.dispute in self._ended_disputes

    async def _settled(self, case: Case, model: ModelCase) -> CaseView:
        return await self._once(case, lambda view: _same(model.stage, view.stage))

    async def _once(self, case: Case, good: Callable[[CaseView], bool]) -> CaseView:
        if not self.on_servers:
            return await case.view()
        try:
            return await until(case.view, lambda view: good(view) and not self._is_behind(view), seconds=20)
        except AssertionError:
            return await case.view()

    @property
    def on_servers(self) -> bool:
        """Whether the case is carried by Temporal."""
        return type(self.world) is World

    async def _clocks(self) -> None:
        self.model.now = await self.world.now(self._case)
        if self.dispute and self._dispute_case:
            self.dispute.now = await self.world.now(self._dispute_case)

    async def _sent(self, case: Case, command: Command) -> Refusal | None:
        try:
            await case.act(command)
        except RefusedCommand as error:
            return error.refusal
        return None

    async def _standing(self) -> object:
        """All that a refusal must leave as it is."""
        views = [await self._case.view()]
        if self._dispute_case:
            views.append(await self._dispute_case.view())
        if self.on_servers:  # what was done before may be written down still, step by step, while one looks
            return [] if self.model.stage == "paying" else [(each.stage, each.outcome) for each in views]
        noted = [(each.stage, each.due, each.steps, each.outcome, each.attention, each.talk) for each in views]
        return noted, await self._paid()

    def _command(self, word: str, role: Role, view: CaseView, seen: str) -> Command:
        expects: Mapping[str, int] | None = None
        if seen and word in DECIDING and view.seen:
            expects = {"version": view.seen.version, "amount": view.seen.amount + (1 if seen == "stale" else 0)}
        theirs = [each.number for each in view.talk.proposals if each.by.role is not role]
        now = Now(
            at=min(datetime.now(UTC), view.opened_at + timedelta(minutes=1)) if word != "reject" else view.opened_at,
            proposal=theirs[0] if theirs else 1,
            exemption=self._exemption,
            expects=expects,
            proves_shipment=self.model.stage == "merchant_review",
            freight_paid=self._freight(role),
        )
        self.commands += 1
        key = f"c-{self.commands}"
        return command_of(word, self._parties.actor(role), key, self._parties, now, self.setting.asked)

    def _freight(self, role: Role) -> int:
        """What is stated with a tracking number; nothing where the gateway is to treat the next payment badly."""
        return FREIGHT if role is Role.BUYER and self.model.gateway == "succeed" else 0

    def _spoken_to(self, word: str) -> ModelCase | None:
        return self.dispute if word in DISPUTES else self.model

    def _about(self, word: str) -> Case:
        case = self._dispute_case if word in DISPUTES else self._case
        assert case
        return case

    def _tell(self, line: str) -> None:
        self.told.append(line)

    def _fail(self, why: str) -> None:
        raise DisagreementError("\n  ".join([*self.told, f"=> {why}"]))


def _same(model: str, stage: StageName) -> bool:
    return stage in _IN_FLIGHT if model == "paying" else stage == model


def _names(word: str) -> str:
    """The command's own name."""
    match word.split("_"):
        case ["rule", _]:
            return "rule"
        case ["submit", "final"]:
            return "submit_evidence"
        case ["propose", _]:
            return "propose"
        case ["reject", "bare"]:
            return "reject"
        case _:
            return word
