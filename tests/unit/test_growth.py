"""R16: how much a case takes in all, and what it takes whatever it was sent before."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from workflows.messages import commands
from workflows.messages.actors import Role, buyer, carrier, merchant
from workflows.messages.commands import Approve, Command, EnterTracking, ReportParcel, SubmitEvidence, Withdraw
from workflows.messages.parcels import Parcel, ParcelEvent
from workflows.messages.stages import StageName
from workflows.rules.growth import MAY_LEAVE_ALL_AS_IT_IS, MOST_FROM_A_ROLE, REFUSED_LINES, Heard

REVIEW = StageName.SHIPPED_REVIEW
LEADS_ON = frozenset(
    {
        *(
            "AcceptProposal",
            "AcceptSettlement",
            "AgreeReturn",
            "Amend",
            "Approve",
            "ClaimCompensation",
            "CloseCase",
            "ConfirmExchange",
        ),
        *("ConfirmProposal", "ConfirmReceipt", "ExtendReceipt", "OpenDispute", "PayInAdvance", "PayOut"),
        *("ProveExemption", "ProveShipment", "RecordManualTransfer", "RefundDirectly", "Reject", "Reship", "Resolve"),
        *("AcceptProposal", "SendBack"),
        *("RetryPayment", "Rule", "Withdraw"),
    }
)
"""Commands that cannot be sent again and again: each leads to another stage, or is taken once."""


def evidence(number: int, by: str = "b") -> SubmitEvidence:
    return SubmitEvidence(key=f"e{number}", by=buyer(by), amount=number)


def scan(number: int, event: ParcelEvent = ParcelEvent.SHIPPED) -> ReportParcel:
    at = datetime(2026, 3, 2, 9, tzinfo=UTC) + timedelta(seconds=number)
    return ReportParcel(
        key=f"p{number}", by=carrier("sf"), event=event, carrier="sf", tracking_no="SF1", happened_at=at
    )


def after(*taken: Command) -> Heard:
    heard = Heard()
    for each in taken:
        heard.takes(each)
    return heard


def flooded() -> Heard:
    return after(*map(evidence, range(MOST_FROM_A_ROLE)))


def code(heard: Heard, command: Command, *, repeated: bool = False, busy: bool = False) -> str | None:
    refused = heard.refusal(command, REVIEW, repeated=repeated, busy=busy)
    return refused.code if refused else None


def every_command() -> Iterator[type[Command]]:
    for each in vars(commands).values():
        if isinstance(each, type) and issubclass(each, Command) and each is not Command and not each.fact:
            yield each


def test_of_every_command_it_is_said_whether_it_leads_on() -> None:
    said = LEADS_ON | {each.__name__ for each in MAY_LEAVE_ALL_AS_IT_IS}

    assert {each.__name__ for each in every_command()} == said


def test_a_role_that_has_sent_very_much_is_left_what_leads_on() -> None:
    heard = flooded()

    assert code(heard, evidence(1_000)) == "too_many_commands"
    assert code(heard, Withdraw(key="w", by=buyer("b"))) is None
    assert code(heard, Withdraw(key="w", by=buyer("b")), busy=True) == "too_many_commands"
    assert code(heard, Withdraw(key="w", by=buyer("b")), repeated=True) == "too_many_commands"


def test_nobody_is_refused_for_what_another_has_sent() -> None:
    heard = flooded()

    assert code(heard, Approve(key="a", by=merchant("m")), busy=True) is None
    assert code(heard, evidence(1).model_copy(update={"by": merchant("m")}), repeated=True) is None
    assert code(after(*map(evidence, range(MOST_FROM_A_ROLE - 1))), evidence(0), repeated=True) is None


@pytest.mark.parametrize(("stage", "refused"), [(StageName.AWAITING_RETURN, False), (REVIEW, True)])
def test_the_first_tracking_number_leads_on_and_a_correction_does_not(stage: StageName, refused: bool) -> None:
    tracking = EnterTracking(key="t", by=buyer("b"), parcel=Parcel(carrier="sf", tracking_no="SF1"))

    assert (flooded().refusal(tracking, stage, repeated=False, busy=False) is not None) == refused


def test_of_a_flood_of_reports_only_what_is_new_is_taken() -> None:
    heard = Heard()
    taken = [heard.takes(scan(number)) for number in range(MOST_FROM_A_ROLE + 30)]

    assert (taken.count(True), heard.left_out) == (MOST_FROM_A_ROLE, 30)
    assert heard.takes(scan(0, ParcelEvent.SIGNED))
    assert heard.refusal(scan(0), REVIEW, repeated=True, busy=True) is None, "facts are never refused"


def test_refused_signals_are_told_one_by_one_up_to_a_number() -> None:
    heard = Heard()

    assert [heard.tells() for _ in range(REFUSED_LINES + 5)] == [True] * REFUSED_LINES + [False] * 5
    assert heard.left_out == 5


def test_a_case_stays_below_the_servers_limit_whatever_all_roles_send() -> None:
    assert MOST_FROM_A_ROLE * len(Role) < 2_000 / 2
