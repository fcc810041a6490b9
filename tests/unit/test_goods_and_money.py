"""The merchant never keeps both goods and money, whatever a dispute about a return comes to (T15, D8)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from starter.interpreter.example import order
from starter.interpreter.interpreter import Interpreter
from tests import profiles
from workflows.messages.actors import buyer, merchant, officer
from workflows.messages.addresses import Region, ReturnAddress
from workflows.messages.commands import (
    AgreeReturn,
    Command,
    EnterTracking,
    OpenDispute,
    Reject,
    RejectReason,
    Reship,
    Resolve,
    Rule,
    SendBack,
    Withdraw,
)
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.message import CaseId
from workflows.messages.parcels import CarrierEvent, Parcel, ParcelEvent
from workflows.messages.requests import DisputeReason, LineAmount, RefundReason, ReturnRequest
from workflows.messages.rulings import Award, Fault
from workflows.messages.stages import Attention, OutcomeKind, StageName

MONDAY: Final = datetime(2026, 3, 2, 2, tzinfo=UTC)
MERCHANT, BUYER, OFFICER = merchant("M-1"), buyer("B-1"), officer("f-1")
EVIDENCE = (Evidence(uri="vault:evidence/1", media_type=MediaType.JPEG, bytes=1024, sha256="1" * 64),)
BACK, OUT = Parcel(carrier="sf", tracking_no="SF1"), Parcel(carrier="sf", tracking_no="SF2")
ADDRESS: Final = ReturnAddress(
    merchant_id="M-1",
    address_id="a-1",
    region=Region(province="浙江省", city="杭州市", district="西湖区"),
    details="vault:address/1",
    is_default=True,
    version=1,
)


class Story:
    """A return or an exchange whose goods the merchant has got, and what is told of it then."""

    def __init__(self, *, exchange: bool) -> None:
        self.told = Interpreter(MONDAY, profiles.ALL)
        placed = order("O-1", MONDAY - timedelta(days=3)).model_copy(
            update={"shipped_at": MONDAY - timedelta(days=2), "marketplace": profiles.NEGOTIATED.name}
        )
        self.told.shop.orders["O-1"] = placed
        self.told.shop.addresses["M-1"] = [ADDRESS]
        (line,) = placed.lines
        lines = (LineAmount(line=line.line, quantity=line.quantity, amount=line.paid),)
        self.case = self.told.open(
            ReturnRequest(
                request_key="r-1",
                order_no="O-1",
                merchant_id="M-1",
                buyer_id="B-1",
                lines=lines,
                reason=RefundReason.NO_LONGER_WANTED,
                exchange=exchange,
            )
        )
        self.act(AgreeReturn(key="agree", by=MERCHANT))
        self.act(EnterTracking(key="track", by=BUYER, parcel=BACK))
        self.carrier_tells(BACK, ParcelEvent.SIGNED)

    def act(self, command: Command, case: CaseId | None = None) -> None:
        assert self.told.act(case or self.case, command) is None

    def reject(self) -> None:
        self.act(Reject(key="reject", by=MERCHANT, reason=RejectReason.OTHER, evidence=EVIDENCE))

    def carrier_tells(self, parcel: Parcel, event: ParcelEvent) -> None:
        key = f"{parcel.tracking_no}-{event}"
        self.told.carrier_tells(CarrierEvent(key=key, parcel=parcel, event=event, happened_at=self.told.now))

    def dispute(self) -> CaseId:
        self.act(OpenDispute(key="dispute", by=BUYER, reason=DisputeReason.OTHER))
        return self.told.cases()[-1]

    def rule_nothing(self, dispute: CaseId) -> None:
        self.act(Rule(key="rule", by=OFFICER, fault=Fault.BUYER, refund=Award.NOTHING, reason="looked_at"), dispute)

    @property
    def stage(self) -> StageName:
        return self.told.view(self.case).stage

    @property
    def outcome(self) -> OutcomeKind | None:
        ended = self.told.outcome(self.case)
        return ended.outcome if ended else None


def exchanged() -> Story:
    story = Story(exchange=True)
    story.act(Reship(key="out", by=MERCHANT, parcel=OUT))
    return story


def rejected_and_sent_back() -> Story:
    story = Story(exchange=False)
    story.reject()
    story.act(SendBack(key="out", by=MERCHANT, parcel=OUT))
    return story


UNDERWAY: Final = ((exchanged, StageName.EXCHANGE_UNDERWAY), (rejected_and_sent_back, StageName.SENT_BACK))


@pytest.mark.parametrize("locked", [False, True], ids=["in the negotiation", "under the lock"])
@pytest.mark.parametrize("event", [ParcelEvent.REFUSED, ParcelEvent.RETURNED_TO_WAREHOUSE])
@pytest.mark.parametrize(("begin", "_"), UNDERWAY)
def test_goods_that_came_back_while_they_were_disputed_are_sent_again(
    begin: Callable[[], Story], _: StageName, event: ParcelEvent, *, locked: bool
) -> None:  # D8, T14, T15
    story = begin()
    dispute = story.dispute()
    if not locked:
        story.carrier_tells(OUT, event)
    story.told.pass_time(hours=25)
    if locked:
        story.carrier_tells(OUT, event)

    story.rule_nothing(dispute)

    assert story.stage is StageName.RECEIPT_REJECTED
    story.told.pass_time(days=30)
    assert (story.stage, story.told.view(story.case).attention) == (StageName.GOODS_HELD, Attention.GOODS_HELD)


@pytest.mark.parametrize(("begin", "stage"), UNDERWAY)
def test_goods_that_are_on_their_way_to_the_buyer_when_nothing_is_granted_are_followed(
    begin: Callable[[], Story], stage: StageName
) -> None:  # D8, T14, T15
    story = begin()
    dispute = story.dispute()
    story.told.pass_time(hours=25)

    story.rule_nothing(dispute)

    assert story.stage is stage
    story.carrier_tells(OUT, ParcelEvent.REFUSED)
    assert story.told.view(story.case).attention in (Attention.GOODS_HELD, Attention.RESHIP_FAILED)
    again = story.told.act(story.case, OpenDispute(key="again", by=BUYER, reason=DisputeReason.OTHER))
    assert again is not None
    assert again.code == "ruled_before"  # D10


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("begin", "_"), UNDERWAY)
def test_goods_that_the_buyer_has_end_the_case_where_nothing_is_granted(
    begin: Callable[[], Story], _: StageName, when: str
) -> None:  # D8
    story = begin()
    dispute = story.dispute()
    story.told.pass_time(hours=25)
    if when == "before":
        story.carrier_tells(OUT, ParcelEvent.SIGNED)
    story.rule_nothing(dispute)
    if when == "after":
        story.carrier_tells(OUT, ParcelEvent.SIGNED)
    story.told.pass_time(days=10)

    ended = OutcomeKind.EXCHANGED if begin is exchanged else OutcomeKind.DISMISSED  # R13: other goods count as such
    assert (story.outcome, story.told.ledger.refunded("order/O-1")) == (ended, 0)


@pytest.mark.parametrize(("begin", "failed"), [(exchanged, "reship_failed"), (rejected_and_sent_back, "goods_held")])
def test_an_old_sign_off_under_the_same_number_is_not_the_buyers(
    monkeypatch: pytest.MonkeyPatch, begin: Callable[[], Story], failed: str
) -> None:  # T14, T15
    init = Story.__init__

    def after_another_parcel(self: Story, *, exchange: bool) -> None:
        init(self, exchange=exchange)
        old = CarrierEvent(key="old", parcel=OUT, event=ParcelEvent.SIGNED, happened_at=MONDAY - timedelta(hours=1))
        self.told.carrier_tells(old)

    monkeypatch.setattr(Story, "__init__", after_another_parcel)
    story = begin()

    story.told.pass_time(days=10)

    assert (story.stage, story.outcome) == (failed, None)


def test_lost_goods_that_were_found_are_the_buyers_and_not_sent_back_once_more() -> None:  # T14, T15
    story = exchanged()
    story.told.pass_time(days=10)
    assert story.stage is StageName.RESHIP_FAILED
    story.carrier_tells(OUT, ParcelEvent.SIGNED)
    dispute = story.dispute()
    story.told.pass_time(hours=25)

    story.rule_nothing(dispute)
    story.told.pass_time(days=10)

    assert story.outcome is OutcomeKind.EXCHANGED


@pytest.mark.parametrize("begin", [exchanged, rejected_and_sent_back, None])
def test_a_buyer_does_not_give_goods_away_with_its_request(begin: Callable[[], Story] | None) -> None:  # T15
    story = begin() if begin else Story(exchange=False)
    if begin is None:
        story.reject()
    stood = story.stage
    dispute = story.dispute()

    refused = story.told.act(story.case, Withdraw(key="withdraw", by=BUYER))
    story.act(Resolve(key="resolve", by=BUYER), dispute)

    assert refused is not None
    assert (refused.code, refused.rule) == ("goods_not_back", "T15")
    assert (story.stage, story.outcome) == (stood, None)


def test_a_buyer_who_has_the_goods_back_may_take_the_request_back() -> None:  # R6, T15
    story = rejected_and_sent_back()
    story.dispute()
    story.carrier_tells(OUT, ParcelEvent.SIGNED)

    story.act(Withdraw(key="withdraw", by=BUYER))

    assert story.outcome is OutcomeKind.WITHDRAWN
