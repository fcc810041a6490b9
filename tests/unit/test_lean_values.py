"""What is kept of values for weeks: which fields were stated is kept once, and says what it said before."""

from datetime import UTC, datetime

import pytest

from workflows.messages.actors import CLOCK, Actor, Role
from workflows.messages.cases import LogEntry
from workflows.messages.message import lean
from workflows.messages.orders import OrderFacts
from workflows.messages.reading import read_own_json

PAID_AT = datetime(2026, 3, 2, 2, tzinfo=UTC)
ORDER = b"""{"order_no": "O-1", "marketplace": "douyin", "merchant_id": "M-1", "buyer_id": "B-1", "currency": "CNY",
"lines": [{"line": "1", "sku": "a", "quantity": 1, "paid": 5}], "freight": 0,
"tenders": [{"tender": "t", "kind": "wallet", "paid": 5}], "paid_at": "2026-03-02T02:00:00Z"}"""


def test_values_that_were_read_alike_share_what_was_stated() -> None:
    one, other = (lean(read_own_json(OrderFacts, ORDER)) for _ in range(2))

    assert one.model_fields_set is other.model_fields_set
    assert one.lines[0].model_fields_set is other.lines[0].model_fields_set
    assert one == read_own_json(OrderFacts, ORDER)
    assert one.model_fields_set == read_own_json(OrderFacts, ORDER).model_fields_set


def test_a_copy_shares_it_too_and_leaves_the_original_as_it_was() -> None:
    actor = Actor.made_of(role=Role.BUYER, id="B-1")
    order = lean(read_own_json(OrderFacts, ORDER))

    assert actor.model_copy(update={"id": "B-2"}).model_fields_set is actor.model_fields_set
    shipped = order.model_copy(update={"shipped_at": order.paid_at})
    assert shipped.model_fields_set == {*order.model_fields_set, "shipped_at"}
    assert "shipped_at" not in order.model_fields_set


def test_what_is_made_unchecked_has_all_of_its_fields() -> None:
    made = LogEntry.made_of(facts={"version": 1}, event="opened", by=CLOCK, rule="R4", at=PAID_AT)
    checked = LogEntry(event="opened", by=CLOCK, rule="R4", at=PAID_AT, facts={"version": 1})

    assert made == checked
    assert made.model_dump_json() == checked.model_dump_json()
    assert made.model_fields_set == checked.model_fields_set


def test_what_is_made_unchecked_states_what_has_no_default_or_one_that_is_made_anew() -> None:
    with pytest.raises(TypeError, match="LogEntry is made with rule, facts"):
        LogEntry.made_of(event="opened", by=CLOCK, at=PAID_AT)
