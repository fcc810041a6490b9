"""What one release of ours has written, an older and a newer one can read.

What a party or a service sends is another matter: there an unknown field is refused, at whatever depth.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final, cast, get_args

import pytest
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import to_jsonable_python
from temporalio.api.common.v1 import Payload
from temporalio.exceptions import ApplicationError

from activities.policies import Policies
from starter.callbacks_as_sent import as_sent
from starter.contract.workflows import contracts
from tests.contract import required_fields
from tests.contract.histories import activities, written_in
from tests.contract.models import MODELS
from tests.contract.samples import Made, full_sample
from tests.replay import recorded
from workflows.messages.actors import CLOCK, merchant, officer
from workflows.messages.cases import CaseKey, CaseView, Refusal
from workflows.messages.commands import (
    Approve,
    CaseSettled,
    Command,
    DisputeIntervened,
    GatewayCallback,
    PausesChanged,
    RulingTold,
)
from workflows.messages.converter import MessageConverter, ShowingConverter
from workflows.messages.message import NO_DIGEST, Input
from workflows.messages.openings import OpenCase
from workflows.messages.payouts import Payout
from workflows.messages.policy import PaymentPolicy
from workflows.messages.reading import read_json, read_own, read_own_json
from workflows.messages.requests import BankTransfer, LateShipmentRequest, Request
from workflows.messages.stages import StageName
from workflows.messages.words import Word
from workflows.rules.admission import fingerprint, read
from workflows.starts import read_start

ROOT: Final = Path(__file__).parents[2]
PREVIOUS: Final = Path(__file__).parent / "written" / "previous.txt"
"""A message a line: its name, and the JSON that the release before this one has written."""

ADDED: Final = "added_tomorrow"
OURS: Final = "run_id"
"""The name of a field of ours, of a message that nobody sends."""

_AT: Final = datetime(2026, 3, 2, tzinfo=UTC)
_LATE: Final = LateShipmentRequest(order_no="o", merchant_id="m", buyer_id="b", ships_until=_AT)
_OFFICER: Final = {"by": officer("o-1")}
_WINDOW: Final = {**_OFFICER, "starts_at": _AT, "ends_at": _AT + timedelta(days=1)}
_POLICY: Final = Policies().get("douyin")
assert _POLICY
_MERCHANT: Final = {"merchant_id": "m", "by": {"role": "merchant", "id": "m"}}
BY_HAND: Final[Mapping[str, Mapping[str, Any]]] = {
    **dict.fromkeys(
        ("AddRemark", "SetFlag", "_Marking", "BuyQuota", "Reveal", "StartExport", "StartOrderExport"), _OFFICER
    ),
    **dict.fromkeys(("Declaration", "DeclareExemption", "DeclarePause"), _WINDOW),
    "LiftPause": _OFFICER,
    "DemandEvidence": {"of": ["buyer", "merchant"]},
    "DisputeRequest": {"compensation": 0},
    "LateShipmentPolicy": {"fixed": None},
    "OpenCase": {"request": LateShipmentRequest(order_no="o", merchant_id="m", buyer_id="b", ships_until=_AT)},
    "OpenedBy": {"request": LateShipmentRequest(order_no="o", merchant_id="m", buyer_id="b", ships_until=_AT)},
    "Policy": dict(_POLICY),
    "PriceProtectionRequest": {
        "freight": 0,
        "lines": [{"line": "L1", "quantity": 1, "amount": 100}],
        "falls": [{"line": "L1", "price": 900, "fell_at": _AT}],
        "reason": "price_adjustment",
    },
    "RepairRequest": {"freight": 0},
    "ResendRequest": {"freight": 0, "parts": []},
    "ReturnAgreed": {"clauses": "no_ems"},
    "ReturnPolicy": dict(_POLICY.returns),
    "ReturnRequest": {"exchange": True},
    "StandingOrder": {"kinds": ["return"], "does": "refund_without_return"},
    **dict.fromkeys(("SetStandingOrder", "EndStandingOrder", "_OfMerchant"), _MERCHANT),
}
"""What no schema tells."""

ADD_A_DEFAULT: Final = (
    "an older release does not write it, and what it wrote cannot be read any more: give the field a default that "
    "means what was so before there was the field"
)
KEEP_FOR_A_RELEASE: Final = (
    "the release before this one demands it: give the field a default and go on writing it, and take it away one "
    "release later"
)


def made(kind: type[Made]) -> Made:
    return full_sample(kind, **BY_HAND.get(kind.__name__, {}))


def named(model: type[BaseModel]) -> str:
    return model.__name__


def plain(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else to_jsonable_python(value)


def as_json(value: Any, leaf: Callable[[Any], Any] = plain, more: Mapping[str, Any] | None = None) -> Any:
    """A message as JSON, its secrets readable; with ``more`` fields in each message, at every depth."""
    match value:
        case BaseModel():
            return {name: as_json(each, leaf, more) for name, each in value} | dict(more or {})
        case tuple():
            return [as_json(each, leaf, more) for each in cast("tuple[Any, ...]", value)]
        case dict():
            return {plain(name): as_json(each, leaf, more) for name, each in cast("dict[Any, Any]", value).items()}
        case _:
            return leaf(value)


def of_tomorrow(value: BaseModel) -> Any:
    return as_json(value, more={ADDED: {"why": "we will see", "how_often": [1, None]}})


def payload(value: Any) -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(value).encode())


def through_temporal(kind: Any, value: Any) -> Any:
    (found,) = MessageConverter().from_payloads([payload(value)], [kind])
    return found


@cache
def recorded_values() -> tuple[BaseModel, ...]:
    """Those of each type in today's histories that say the most."""
    found: dict[Any, Any] = {}
    for each in sorted(written_in(recorded.FOLDER), key=lambda written: len(json.dumps(written.value))):
        found[each.type] = each.value
    return tuple(read_own_json(kind, json.dumps(value)) for kind, value in found.items())


@cache
def some() -> CaseView:
    return made(CaseView)


@cache
def values() -> tuple[BaseModel, ...]:
    """Of every type something; not made when the file is loaded, which every process does."""
    key = CaseKey(case_id="refund/o/k", run_id="r")
    openings = (OpenCase(case=key, at=some().opened_at, request=made(kind)) for kind in get_args(Request))
    return (*recorded_values(), *(made(kind) for kind in MODELS), *openings)


# Our own processes, of different releases


def test_what_a_newer_release_has_written_is_read_as_far_as_it_is_known() -> None:
    assert len(values()) > 300
    for value in values():
        newer = of_tomorrow(value)
        assert ADDED in newer

        assert through_temporal(type(value), newer) == value, type(value)
        assert read_own(type(value), newer) == value, type(value)


def test_every_type_that_activities_take_and_give_is_among_them() -> None:
    messages = {each for pair in activities().values() for each in pair if each is not type(None)}

    assert {each.__name__ for each in messages} <= {type(value).__name__ for value in values()}


def test_what_this_release_has_recorded_is_read_as_it_was_written() -> None:
    for each in written_in(recorded.FOLDER):
        known = read_own_json(each.type, json.dumps(each.value))
        assert as_written(known.model_dump(mode="json"), each.value) == each.value, each.where


@pytest.mark.parametrize("line", PREVIOUS.read_text(encoding="utf-8").splitlines(), ids=lambda line: line.split()[0])
def test_what_the_release_before_has_written_is_read(line: str) -> None:
    name, _, text = line.partition(" ")
    kind = next(each for each in MODELS if each.__name__ == name)
    older = json.loads(text)

    known = through_temporal(kind, older)

    assert as_written(known.model_dump(mode="json"), older) == older
    assert read_own_json(kind, known.model_dump_json()) == known


def as_written(known: Any, written: Any) -> Any:
    """``known`` without what the writer did not know: fields that have been added since."""
    match known, written:
        case dict(), dict():
            fields = cast("dict[str, Any]", written)
            return {name: as_written(known[name], each) for name, each in fields.items() if name in known}
        case list(), list():
            pairs = zip(cast("list[Any]", known), cast("list[Any]", written), strict=True)
            return [as_written(*pair) for pair in pairs]
        case _:
            return known


def test_what_was_checked_when_it_came_is_not_checked_again_by_later_rules() -> None:
    given = {"uri": "vault:e/1", "media_type": "image/png", "bytes": 1, "sha256": NO_DIGEST}
    step = {"key": "k", "by": {"role": "buyer", "id": "b"}, "attachments": [given]}
    evidence = next(each for each in MODELS if each.__name__ == "EvidenceGiven")

    assert read_own(evidence, step)
    with pytest.raises(ValidationError, match="placeholder"):
        read_json(evidence, json.dumps(step))


def test_a_message_that_is_known_demands_nothing_more() -> None:
    before, now = required_fields.kept(), required_fields.required()

    assert len(now) == len(MODELS), "two messages have one name"
    more = [f"{name}.{each}" for name in now.keys() & before for each in now[name] if each not in before[name]]
    assert more == [], ADD_A_DEFAULT


def test_a_field_that_the_release_before_demands_is_still_written() -> None:
    fields = {each.__name__: each.model_fields for each in MODELS}
    before = required_fields.kept()

    gone = [f"{name}.{each}" for name in before.keys() & fields for each in before[name] if each not in fields[name]]
    assert gone == [], KEEP_FOR_A_RELEASE


def test_what_is_demanded_is_written_down() -> None:
    before = required_fields.kept()

    assert before == required_fields.written(before, required_fields.required()), "run make docs"


def test_writing_it_down_hides_nothing() -> None:
    before, now = {"Step": ["at", "case"]}, {"Step": ["case", "new"], "Made": ["key"]}

    assert required_fields.written(before, now) == {"Step": ["case"], "Made": ["key"]}


def test_the_same_command_has_one_fingerprint_in_all_releases() -> None:  # section 11
    class Tomorrow(Approve):
        added: int = 0

        @classmethod
        def command_name(cls) -> str:
            return Approve.command_name()

    told = fingerprint(Approve(key="k", by=merchant("m-1")))

    assert told == fingerprint(Tomorrow(key="k", by=merchant("m-1")))
    assert told != fingerprint(Tomorrow(key="k", by=merchant("m-1"), added=1))


@pytest.mark.parametrize(
    "told",
    [
        PausesChanged(key="k", by=officer("o"), window="w"),
        DisputeIntervened(key="k", by=CLOCK),
        CaseSettled(key="k", by=CLOCK),
    ],
    ids=lambda told: type(told).__name__,
)
def test_what_workflows_tell_each_other_is_taken_from_a_newer_one(told: Command) -> None:
    assert read((of_tomorrow(told),), type(told)) == told


def test_a_callback_of_our_amount_is_read_by_the_release_before() -> None:  # X3
    """Its cases stay open on their old workers for weeks; they refuse a field that they do not know."""
    lines = (line.partition(" ") for line in PREVIOUS.read_text(encoding="utf-8").splitlines())
    known_before = next(json.loads(text) for name, _, text in lines if name == "GatewayCallback")
    told = made(GatewayCallback).model_copy(update={"attempt": None, "raw": None, "amount": 5_900})

    said = {name for name, value in as_json(as_sent(told, 5_900)).items() if value is not None}

    assert said <= known_before.keys() | {"case"}
    assert as_sent(told, 6_000) == told, "what is about another refund says so"


@pytest.mark.parametrize("contract", contracts(), ids=lambda contract: contract.name)
def test_what_a_workflow_starts_or_goes_on_with_is_taken_from_a_newer_one(contract: Any) -> None:
    start = made(contract.request)

    assert read_start((of_tomorrow(start),), contract.request, own=True) == start


OUR_OWN_JSON: Final = [
    each
    for each in sorted((ROOT / "activities").rglob("*.py"))
    if each.parent.name != "gateways" or "stub" in each.stem
]
"""Modules that may read what we have kept; adapters read what providers say."""


def test_json_of_the_database_is_read_as_our_own() -> None:
    strict = re.compile(r"model_validate_json[(]|model_validate[(](row|job)\[")
    found = [file.name for file in OUR_OWN_JSON if strict.search(file.read_text(encoding="utf-8"))]

    assert found == [], "read_own or read_own_json reads it"


# Words that a newer release has added


def test_a_request_of_a_kind_that_is_not_known_is_taken_for_no_other() -> None:
    opening = next(each for each in values() if isinstance(each, OpenCase))
    newer = of_tomorrow(opening) | {"request_type": "PriceProtectionRequest"}

    with pytest.raises(ValidationError, match="a kind that is not known here"):
        through_temporal(OpenCase, newer)


def test_who_pays_does_not_guess_at_a_method_of_payment_that_it_does_not_know() -> None:
    payout = next(each for each in values() if isinstance(each, Payout))
    newer = of_tomorrow(payout) | {"method": {"route": "cheque", "account": "vault:bank-account/1"}}

    with pytest.raises(ValidationError, match="route"):
        through_temporal(Payout, newer)


@pytest.mark.parametrize("kind", ["CaseView", "Outcome", "NumberView", "ExportRow", "Statement", "FlagChange"])
def test_a_word_that_is_not_known_is_shown_as_written_and_decides_nothing(kind: str) -> None:
    value = next(each for each in reversed(values()) if type(each).__name__ == kind)
    newer = as_json(value, new_word)
    with pytest.raises(ValidationError):
        through_temporal(type(value), newer)

    (shown,) = ShowingConverter().from_payloads([payload(newer)], [type(value)])

    assert as_json(shown) == newer


def test_an_unknown_word_is_none_of_ours() -> None:
    (stage,) = ShowingConverter().from_payloads([payload("fraud_review")], [StageName])

    assert (stage, str(stage), f"{stage}") == ("fraud_review",) * 3
    assert stage not in set(StageName)
    assert stage is not StageName.CLOSED
    assert some().model_copy(update={"stage": stage}).model_dump(mode="json")["stage"] == "fraud_review"
    with pytest.raises(ValueError, match="fraud_review"):
        StageName("fraud_review")


def new_word(value: Any) -> Any:
    """In the place of a word of a closed list one that this release does not know."""
    return f"new_{value.value}" if isinstance(value, Word) else plain(value)


# Parties and services


def unknown_at_every_depth(value: Any, name: str, way: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """The message as JSON with one unknown field in one place, and that place; one after the other."""
    match value:
        case BaseModel():
            yield ".".join((*way, name)), known(value) | {name: "x"}
            for field, each in value:
                for place, changed in unknown_at_every_depth(each, name, (*way, field)):
                    yield place, known(value) | {field: changed}
        case tuple():
            items = cast("tuple[Any, ...]", value)
            for number, each in enumerate(items):
                for place, changed in unknown_at_every_depth(each, name, (*way, str(number))):
                    yield place, [*known(items[:number]), changed, *known(items[number + 1 :])]
        case _:
            return


def known(value: Any) -> Any:
    return to_jsonable_python(value)


REQUESTS: Final = {each.request for each in contracts()}
COMMANDS: Final = {each.takes for one in contracts() for each in one.updates.values() if each.takes} - {
    PausesChanged,
    DisputeIntervened,
    RulingTold,
    CaseSettled,
}


@pytest.mark.parametrize("kind", sorted(REQUESTS, key=named), ids=named)
def test_a_request_with_an_unknown_field_is_refused_at_every_depth(kind: type[BaseModel]) -> None:
    for place, sent in unknown_at_every_depth(made(kind), OURS):
        with pytest.raises(ApplicationError, match=f"{place}: this field does not belong here"):
            read_start((sent,), kind)
    for place, sent in unknown_at_every_depth(made(kind), ADDED):
        with pytest.raises(ApplicationError, match=f"{place.removesuffix(ADDED)}[?]: there is no field of this name"):
            read_start((sent,), kind)


@pytest.mark.parametrize("kind", sorted(COMMANDS, key=named), ids=named)
def test_a_command_with_an_unknown_field_is_refused_at_every_depth(kind: type[Command]) -> None:
    for place, sent in unknown_at_every_depth(made(kind), OURS):
        refused = read((sent,), kind)
        assert isinstance(refused, Refusal)
        assert (refused.field, refused.explanation) == (place, "this field does not belong here")


@pytest.mark.parametrize("kind", [PaymentPolicy, BankTransfer], ids=named)
def test_what_stands_in_a_file_or_is_made_here_is_read_strictly(kind: type[Input]) -> None:
    with pytest.raises(ValidationError, match=ADDED):
        kind.model_validate(known(made(kind)) | {ADDED: 1})
