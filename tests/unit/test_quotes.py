"""G5: what a quote allows opens, and pays that; what it does not is refused with the same reason."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starter.interpreter.interpreter import Interpreter
from tests import profiles
from workflows.kinds.quoting import request_of
from workflows.messages.actors import merchant, officer
from workflows.messages.cases import Refusal
from workflows.messages.commands import Approve, RefundDirectly
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.orders import OrderFacts, OrderLine, Tender
from workflows.messages.payouts import TenderKind
from workflows.messages.quotes import Option
from workflows.messages.requests import LineAmount, RefundRequest, Request, ReturnRequest
from workflows.messages.stages import CaseKind, StageName

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)
EVIDENCE = (Evidence(uri="vault:evidence/1", media_type=MediaType.JPEG, bytes=1, sha256="1" * 64),)
MERCHANT, OFFICER = merchant("M-1"), officer("f-1")

Bought = tuple[tuple[int, int], ...]
"""Pieces and price of each line."""


@st.composite
def worlds(draw: st.DrawFn) -> tuple[OrderFacts, tuple[RefundRequest | ReturnRequest, ...]]:
    """An order, and what has been asked for on it before."""
    bought: Bought = tuple(draw(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 1_000)), min_size=1, max_size=3)))
    freight = draw(st.sampled_from((0, 80)))
    profile = draw(st.sampled_from(("douyin", "jd-pop", "jd-self", "cn-2026", "eu")))
    shipped = draw(st.booleans())
    signed = draw(st.sampled_from((None, 3, 10, 20))) if shipped else None
    total = sum(price for _, price in bought) + freight
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
        tenders=(Tender(tender="t", kind=TenderKind.WALLET, paid=total),) if total else (),
        paid_at=NOW - timedelta(days=30),
        shipped_at=NOW - timedelta(days=25) if shipped else None,
        signed_at=NOW - timedelta(days=signed) if signed else None,
    )
    before: list[RefundRequest | ReturnRequest] = []
    for number in range(draw(st.integers(0, 2))):
        line = draw(st.sampled_from(order.lines))
        pieces = draw(st.integers(1, line.quantity))
        kind = draw(st.sampled_from((RefundRequest, ReturnRequest)))
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


def world_of(order: OrderFacts, before: tuple[RefundRequest | ReturnRequest, ...]) -> Interpreter:
    """A world in which that has been asked for; the first of it is paid."""
    world = Interpreter(NOW, profiles.ALL)
    world.shop.orders[order.order_no] = order
    for number, each in enumerate(before):
        case = world.open(each)
        if not number and not refusal_of(world, case):
            grant(world, case)
    return world


def refusal_of(world: Interpreter, case: str) -> Refusal | None:
    outcome = world.outcome(case)
    return outcome.refusal if outcome else None


def grant(world: Interpreter, case: str) -> None:
    """Whoever decides agrees at once, without the goods."""
    view = world.view(case)
    by = (
        MERCHANT
        if view.stage in (StageName.MERCHANT_REVIEW, StageName.SHIPPED_REVIEW, StageName.RETURN_REVIEW)
        else OFFICER
    )
    if view.kind in (CaseKind.RETURN, CaseKind.EXCHANGE):
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
    made: tuple[OrderFacts, tuple[RefundRequest | ReturnRequest, ...]], received: bool | None, data: st.DataObject
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
