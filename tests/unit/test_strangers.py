"""Whoever is none of a case's own is told so before anything else is looked at (section 12, P2).

All commands are read off the published contract, so that one that is new is tried as well.
"""

from datetime import UTC, datetime

import pytest

from starter.contract.workflows import contracts
from tests.contract.samples import sample
from workflows.kinds.admission import FACTS, accepted, refused_in_stage, refused_stranger
from workflows.kinds.stage import STAGES
from workflows.messages.actors import Actor, Role
from workflows.messages.commands import Command, EnterTracking
from workflows.messages.virtual_numbers import NumberCommand, NumberState, NumberSubject, Scope
from workflows.rules import virtual_numbers as numbers
from workflows.rules.admission import Parties, may_see

NOW = datetime(2026, 5, 1, tzinfo=UTC)
PARTIES = Parties(merchant_id="m-1", buyer_id="b-1")
OWN = [Actor(role=Role.MERCHANT, id="m-1"), Actor(role=Role.BUYER, id="b-1"), Actor(role=Role.PLATFORM, id="o-1")]
OTHERS = [Actor(role=Role.MERCHANT, id="b-1"), Actor(role=Role.BUYER, id="m-1")]
"""Each with an id of this case, and none of their own role."""
NOBODIES = [Actor(role=role, id="m-1") for role in (Role.CARRIER, Role.GATEWAY, Role.CLOCK)]
PUBLISHED = {
    name: taken.takes
    for contract in contracts()
    for name, taken in {**contract.updates, **contract.signals}.items()
    if taken.takes and issubclass(taken.takes, Command)
}
COMMANDS = [each for each in PUBLISHED.values() if not issubclass(each, NumberCommand)]
ABOUT_NUMBERS = [each for each in PUBLISHED.values() if issubclass(each, NumberCommand)]


def of(kind: type[Command], by: Actor) -> Command:
    return sample(kind, by=by.model_dump())


def test_every_role_is_somebodys() -> None:
    assert {each.role for each in (*OWN, *NOBODIES)} == set(Role)
    assert [each for each in (*OWN, *OTHERS, *NOBODIES) if may_see(each, PARTIES)] == OWN


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_a_stranger_is_refused_in_every_stage_and_for_no_other_reason(kind: type[Command]) -> None:
    for by in OTHERS:
        refused = refused_stranger(of(kind, by), PARTIES)
        assert refused is not None
        assert (refused.code, refused.field) == ("not_yours", "by.id")
        assert not any(known in refused.explanation for known in ("m-1", "b-1"))
        for stage in STAGES.values():
            command = of(kind, by)
            assert refused_in_stage(command, stage=stage, parties=PARTIES, now=NOW) == refused


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_who_only_tells_facts_asks_for_nothing(kind: type[Command]) -> None:
    for by in NOBODIES:
        refused = refused_stranger(of(kind, by), PARTIES)
        if kind is EnterTracking and by.role is Role.CARRIER:  # T13: of parcels of its own, which this is none of
            assert refused is not None
            assert (refused.code, refused.field) == ("not_yours", "parcel.carrier")
            continue
        asks = any(by.role in accepted(stage).get(kind, ()) for stage in STAGES.values())
        assert (refused is None) == (asks or by.role in FACTS.get(kind, ()))
        assert refused is None or refused.code == "wrong_actor"


def test_a_carrier_enters_numbers_of_its_own_parcels() -> None:  # T13
    parcel = sample(EnterTracking, by={"role": "carrier", "id": "sf"}).model_dump()["parcel"]
    for name, code in ((parcel["carrier"], None), (parcel["carrier"].upper(), None), ("another", "not_yours")):
        entered = sample(EnterTracking, by={"role": "carrier", "id": name})
        refused = refused_stranger(entered, PARTIES)
        assert (refused.code if refused else None) == code


@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_a_case_is_no_stranger_to_its_own(kind: type[Command]) -> None:
    assert [refused_stranger(of(kind, by), PARTIES) for by in OWN] == [None] * len(OWN)


@pytest.mark.parametrize("kind", ABOUT_NUMBERS, ids=lambda kind: kind.__name__)
def test_a_number_is_for_its_merchant_and_the_platform(kind: type[NumberCommand]) -> None:  # P2
    state = NumberState(merchant_id="m-1", order_no="o-1")
    subject = NumberSubject(scope=Scope.ORDER, id="o-1").model_dump()

    for by in (*OWN, *OTHERS, *NOBODIES):
        refused = numbers.refused_stranger(sample(kind, by=by.model_dump(), subject=subject), state)
        sees = by.role is Role.PLATFORM or (by.role is Role.MERCHANT and by.id == "m-1")
        assert numbers.may_see(by, state) == sees
        assert sees or refused is not None
    assert not numbers.may_see(OWN[0], None), "as long as nobody knows whose it is"
