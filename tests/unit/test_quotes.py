"""G5: what a quote allows opens, and pays that; what it does not is refused with the same reason."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from starter.interpreter.interpreter import Interpreter
from tests import profiles
from workflows.kinds.askable import disputable_order, in_short, request_about, request_for
from workflows.kinds.quoting import BY_BUYER, BY_MERCHANT, Quoted, request_of
from workflows.messages.actors import buyer, merchant, officer
from workflows.messages.cases import Refusal
from workflows.messages.commands import Approve, OpenDispute, RefundDirectly, Reject
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.money import Money
from workflows.messages.orders import AllowanceFacts, OrderFacts, OrderLine, Tender
from workflows.messages.payouts import TenderKind
from workflows.messages.quotes import Asked, Asking, Option
from workflows.messages.requests import (
    DisputeReason,
    LineAmount,
    RefundRequest,
    Request,
    ResendRequest,
    ReturnRequest,
)
from workflows.messages.stages import CaseKind, StageName
from workflows.rules.balances import Account
from workflows.rules.dispute import DECIDED

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)
EVIDENCE = (Evidence(uri="vault:evidence/1", media_type=MediaType.JPEG, bytes=1, sha256="1" * 64),)
MERCHANT, OFFICER, BUYER = merchant("M-1"), officer("f-1"), buyer("B-1")
REJECTION = {"by": MERCHANT, "reason": "goods_received_as_described", "evidence": EVIDENCE}

Bought = tuple[tuple[int, int], ...]
"""Pieces and price of each line."""


@st.composite
def worlds(draw: st.DrawFn) -> tuple[OrderFacts, tuple[Quoted, ...]]:
    """An order, and what has been asked for on it before."""
    bought: Bought = tuple(draw(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 1_000)), min_size=1, max_size=3)))
    freight = draw(st.sampled_from((0, 80)))
    profile = draw(st.sampled_from(("douyin", "jd-pop", "jd-self", "cn-2026", "eu")))
    shipped = draw(st.booleans())
    signed = draw(st.sampled_from((None, 3, 10, 20))) if shipped else None
    total = sum(price for _, price in bought) + freight
    spent = draw(st.integers(0, total))
    allowance_id = draw(st.sampled_from(("valid", "paid-out")))
    paid_with = (
        (Tender(tender="t", kind=TenderKind.WALLET, paid=total - spent),) if total - spent else (),
        (Tender(tender="a", kind=TenderKind.ALLOWANCE, paid=spent, allowance_id=allowance_id),) if spent else (),
    )
    order = OrderFacts(
        order_no="O-1",
        marketplace=profile,
        merchant_id="M-1",
        buyer_id="B-1",
        currency="EUR" if profile == "eu" else "CNY",
        lines=tuple(
            OrderLine(line=str(number), sku=draw(st.sampled_from(("boots", "food-rice"))), quantity=pieces, paid=paid)
            for number, (pieces, paid) in enumerate(bought)
        ),
        freight=freight,
        tenders=(*paid_with[0], *paid_with[1]),
        paid_at=NOW - timedelta(days=30),
        shipped_at=NOW - timedelta(days=25) if shipped else None,
        signed_at=NOW - timedelta(days=signed) if signed else None,
    )
    before: list[Quoted] = []
    for number in range(draw(st.integers(0, 3))):
        line = draw(st.sampled_from(order.lines))
        pieces = draw(st.integers(1, line.quantity))
        kind = draw(st.sampled_from((RefundRequest, ReturnRequest, ResendRequest)))
        asked = LineAmount(line=line.line, quantity=pieces, amount=line.paid * pieces // line.quantity)
        before.append(
            kind(
                request_key=f"before-{number}",
                order_no="O-1",
                merchant_id="M-1",
                buyer_id="B-1",
                lines=(asked,),
                reason="not_received" if kind is RefundRequest else "damaged",
                evidence=EVIDENCE,
            )
        )
    return order, tuple(before)


def world_of(order: OrderFacts, before: tuple[Quoted, ...]) -> Interpreter:
    """A world in which that has been asked for; the first of it is paid."""
    world = Interpreter(NOW, profiles.ALL)
    world.shop.orders[order.order_no] = order
    for tender in order.tenders:
        if tender.allowance_id:
            world.shop.accounts[tender.allowance_id] = account_of(order, tender)
    for number, each in enumerate(before):
        case = world.open(each)
        if not number and not refusal_of(world, case):
            grant(world, case)
    return world


def account_of(order: OrderFacts, tender: Tender) -> Account:
    """The allowance behind a tender: of three quarters principal, and paid out where it is called so (A7)."""
    facts = AllowanceFacts(
        allowance_id=tender.allowance_id or "",
        marketplace=order.marketplace,
        merchant_id=order.merchant_id,
        buyer_id=order.buyer_id,
        currency=order.currency,
        principal=tender.paid + 7,
        bonus=tender.paid // 3,
        spent=tender.paid,
        tender_kind=TenderKind.WALLET,
        valid_until=NOW + timedelta(days=400),
    )
    gone = NOW - timedelta(days=1) if tender.allowance_id == "paid-out" else None
    return Account(facts, frozen_by="withdrawal/1" if gone else None, voided_at=gone, paid_back_at=gone)


def refusal_of(world: Interpreter, case: str) -> Refusal | None:
    outcome = world.outcome(case)
    return outcome.refusal if outcome else None


def grant(world: Interpreter, case: str) -> None:
    """Whoever decides agrees at once, without the goods."""
    view = world.view(case)
    reviews = (
        StageName.MERCHANT_REVIEW,
        StageName.SHIPPED_REVIEW,
        StageName.RETURN_REVIEW,
        StageName.RESEND_REVIEW,
        StageName.REPAIR_REVIEW,
    )
    by = MERCHANT if view.stage in reviews else OFFICER
    if view.kind in (CaseKind.RETURN, CaseKind.EXCHANGE, CaseKind.RESEND, CaseKind.REPAIR):
        assert world.act(case, RefundDirectly(key="g", by=by)) is None
    elif view.stage is not StageName.INTERCEPTING or view.commands:
        assert world.act(case, Approve(key="g", by=by)) is None
    world.pass_time(hours=1)


def refused(world: Interpreter, request: Request) -> tuple[str, str, str] | None:
    found = refusal_of(world, world.open(request))
    return (found.code, found.rule, found.explanation) if found else None


def said(refusal: Refusal) -> tuple[str, str, str]:
    return refusal.code, refusal.rule, refusal.explanation


@settings(max_examples=60, deadline=None)
@given(worlds(), st.sampled_from((None, True, False)), st.data())
def test_what_a_quote_allows_opens_and_pays_that(
    made: tuple[OrderFacts, tuple[Quoted, ...]], received: bool | None, data: st.DataObject
) -> None:  # G5
    order, before = made
    options = world_of(order, before).quote(order.order_no, goods_received=received).options
    option: Option = data.draw(st.sampled_from(options))
    world = world_of(order, before)
    already = world.ledger.refunded(f"order/{order.order_no}")
    evidence = EVIDENCE if option.reason.evidence else ()

    if option.refusal is None:
        case = world.open(request_of(order, option, "q", goods_received=received, evidence=evidence))
        assert refusal_of(world, case) is None
        view = world.view(case)
        assert (view.kind, view.stage) == (option.kind, option.stage)
        assert view.asked is not None
        assert view.asked.amount == option.amount
        assert view.on_silence is option.on_silence
        open_before = [each for each in world.cases() if each != case and world.outcome(each) is None]
        if not open_before:  # of what others still hold, what is left is paid (R14)
            grant(world, case)
            assert world.ledger.refunded(f"order/{order.order_no}") - already == option.amount
    for number, line in enumerate(option.lines):
        if line.refusal is None:
            more = line.model_copy(update={"amount": line.amount + 1})
            greedy = option.model_copy(update={"lines": (more,), "freight": 0})
            fresh = world_of(order, before)
            request = request_of(order, greedy, f"q-{number}", goods_received=received, evidence=EVIDENCE)
            assert refused(fresh, request) is not None, "it is the most"
            continue
        alone = option.model_copy(update={"lines": (line.model_copy(update={"refusal": None}),), "freight": 0})
        fresh = world_of(order, before)
        request = request_of(order, alone, f"q-{number}", goods_received=received, evidence=EVIDENCE)
        assert refused(fresh, request) == said(line.refusal)
    if option.freight_refusal is not None:
        whole = option.model_copy(update={"freight": order.freight, "refusal": None})
        if any(each.refusal is None for each in whole.lines) or option.asked == "refund":
            fresh = world_of(order, before)
            request = request_of(order, whole, "q-f", goods_received=received, evidence=EVIDENCE)
            found = refused(fresh, request)
            assert found is not None


@settings(max_examples=30, deadline=None)
@given(worlds(), st.data())
def test_what_a_merchant_may_pay_back_opens_and_is_the_most(
    made: tuple[OrderFacts, tuple[RefundRequest | ReturnRequest, ...]], data: st.DataObject
) -> None:  # G5, R9
    order, before = made
    world = world_of(order, before)
    option: Option = data.draw(st.sampled_from(world.quote(order.order_no, ways=BY_MERCHANT).options))

    if option.refusal is None:
        case = world.open(request_of(order, option, "q"))
        assert refusal_of(world, case) is None
        view = world.view(case)
        assert view.asked is not None
        assert (view.kind, view.asked.amount) == (option.kind, option.amount)
        assert view.stage in (option.stage, StageName.CLOSED), "what needs no officer is paid at once"
    for number, line in enumerate(option.lines):
        changed = {"amount": line.amount + 1} if line.refusal is None else {"refusal": None}
        alone = option.model_copy(update={"lines": (line.model_copy(update=changed),), "freight": 0})
        fresh = world_of(order, before)
        found = refused(fresh, request_of(order, alone, f"q-{number}"))
        assert found is not None
        assert line.refusal is None or found == said(line.refusal)


@settings(max_examples=30, deadline=None)
@given(worlds(), st.sampled_from((None, True, False)), st.sampled_from((BY_BUYER, BY_MERCHANT)))
def test_in_short_it_says_the_same_for_each_reason(
    made: tuple[OrderFacts, tuple[RefundRequest | ReturnRequest, ...]],
    received: bool | None,
    ways: Sequence[Asked],
) -> None:  # G5
    """The list is the quote: nothing is lost where reasons are taken together, and none stands twice."""
    order, before = made
    quoted = world_of(order, before).quote(order.order_no, goods_received=received, ways=ways)

    listed = in_short(quoted, order)

    told = {(way.asked, code): way for way in listed.ways for code in way.reasons}
    assert len(told) == sum(len(way.reasons) for way in listed.ways) == len(quoted.options)
    for option in quoted.options:
        way = told[option.asked, option.reason.code]
        assert all(getattr(way, name) == getattr(option, name) for name in Asking.model_fields)
    assert len(listed.ways) == len({way.model_copy(update={"reasons": ()}).model_dump_json() for way in listed.ways})


@settings(max_examples=60, deadline=None)
@given(worlds(), st.lists(st.sampled_from(("reject", "grant", "dispute", "wait", "late")), max_size=3), st.data())
def test_a_case_that_is_listed_as_disputable_can_be_disputed_and_no_other(
    made: tuple[OrderFacts, tuple[RefundRequest | ReturnRequest, ...]], turns: list[str], data: st.DataObject
) -> None:  # D1, D10
    order, before = made
    world = world_of(order, before)
    cases = [case for case in world.cases() if not refusal_of(world, case)]
    assume(cases)
    case = data.draw(st.sampled_from(cases))
    for number, turn in enumerate(turns):
        match turn:
            case "reject":
                world.act(case, Reject.model_validate({**REJECTION, "key": f"r-{number}"}))
            case "grant" if world.outcome(case) is None:
                world.act(case, Approve(key=f"g-{number}", by=MERCHANT))
            case "dispute" if world.listed(case).case.stage not in DECIDED:
                world.act(case, OpenDispute(key=f"d-{number}", by=BUYER, reason=DisputeReason.OTHER))
            case "wait":
                world.pass_time(hours=60)
            case _:
                world.pass_time(days=20)

    found, before_it = world.disputable(case), world.cases()
    if found.how == "open_dispute":
        refusal = world.act(case, OpenDispute(key="listed", by=BUYER, reason=DisputeReason.OTHER))
        for dispute in world.cases()[len(before_it) :]:
            refusal = refusal or refusal_of(world, dispute)
    else:
        refusal = refusal_of(world, world.open(request_for(world.listed(case), "listed")))

    assert (found.refusal and said(found.refusal)) == (refusal and said(refusal))
    if found.until is not None:
        assert found.until >= world.now


@settings(max_examples=60, deadline=None)
@given(worlds(), st.lists(st.sampled_from(("dispute", "wait", "late")), max_size=2))
def test_what_is_listed_of_an_order_can_be_disputed_and_no_more(
    made: tuple[OrderFacts, tuple[Quoted, ...]], turns: list[str]
) -> None:  # D1, D10
    order, before = made
    world = world_of(order, before)
    policy = profiles.ALL[order.marketplace]
    for number, turn in enumerate(turns):
        listed = disputable_order(world.listed_order("O-1"), world.now)
        if turn == "dispute" and listed.refusal is None:
            one = listed.model_copy(
                update={"lines": listed.lines[:1], "freight": 0 if listed.lines else listed.freight}
            )
            world.open(request_about(order, policy, one, f"d-{number}"))
        world.pass_time(days=80 if turn == "late" else 1)

    found = disputable_order(world.listed_order("O-1"), world.now)

    left_out = [line for line in order.lines if line.line not in {each.line for each in found.lines}]
    for line in left_out:
        claim = found.model_copy(
            update={"lines": (LineAmount(line=line.line, quantity=1, amount=min(line.paid, 1)),), "freight": 0}
        )
        assert refusal_of(world, world.open(request_about(order, policy, claim, f"alone-{line.line}"))) is not None
    if found.refusal is None:
        assert found.until
        assert found.until >= world.now
        case = world.open(request_about(order, policy, found, "listed"))
        assert refusal_of(world, case) is None
        assert world.view(case).asked == Money(
            amount=sum(each.amount for each in found.lines) + found.freight, currency=order.currency
        )
    else:
        assert (found.lines, found.freight, found.until) == ((), 0, None)


def test_until_when_a_case_can_be_disputed() -> None:  # D1
    order, before = disputed_order()
    world = world_of(order, ())
    case = world.open(before)
    assert world.act(case, Reject.model_validate({**REJECTION, "key": "r"})) is None

    rejected = world.disputable(case)
    assert (rejected.how, rejected.until, rejected.refusal) == ("open_dispute", world.view(case).due, None)
    world.pass_time(days=8)
    closed = world.disputable(case)
    outcome = world.outcome(case)
    assert outcome
    window = profiles.ALL["douyin"].dispute.window_days
    assert closed.how == "dispute_request"
    assert closed.until == outcome.closed_at + timedelta(days=window)
    world.pass_time(days=window)
    over = world.disputable(case)
    assert (over.until, over.refusal and over.refusal.code) == (None, "window_over")


def disputed_order() -> tuple[OrderFacts, RefundRequest]:
    order = OrderFacts(
        order_no="O-1",
        marketplace="douyin",
        merchant_id="M-1",
        buyer_id="B-1",
        currency="CNY",
        lines=(OrderLine(line="1", sku="boots", quantity=1, paid=200),),
        freight=0,
        tenders=(Tender(tender="t", kind=TenderKind.WALLET, paid=200),),
        paid_at=NOW - timedelta(days=4),
        shipped_at=NOW - timedelta(days=3),
        signed_at=NOW - timedelta(days=1),
    )
    asked = RefundRequest(
        request_key="k",
        order_no="O-1",
        merchant_id="M-1",
        buyer_id="B-1",
        lines=(LineAmount(line="1", quantity=1, amount=200),),
        reason="damaged",
        evidence=EVIDENCE,
    )
    return order, asked


@pytest.mark.parametrize("days", [1, 30])
def test_a_quote_says_until_when_and_why_not(days: int) -> None:  # G2, G5
    order = OrderFacts(
        order_no="O-1",
        marketplace="cn-2026",
        merchant_id="M-1",
        buyer_id="B-1",
        currency="CNY",
        lines=(OrderLine(line="1", sku="boots", quantity=2, paid=201),),
        freight=50,
        tenders=(Tender(tender="t", kind=TenderKind.WALLET, paid=251),),
        paid_at=NOW - timedelta(days=40),
        shipped_at=NOW - timedelta(days=35),
        signed_at=NOW - timedelta(days=days),
    )
    world = world_of(order, ())

    found = {(each.asked, each.reason.code): each for each in world.quote("O-1").options}

    back = found["return", "no_longer_wanted"]
    if days == 1:
        assert (back.amount, back.freight, [each.pieces for each in back.lines]) == (201, 0, [2])
        assert back.until == NOW - timedelta(days=1) + timedelta(days=7)
        assert back.freight_refusal is not None
        assert back.freight_refusal.code == "freight_not_refundable"
        assert (found["return", "damaged"].freight, found["return", "damaged"].reason.evidence) == (50, True)
    else:
        assert back.refusal is not None
        assert (back.refusal.code, back.refusal.rule) == ("window_over", "G2")
        assert found["return", "counterfeit"].refusal is None  # a year
