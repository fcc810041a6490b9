"""Moments that come from outside: their bounds, and what of them cannot have happened (R18)."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

import workflows.messages
from activities.gateways.order_records import OrderRecord
from activities.policies import Policies
from activities.postgres.loading import AllowanceRecord
from activities.postgres.work_lists import WorkQuery
from starter.commands.failures import UsageError
from starter.commands.wording import moment
from workflows import at_start
from workflows.kinds import details
from workflows.kinds.admission import open_commands
from workflows.kinds.stage import STAGES, Stage
from workflows.messages.actors import GATEWAY, buyer, carrier, merchant, officer
from workflows.messages.cases import CaseView, Clock, LogEntry, Refusal, Span
from workflows.messages.commands import (
    Approve,
    Command,
    GatewayCallback,
    GatewayResult,
    MoveDeadline,
    ProveShipment,
    RecordManualTransfer,
    Reject,
    RejectReason,
    ReportParcel,
    ShippingProof,
)
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.message import Input
from workflows.messages.money import Money
from workflows.messages.orders import OrderFacts, OrderLine, Tender
from workflows.messages.parcels import CarrierEvent, Parcel, ParcelEvent
from workflows.messages.payouts import TenderKind
from workflows.messages.policy import Policy
from workflows.messages.requests import ExpiryRequest, LineAmount, RefundReason, RefundRequest
from workflows.messages.stages import CaseKind
from workflows.messages.virtual_numbers import NumberSubject, OrderCompleted, Scope
from workflows.rules.admission import read
from workflows.rules.bilingual import Language
from workflows.rules.moments import happened, refused_claim, refused_deadline, refused_moment, refused_proof

NOW = datetime(2026, 5, 1, 10, tzinfo=UTC)
PAID = NOW - timedelta(days=3)
MINUTE = timedelta(minutes=1)
PARCEL = Parcel(carrier="sf", tracking_no="SF1")
EVIDENCE = (Evidence(uri="vault:evidence/1", media_type=MediaType.JPEG, bytes=1, sha256="1" * 64),)
ORDER = OrderFacts(
    order_no="o-1",
    marketplace="douyin",
    merchant_id="m-1",
    buyer_id="b-1",
    currency="CNY",
    lines=(OrderLine(line="1", sku="s-1", quantity=1, paid=100),),
    freight=0,
    tenders=(Tender(tender="t1", kind=TenderKind.WALLET, paid=100),),
    paid_at=PAID,
)


@pytest.fixture
def douyin() -> Policy:
    found = Policies().get("douyin")
    assert found is not None
    return found


# Bounds ---------------------------------------------------------------------------------------------------

IMPOSSIBLE = [
    pytest.param("0001-01-01T00:00:00Z", id="a moment that was not set"),
    pytest.param("0001-01-01T00:00:00+08:00", id="before what can be counted"),
    pytest.param("1970-01-01T00:00:00Z", id="zero seconds"),
    pytest.param("1999-12-31T23:59:59Z", id="just too early"),
    pytest.param("2100-01-01T00:00:01Z", id="just too late"),
    pytest.param("9999-12-31T23:59:59Z", id="no end"),
    pytest.param("9999-12-31T23:59:59-08:00", id="beyond what can be counted"),
]


def _subclasses(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in kind.__subclasses__():
        yield each
        yield from _subclasses(each)


def told_to_us() -> list[tuple[type[BaseModel], str, Any]]:
    """Every moment in a message that others send, and its type."""
    for module in pkgutil.iter_modules(workflows.messages.__path__):
        importlib.import_module(f"workflows.messages.{module.name}")
    models = {
        each
        for each in _subclasses(Input)
        if each.__module__.startswith("workflows.messages") or each in (OrderRecord, AllowanceRecord)
    }
    found: list[tuple[type[BaseModel], str, Any]] = []
    for model in sorted({*models, WorkQuery}, key=lambda each: each.__name__):
        for name, field in model.model_fields.items():
            if "datetime" in f"{field.annotation}".lower():
                kind = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
                found.append((model, name, kind))
    return found


TOLD = told_to_us()


def test_moments_are_found_in_every_kind_of_message() -> None:
    """So that the test of their bounds is about all of them."""
    assert {(model.__name__, name) for model, name, _ in TOLD} >= {
        ("GatewayCallback", "settled_at"),
        ("MoveDeadline", "until"),
        ("ShippingProof", "shipped_at"),
        ("ExpiryRequest", "valid_until"),
        ("LateShipmentRequest", "ships_until"),
        ("CarrierEvent", "happened_at"),
        ("DeclarePause", "ends_at"),
        ("DeclareExemption", "starts_at"),
        ("OrderCompleted", "completed_at"),
        ("StartExport", "opened_from"),
        ("OrderRecord", "shipped_at"),
        ("AllowanceRecord", "valid_until"),
        ("WorkQuery", "due_before"),
    }


@pytest.mark.parametrize("text", IMPOSSIBLE)
def test_no_message_takes_a_moment_out_of_bounds(text: str) -> None:  # R18
    for model, name, kind in TOLD:
        with pytest.raises(ValidationError, match=r"between the years 2000 and 2100 \(R18\)"):
            TypeAdapter[Any](kind).validate_json(f'"{text}"')
        assert TypeAdapter[Any](kind).validate_json('"2026-05-01T10:00:00+08:00"'), (model, name)


@pytest.mark.parametrize("text", IMPOSSIBLE)
def test_a_command_out_of_bounds_is_refused_by_its_field(text: str) -> None:  # R18
    refused = read([{"key": "k", "by": {"role": "platform", "id": "f"}, "until": text, "reason": "r"}], MoveDeadline)

    assert not isinstance(refused, Command)
    assert (refused.code, refused.field) == ("malformed", "until")
    assert "R18" in refused.explanation


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00", "9999-12-31T23:59-12:00"])
def test_a_typed_moment_out_of_bounds_is_refused(text: str) -> None:  # R18
    with pytest.raises(UsageError, match="R18"):
        moment(text, "--at")


def test_an_order_is_loaded_with_what_has_happened_only() -> None:  # R18
    record: dict[str, Any] = {
        "order_no": "o-1",
        "marketplace": "douyin",
        "merchant_id": "m-1",
        "buyer_id": "b-1",
        "currency": "CNY",
        "lines": [{"line": "1", "sku": "s-1", "quantity": 1, "paid": 100}],
        "tenders": [{"tender": "t1", "kind": "wallet", "paid": 100}],
        "paid_at": datetime.now(UTC),
    }
    assert OrderRecord.model_validate(record)
    ahead = datetime.now(UTC) + timedelta(minutes=5)
    for field in ("paid_at", "outbound_at", "shipped_at", "on_delivery_run_at"):
        with pytest.raises(ValidationError, match="future") as refused:
            OrderRecord.model_validate({**record, field: ahead})
        assert refused.value.errors()[0]["loc"] == (field,)


# What has happened ----------------------------------------------------------------------------------------


def telling(at: datetime) -> list[tuple[str, Command]]:
    """One command of each kind that tells of what has happened, and the field in which it says when."""
    by, shop = officer("f-1"), merchant("m-1")
    proof = ShippingProof(carrier="sf", tracking_no="SF1", shipped_at=at)
    subject = NumberSubject(scope=Scope.ORDER, id="o-1")
    carried: dict[str, Any] = {"event": ParcelEvent.SIGNED, "carrier": "sf", "tracking_no": "SF1", "happened_at": at}
    return [
        (
            "shipping.shipped_at",
            Reject(key="k", by=shop, reason=RejectReason.GOODS_SHIPPED, evidence=EVIDENCE, shipping=proof),
        ),
        ("shipped_at", ProveShipment(key="k", by=shop, parcel=PARCEL, shipped_at=at, evidence=EVIDENCE)),
        ("transferred_at", RecordManualTransfer(key="k", by=by, reason="r", proof="bank:slip/1", transferred_at=at)),
        (
            "settled_at",
            GatewayCallback(key="k", by=GATEWAY, refund_no="R1", result=GatewayResult.FAILED, settled_at=at),
        ),
        ("completed_at", OrderCompleted(key="k", by=by, subject=subject, completed_at=at)),
        ("happened_at", ReportParcel(key="k", by=carrier("sf"), **carried)),
    ]


def test_every_moment_of_a_command_is_one_that_has_happened_or_a_deadline() -> None:
    """A new command with a moment says here which it is."""
    commands = {model for model, _, _ in TOLD if issubclass(model, Command)}

    assert commands == {
        MoveDeadline,
        *(type(command) for _, command in telling(NOW) if not isinstance(command, Reject)),
    }
    assert [happened(command) for _, command in telling(NOW)] == [(field, NOW) for field, _ in telling(NOW)]
    assert happened(Approve(key="k", by=merchant("m-1"))) is None


@pytest.mark.parametrize("place", range(len(telling(NOW))))
def test_what_has_happened_lies_between_the_payment_and_now(place: int) -> None:  # R18
    def code(at: datetime) -> tuple[str, str] | None:
        _, command = telling(at)[place]
        refused = refused_moment(command, now=NOW, order=ORDER)
        return (refused.code, refused.field) if refused else None

    field, command = telling(NOW)[place]
    ahead = None if isinstance(command, ReportParcel) else ("not_yet", field)  # a carrier's clock may be ahead
    assert code(PAID) is None
    assert code(PAID - timedelta.resolution) == ("before_payment", field)
    assert code(NOW + MINUTE) is None
    assert code(NOW + MINUTE + timedelta.resolution) == ahead
    assert code(PAID.astimezone(timezone(timedelta(hours=8)))) is None


def test_without_an_order_only_the_future_is_refused() -> None:  # R18
    for _, command in telling(PAID - timedelta(days=9000)):
        assert refused_moment(command, now=NOW) is None


LEFT = NOW - timedelta(days=1)


def _told(event: ParcelEvent, at: datetime) -> CarrierEvent:
    return CarrierEvent(key=f"{event}-{at:%Y%m%d%H%M}", parcel=PARCEL, event=event, happened_at=at)


@pytest.mark.parametrize(
    ("order", "told"),
    [
        pytest.param(ORDER.model_copy(update={"shipped_at": LEFT}), [], id="the order system, of all that shipped"),
        pytest.param(ORDER.model_copy(update={"outbound_at": LEFT}), [], id="the order system, of all on the shelf"),
        pytest.param(ORDER, [_told(ParcelEvent.SHIPPED, LEFT)], id="the carrier"),
        pytest.param(
            ORDER,
            [
                _told(ParcelEvent.SHIPPED, PAID - timedelta(days=300)),  # of another parcel under this number
                _told(ParcelEvent.OUTBOUND, LEFT - MINUTE),
                _told(ParcelEvent.SHIPPED, LEFT + MINUTE),
                _told(ParcelEvent.SHIPPED, LEFT),
                _told(ParcelEvent.SIGNED, LEFT + timedelta(hours=9)),
            ],
            id="the carrier, of several things",
        ),
    ],
)
def test_the_earlier_word_of_carrier_or_order_system_stands(order: OrderFacts, told: list[CarrierEvent]) -> None:  # R18
    refused = refused_claim(LEFT - timedelta.resolution, order, told)

    assert refused
    assert (refused.code, refused.field) == ("known_otherwise", "shipped_at")
    assert refused_claim(LEFT, order, told) is None


def test_a_proof_is_held_against_what_is_told_of_its_parcel() -> None:  # R1, R18
    """Other parcels of the order, or all of it, may have left at other times (R15)."""
    told = [_told(ParcelEvent.OUTBOUND, LEFT - MINUTE), _told(ParcelEvent.SHIPPED, LEFT)]
    order = ORDER.model_copy(update={"shipped_at": NOW})

    refused = refused_proof(LEFT - timedelta.resolution, order, told)

    assert refused
    assert (refused.code, refused.field) == ("known_otherwise", "shipping.shipped_at")
    assert refused_proof(LEFT, order, told) is None


@pytest.mark.parametrize("refusal", [refused_claim, refused_proof])
def test_who_knows_nothing_says_nothing_against_it(refusal: Callable[..., Refusal | None]) -> None:  # R18
    on_its_way = _told(ParcelEvent.ON_DELIVERY_RUN, LEFT)
    assert refusal(PAID, ORDER, [on_its_way]) is None


def test_a_deadline_goes_as_far_as_the_policy_lets_it(douyin: Policy) -> None:  # R18
    def refusal(days: int, policy: Policy = douyin) -> str | None:
        command = MoveDeadline(key="k", by=officer("f-1"), until=NOW + timedelta(days=days), reason="r")
        refused = refused_deadline(command, now=NOW, policy=policy)
        return f"{refused.code} {refused.field}" if refused else None

    assert refusal(180) is None
    assert refusal(181) == "deadline_too_far until"
    shorter = douyin.limits.model_copy(update={"furthest_deadline_days": 8})
    assert refusal(9, douyin.model_copy(update={"limits": shorter})) == "deadline_too_far until"


def test_a_snapshot_from_before_there_was_a_limit_has_it(douyin: Policy) -> None:  # section 2, R18
    older = douyin.model_dump(exclude={"limits": {"furthest_deadline_days"}})

    assert Policy.model_validate(older).limits.furthest_deadline_days == 180


# What operators see ---------------------------------------------------------------------------------------

ANY_MOMENT = st.one_of(
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))])),
    st.sampled_from([datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]),
)
REQUESTS = [
    RefundRequest(
        request_key="k",
        order_no="o-1",
        merchant_id="m-1",
        buyer_id="b-1",
        lines=(LineAmount(line="1", quantity=1, amount=100),),
        reason=RefundReason.OTHER,
    ),
    ExpiryRequest(allowance_id="a-1", merchant_id="m-1", buyer_id="b-1", valid_until=NOW),
]


@settings(max_examples=200)
@given(
    stage=st.sampled_from(list(STAGES.values())),
    due=st.none() | ANY_MOMENT,
    moments=st.tuples(ANY_MOMENT, ANY_MOMENT, ANY_MOMENT, ANY_MOMENT),
    span=st.sampled_from([Span(minutes=1), Span(working_minutes=1), Span(working_days=1), Span(seconds=1), Span()]),
    outright=st.booleans(),
    request_=st.sampled_from(REQUESTS),
    language=st.sampled_from(list(Language)),
)
def test_the_page_of_a_case_never_fails(
    stage: Stage,
    due: datetime | None,
    moments: tuple[datetime, ...],
    span: Span,
    outright: bool,
    request_: RefundRequest | ExpiryRequest,
    language: Language,
) -> None:  # R18, section 12
    """Else no command, query or timer of the case works any more."""
    opened_at, since, at, until = moments
    span = Span(until=until, arrival=at) if outright else span
    view = CaseView(
        case_id="refund/o-1/k",
        kind=CaseKind.UNSHIPPED_REFUND,
        stage=stage.name,
        rule=stage.rule,
        merchant_id="m-1",
        buyer_id=None,
        asked=Money(amount=1, currency="CNY"),
        refunded=None,
        opened_at=opened_at,
        due=due,
        clock=Clock(since=since, span=span) if due else None,
        on_silence=stage.silence,
        commands=open_commands(stage),
        attention=None,
        outcome=None,
        legs=(),
        policy="",
        warnings=("of_tomorrow",),
        log=(LogEntry(event="of_tomorrow", by=buyer("b-1"), rule="R1", at=at),),
    )

    assert details.page(view, request_, language)
    assert at_start.details(request_)
    if due:
        shown = at_start.whole_minute(due)
        assert (shown.second, shown.microsecond) == (0, 0)
        assert abs(shown - due) < MINUTE or due.year in (1, 9999)
