"""Which of our statements a distributed database would ask of every node: docs/capacity.md, and no other.

One that names a case, an order, a fund or another key of one merchant stays on that merchant's node once its caller
passes the merchant on, which it knows; one that names none, or a list of them, goes to all.
"""

from collections import defaultdict
from collections.abc import Mapping

import asyncpg
import pytest_asyncio

from tests.storage.our_statements import Statement, asked_of_all, statements
from tests.storage.test_distribution import told

KEYS = {
    *("merchant_id", "case_id", "about", "order_no", "fund", "refund_no", "allowance_id", "campaign_id", "claim"),
    *("export", "reference", "subject"),
}
"""Columns of which one value belongs to one merchant."""

ACROSS: Mapping[str, set[str]] = {
    "the platform's lists, counts and gauges are of all merchants": {
        *("alerts.open_alerts", "alerts.resolve_alert", "open_counts.STATEMENT", "outbox.given_up"),
        *("overdue.PAST_DEADLINE", "overdue.PAYING_TOO_LONG", "repeated_attempts.suspects", "standing._WAITING"),
        *("work_lists.page_sql", "work_lists.counts_sql"),
    },
    "a round goes over whatever is due, or open": {
        *("allowances.valid", "bindings.bound_subjects", "case_rows.open_cases_beginning"),
        *(
            "case_rows.clocks_sql",
            "orders.ships_later",
            "orders.unshipped",
            "outbox.mark",
            "outbox.take",
            "parcels.watchers",
        ),
        *("resuming.open_cases", "resuming.reached", "resuming.waiting_for_disputes"),
    },
    "both books are compared with each other, with a provider's statement, or after a restore": {
        *("statement_days.legs_of", "statement_days.next_day", "statement_days.open_too_long"),
        *("statement_days.reserved_on", "statement_days.stated", "statement_days.unstated"),
        *("whole_ledger.overpaid", "whole_ledger.page"),
        *("wholeness.QUESTIONS", "wholeness._LOG_OF", "wholeness.ask", "wholeness.keys_of_texts"),
    },
    "a person is known to several merchants: forgetting one, and keys that are replaced": {
        *("bindings.subjects_of_orders", "erasure._SEALED", "erasure._SEARCHABLE", "erasure._attachments_elsewhere"),
        *("erasure.forget", "flags.buyer_known", "orders.all_of_buyer", "renewal._hash_anew", "renewal._seal_anew"),
    },
    "a buyer's own, or what somebody of staff has looked at, is of several merchants": {
        *("askable._listed", "orders.page", "looks.seen_lately", "looks.try_again_at", "looks.under_key"),
    },
    "a list of cases, orders or funds: of one merchant, whom the caller would have to name": {
        *("campaigns.find_all", "dossiers.dossier", "flags.counted_remarks", "ledger.retire", "ledger.settled_of"),
        *("matters.of_orders", "order_payments.payments_unknown", "orders.find_orders", "orders.moments"),
        *("orders.parties", "owed_once.claimed", "pieces.holders_of", "returned._first_paid"),
        "vault.recipients",
    },
    "one payment may be of several orders": {"instructions._charge"},
    "past cases of a profile are told again under other rules": {
        *("past_cases._legs", "past_cases._lines", "past_cases._parcels", "past_cases.profile_of"),
        *("past_cases.stories", "past_cases.subjects"),
    },
    "a month of closed cases is written away, or read back": {
        *("archives.cases_after", "archives.counted", "archives.put_back"),
    },
    "whether orders can be read at all": {"orders.ping"},
    "none: what is composed names the case, the order or the merchant": {
        *("addresses._SELECT", "case_rows._rows", "flags.set_flag", "log_lines.insertion", "orders._mark"),
        *("outbox.insertion", "returned._counted"),
    },
}
"""Statements that go to all nodes, or are composed of what only their callers know, by the reason why that is so."""


@pytest_asyncio.fixture(loop_scope="session")
async def across(own_database: str) -> dict[str, set[str]]:
    """The tables that each statement asks of all nodes; none named where nobody can tell."""
    connection = await asyncpg.connect(own_database)
    columns = await connection.fetch(
        """
        SELECT table_schema || '.' || table_name AS name, array_agg(column_name::text) AS columns
        FROM information_schema.columns GROUP BY 1
        """
    )
    of_table = {row["name"]: set(row["columns"]) for row in columns}
    split = {table for table, place in told().items() if place == "by merchant" or place.startswith("first")}
    keys = {table: KEYS & of_table[table] for table in split}
    found: defaultdict[str, set[str]] = defaultdict(set)
    for each in statements():
        if each.sql is None:
            found[each.where] |= set()
        elif "keystore." not in each.sql and (tables := await asked_of_all(connection, each.sql, keys)):
            found[each.where] |= tables
    await connection.close()
    return found


async def test_no_other_statement_goes_to_all_nodes(across: dict[str, set[str]]) -> None:
    listed = set[str]().union(*ACROSS.values())

    assert {where: tables for where, tables in across.items() if where not in listed} == {}, "give a reason, or a key"
    assert listed - across.keys() == set(), "they go to one node now"


def test_most_are_read() -> None:
    found = list(statements())

    assert len(found) > 300
    assert len([each for each in found if each.sql is None]) < 40


async def test_a_key_binds_and_so_does_a_join_with_what_is_bound(own_database: str) -> None:
    keys = {"casebook.cases": {"case_id"}, "casebook.log": {"case_id"}}
    connection = await asyncpg.connect(own_database)

    async def asks(sql: str) -> set[str]:
        return await asked_of_all(connection, sql, keys)

    joined = "SELECT 1 FROM casebook.cases JOIN casebook.log USING (case_id)"
    assert await asks(f"{joined} WHERE cases.case_id = $1") == set()
    assert await asks(f"{joined} WHERE log.case_id = $1 AND cases.step > $2") == set()
    assert await asks(joined) == keys.keys()
    assert await asks("UPDATE casebook.cases SET step = 1 WHERE buyer_id = $1") == {"casebook.cases"}
    assert await asks("SELECT 1 FROM casebook.cases WHERE case_id = ANY ($1)") == {"casebook.cases"}
    assert await asks("SELECT 1 FROM casebook.whole_case WHERE case_id = $1") == set()
    await connection.close()


def test_a_statement_is_found_where_it_stands_and_as_it_is_composed() -> None:
    found: defaultdict[str, list[Statement]] = defaultdict(list)
    for each in statements():
        found[each.where].append(each)

    assert "casebook.cases" in str(found["overdue.PAST_DEADLINE"][0].sql)
    assert [each.sql for each in found["work_lists.page_sql"]] == [None]
