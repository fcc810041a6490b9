"""The check of commands, for every stage, command and actor (section 12)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from workflows.kinds.admission import accepted, open_commands, refused_in_stage
from workflows.kinds.kind import OF_EVERY_CASE, PROCESSES
from workflows.kinds.stage import STAGES, Stage
from workflows.messages.actors import Actor, Role
from workflows.messages.cases import Refusal
from workflows.messages.commands import (
    AgreeReturn,
    Amend,
    Approve,
    ClaimCompensation,
    CloseCase,
    Command,
    ConfirmExchange,
    ConfirmProposal,
    ConfirmReceipt,
    ConvertToRefund,
    ExtendReceipt,
    GatewayCallback,
    GatewayResult,
    MoveDeadline,
    MovePolicy,
    OpenDispute,
    PayInAdvance,
    PayOut,
    RefundDirectly,
    Resolve,
    Retain,
    RetryPayment,
    Rule,
    SubmitEvidence,
    Withdraw,
)
from workflows.messages.requests import DisputeReason, RefundReason
from workflows.messages.rulings import Award, Fault
from workflows.messages.stages import CaseKind, StageName
from workflows.rules.admission import Parties, fingerprint, read

NOW = datetime(2026, 5, 1, tzinfo=UTC)
PARTIES = Parties(merchant_id="m", buyer_id="b")
THEIR_IDS = {Role.MERCHANT: "m", Role.BUYER: "b"}


def actor(role: Role) -> Actor:
    return Actor(role=role, id=THEIR_IDS.get(role, "x"))


def commands(by: Actor) -> list[Command]:
    return [
        Approve(key="k", by=by),
        Withdraw(key="k", by=by),
        Retain(key="k", by=by),
        PayOut(key="k", by=by),
        RetryPayment(key="k", by=by, reason="r"),
        PayInAdvance(key="k", by=by, reason="r", proof="ticket:1"),
        CloseCase(key="k", by=by, reason="r", proof="ticket:1"),
        AgreeReturn(key="k", by=by),
        RefundDirectly(key="k", by=by),
        ConfirmReceipt(key="k", by=by),
        ExtendReceipt(key="k", by=by),
        ConvertToRefund(key="k", by=by),
        ConfirmExchange(key="k", by=by),
        OpenDispute(key="k", by=by, reason=DisputeReason.OTHER),
        Resolve(key="k", by=by),
        Rule(key="k", by=by, fault=Fault.NOBODY, refund=Award.NOTHING, reason="r"),
        ConfirmProposal(key="k", by=by, reason="r"),
        ClaimCompensation(key="k", by=by),
        MovePolicy(key="k", by=by, version=2, reason="r"),
        MoveDeadline(key="k", by=by, until=NOW + timedelta(seconds=1), reason="r"),
    ]


@pytest.mark.parametrize("stage", STAGES.values(), ids=list(STAGES))
def test_exactly_what_a_stage_declares_is_obeyed(stage: Stage) -> None:
    for role in Role:
        for command in commands(actor(role)):
            refused = refused_in_stage(command, stage=stage, parties=PARTIES, now=NOW)
            assert (refused is None) == (role in accepted(stage).get(type(command), ())), (command, role)


@pytest.mark.parametrize("stage", STAGES.values(), ids=list(STAGES))
def test_what_is_shown_as_open_is_what_is_obeyed(stage: Stage) -> None:
    shown = {each.name: frozenset(each.roles) for each in open_commands(stage)}

    assert shown == {kind.command_name(): roles for kind, roles in accepted(stage).items()}


@pytest.mark.parametrize("kind", PROCESSES, ids=list(PROCESSES))
def test_a_kind_takes_only_what_its_own_process_does_something_with(kind: CaseKind) -> None:  # section 12
    process = PROCESSES[kind]

    for stage in process.table:
        unknown = [each for each in accepted(stage, kind) if not (process.on(stage, each) or each in OF_EVERY_CASE)]
        assert unknown == [], stage.name
        shown = {each.name for each in open_commands(stage, kind)}
        assert shown == {each.command_name() for each in accepted(stage, kind)}


def test_what_another_kind_takes_in_the_same_stage_is_not_open_in_this_one() -> None:  # section 12, B3
    command = Amend(key="k", by=actor(Role.BUYER), freight=1, reason=RefundReason.PRICE_ADJUSTMENT)
    rejected = STAGES[StageName.REJECTED]

    def refused_in(kind: CaseKind) -> Refusal | None:
        return refused_in_stage(command, stage=rejected, parties=PARTIES, now=NOW, kind=kind)

    refused = refused_in(CaseKind.PRICE_PROTECTION)
    assert refused is not None
    assert (refused.code, "amend" in refused.explanation.split("open are")[1]) == ("not_open", False)
    assert refused_in(CaseKind.SHIPPED_REFUND) is None


@pytest.mark.parametrize("stage", STAGES.values(), ids=list(STAGES))
def test_an_officer_can_move_every_case_that_waits_to_another_policy(stage: Stage) -> None:  # section 2
    waits = stage.name not in {StageName.OPENING, StageName.PAYING, StageName.CLOSED}

    assert accepted(stage).get(MovePolicy, frozenset()) == (frozenset({Role.PLATFORM}) if waits else frozenset())


@pytest.mark.parametrize("stage", STAGES.values(), ids=list(STAGES))
def test_an_officer_can_move_a_deadline_where_silence_decides(stage: Stage) -> None:  # section 12
    movable = stage.span is not None and stage.name is not StageName.SETTLING

    assert accepted(stage).get(MoveDeadline, frozenset()) == (frozenset({Role.PLATFORM}) if movable else frozenset())


def test_a_deadline_is_not_moved_into_the_past() -> None:  # section 12
    command = MoveDeadline(key="k", by=actor(Role.PLATFORM), until=NOW, reason="r")

    refused = refused_in_stage(command, stage=STAGES[StageName.MERCHANT_REVIEW], parties=PARTIES, now=NOW)

    assert refused is not None
    assert (refused.code, refused.field) == ("deadline_past", "until")


def test_a_locked_case_lets_the_merchant_confirm_the_receipt_and_nothing_else() -> None:  # D3
    locked = STAGES[StageName.LOCKED]

    assert [kind for kind, roles in accepted(locked).items() if Role.MERCHANT in roles] == [ConfirmReceipt]


@pytest.mark.parametrize("role", [Role.MERCHANT, Role.BUYER])
def test_a_stranger_is_told_so_before_anything_else(role: Role) -> None:  # section 12
    for stage in STAGES.values():
        refused = refused_in_stage(
            Approve(key="k", by=Actor(role=role, id="stranger")), stage=stage, parties=PARTIES, now=NOW
        )
        assert refused is not None
        assert refused.code == "not_yours"


@pytest.mark.parametrize("role", list(Role))
def test_only_the_gateway_speaks_for_the_gateway(role: Role) -> None:  # section 10
    callback = GatewayCallback(
        key="k", by=actor(role), refund_no="RF1", result=GatewayResult.SUCCEEDED, settled_at=datetime.now(UTC)
    )
    for stage in STAGES.values():
        refused = refused_in_stage(callback, stage=stage, parties=PARTIES, now=NOW)
        assert (refused is None) == (role is Role.GATEWAY)


def test_the_fingerprint_tells_another_body_from_the_same() -> None:  # section 11
    first = RetryPayment(key="k", by=actor(Role.PLATFORM), reason="a")

    assert fingerprint(first) == fingerprint(first.model_copy())
    assert fingerprint(first) != fingerprint(first.model_copy(update={"reason": "b"}))
    assert fingerprint(Approve(key="k", by=actor(Role.MERCHANT))) != fingerprint(
        PayOut(key="k", by=actor(Role.MERCHANT))
    )


SENT: dict[str, Any] = {"key": "k", "by": {"role": "buyer", "id": "b"}}
LINE = {"line": "1", "quantity": 1, "amount": 1}


def test_a_command_is_read_from_what_was_sent() -> None:
    assert read([SENT], Withdraw) == Withdraw(key="k", by=Actor(role=Role.BUYER, id="b"))


@pytest.mark.parametrize(
    ("kind", "values", "field"),
    [
        (Withdraw, ["王小明"], "command"),
        (Withdraw, [float("nan")], "command"),
        (Withdraw, [], "command"),
        (Withdraw, [SENT, SENT], "command"),
        (Withdraw, [{"key": "k"}], "by"),
        (Withdraw, [SENT | {"reson": "王小明"}], "?"),
        (Withdraw, [SENT | {"wangxiaoming": 1}], "?"),
        (Withdraw, [SENT | {"王小明": 1}], "?"),
        (Withdraw, [SENT | {"by": {"role": "王小明", "id": "b"}}], "by.role"),
        (SubmitEvidence, [SENT], "command"),
        (SubmitEvidence, [SENT | {"evidence": [{"uri": "王小明"}]}], "evidence.0.uri"),
        (Amend, [SENT | {"reason": "other", "lines": [LINE, LINE]}], "lines"),
        (Amend, [SENT | {"reason": "other", "lines": [LINE], "method": {"route": "王小明"}}], "method"),
        (Amend, [SENT | {"reason": "other", "lines": [LINE | {"amount": 0.5}]}], "lines.0.amount"),
    ],
)
def test_what_is_no_command_is_told_where_and_not_repeated(
    kind: type[Command], values: list[Any], field: str
) -> None:  # section 11, P6
    refused = read(values, kind)

    assert isinstance(refused, Refusal)
    assert (refused.code, refused.field, refused.rule) == ("malformed", field, "section 11")
    assert refused.explanation
    assert not any(personal in refused.model_dump_json() for personal in ("王小明", "wangxiaoming"))
