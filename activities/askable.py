"""Lists from our books: what a buyer or a merchant can ask for, and what can be disputed (G5, D1)."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Final, Literal, TypeVar

import asyncpg
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from activities.gateways.limits import Limits
from activities.postgres import matters, order_payments, orders, pieces
from activities.postgres.connection import Connection
from activities.postgres.page_keys import PageKey, PageKeyText
from activities.postgres.payable import not_taken
from activities.quoting import Asking, quotes_of
from workflows.kinds.askable import (
    Listed,
    ListedOrder,
    disputable,
    disputable_order,
    in_short,
    request_about,
    request_for,
)
from workflows.kinds.quoting import BY_BUYER, BY_MERCHANT
from workflows.messages.actors import Actor, Role
from workflows.messages.askable import AskablePage, DisputableCase, DisputableOrder, DisputablePage
from workflows.messages.message import Identifier
from workflows.messages.orders import OrderFacts
from workflows.messages.policy import Policy
from workflows.messages.requests import DisputeRequest
from workflows.messages.stages import CaseKind
from workflows.rules.dispute import DISPUTABLE
from workflows.rules.reasons import catalogue

MOST: Final = 50
"""So many orders or cases a page has at most."""

_OF_LINES: Final = DISPUTABLE - {CaseKind.LATE_SHIPMENT}
"""Kinds of case in which a buyer has asked for something of an order."""

PolicyNow = Callable[[str], Policy | None]
Shown = TypeVar("Shown", DisputableCase, DisputableOrder)


class _Own(BaseModel):
    """Whose list it is, and which page of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    whose: Actor
    """A buyer or a merchant, for its own orders and cases."""
    merchant_id: Identifier | None = None
    """Of a buyer: only those with this merchant."""
    buyer_id: Identifier | None = None
    """Of a merchant: only those of this buyer."""
    after: PageKeyText | None = None
    """The page after the one that gave this key as its ``next``; the rest of the query must be the same."""
    limit: Annotated[int, Field(ge=1, le=MOST)] = 20

    @field_validator("whose")
    @classmethod
    def _a_party(cls, whose: Actor) -> Actor:
        if whose.role not in (Role.BUYER, Role.MERCHANT):
            raise ValueError("only a buyer and a merchant ask for something (section 12)")
        return whose

    @field_validator("merchant_id", "buyer_id")
    @classmethod
    def _no_other(cls, identifier: str | None, info: ValidationInfo) -> str | None:
        whose: Actor | None = info.data.get("whose")
        if whose and identifier and info.field_name == f"{whose.role}_id" and identifier != whose.id:
            raise ValueError("is not whose list it is (section 12)")
        return identifier

    @property
    def merchant(self) -> str | None:
        """Only with this merchant."""
        return self.whose.id if self.whose.role is Role.MERCHANT else self.merchant_id

    @property
    def buyer(self) -> str | None:
        """Only of this buyer."""
        return self.whose.id if self.whose.role is Role.BUYER else self.buyer_id

    @property
    def place(self) -> PageKey | None:
        """Behind which the page begins."""
        return PageKey.parse(self.after) if self.after else None


class AskableQuery(_Own):
    """Orders, the latest paid first, with what may be asked for on each: by the buyer (R4, T1), or merchant (R9)."""

    goods_received: bool | None = None
    """Whether the buyer says that it has the goods, which refunds without goods depend on (G1)."""


class DisputableQuery(_Own):
    """Cases that a buyer has asked for something with, and orders without one, and whether they can be disputed."""

    order_no: Identifier | None = None
    only: Literal["cases", "orders"] | None = None


async def askable(
    connection: Connection, query: AskableQuery, policies: PolicyNow, limits: Limits, at: datetime
) -> AskablePage:
    """A page of orders with their quotes in short (G5). Reads as often for many orders as for one."""
    place = query.place
    listed = await orders.page(
        connection,
        query.limit + 1,
        merchant_id=query.merchant,
        buyer_id=query.buyer,
        after=(place.rank, place.of) if place else None,
    )
    shown = listed[: query.limit]
    found = await orders.find_orders(connection, [number for _, number in shown])
    known = {number: policies(found[number].marketplace) for _, number in shown}
    asked = [(found[number], policy) for number, policy in known.items() if policy]
    asking = Asking(
        at=at,
        limits=limits,
        ways=BY_BUYER if query.whose.role is Role.BUYER else BY_MERCHANT,
        goods_received=query.goods_received,
    )
    quotes = await quotes_of(connection, asked, asking)
    return AskablePage(
        at=at,
        orders=tuple(in_short(quote, order) for quote, (order, _) in zip(quotes, asked, strict=True)),
        reasons={f"{policy.name}/{policy.version}": catalogue(policy) for _, policy in asked},
        unknown=tuple(number for number, policy in known.items() if policy is None),
        next=str(PageKey(*shown[-1])) if len(listed) > query.limit else None,
    )


async def disputable_cases(
    connection: Connection, query: DisputableQuery, policies: PolicyNow, limits: Limits, at: datetime
) -> DisputablePage:
    """A page of cases and orders, and whether each can be disputed (D1). Reads as often for many as for one."""
    rows = await _listed(connection, query)
    shown = rows[: query.limit]
    numbers = sorted({row["order_no"] for row in shown})
    found = await orders.find_orders(connection, numbers)
    others = await matters.of_orders(connection, numbers)
    holders = await pieces.holders_of(connection, numbers)
    unknown = await order_payments.payments_unknown(connection, numbers if limits.needs_charge else [])
    cases: list[DisputableCase] = []
    bare: list[DisputableOrder] = []

    def unless_its_provider_refuses(shown: Shown, request: DisputeRequest, order: OrderFacts) -> Shown:
        refusal = not_taken(limits, request, order, at, charge_known=order.order_no not in unknown)
        return shown.model_copy(update={"refusal": refusal, "until": None}) if refusal else shown

    for row in shown:
        order = found.get(row["order_no"])
        policy = policies(order.marketplace) if order else None
        if order is None or policy is None:
            continue
        if row["case_id"] is None:
            about = ListedOrder(
                order=order, policy=policy, holders=holders[order.order_no], others=others[order.order_no]
            )
            without = disputable_order(about, at)
            if without.refusal is None:
                without = unless_its_provider_refuses(without, request_about(order, policy, without), order)
            bare.append(without)
            continue
        (case,) = [each for each in others[order.order_no] if each.case_id == row["case_id"]]
        listed = Listed(
            case=case,
            closed_at=row["closed_at"],
            due_at=row["due_at"],
            order=order,
            policy=policy,
            pieces=next((each.pieces for each in holders[order.order_no] if each.case_id == case.case_id), None),
            holders=[each for each in holders[order.order_no] if each.case_id != case.case_id],
            others=tuple(each for each in others[order.order_no] if each.case_id != case.case_id),
        )
        shown_as = disputable(listed, at)
        if shown_as.refusal is None and shown_as.how == "dispute_request":
            shown_as = unless_its_provider_refuses(shown_as, request_for(listed), order)
        cases.append(shown_as)
    ends = PageKey(shown[-1]["since"], shown[-1]["of"]) if len(rows) > query.limit else None
    return DisputablePage(at=at, cases=tuple(cases), orders=tuple(bare), next=str(ends) if ends else None)


async def _listed(connection: Connection, query: DisputableQuery) -> list[asyncpg.Record]:
    """A page of rows, and one more: cases by when they were opened, and orders without one by when they were paid."""
    # Only the conditions that were asked for: the planner then sees which index answers the question.
    whose = {"merchant_id": query.merchant, "buyer_id": query.buyer, "order_no": query.order_no}
    asked = {name: value for name, value in whose.items() if value is not None}
    where = "".join(f" AND {name} = ${number}" for number, name in enumerate(asked, start=4))
    arguments: list[object] = [list(DISPUTABLE), query.limit + 1, list(_OF_LINES), *asked.values()]
    place = ""
    if query.place:
        place = f" AND (since, of) < (${len(arguments) + 1}, ${len(arguments) + 2})"
        arguments += [query.place.rank, query.place.of]
    order = "ORDER BY since DESC, of DESC LIMIT $2"
    kinds = {
        "cases": f"""
            SELECT * FROM (
                SELECT opened_at AS since, case_id AS of, case_id, order_no, due_at, closed_at FROM casebook.every_case
                WHERE kind = ANY ($1) AND order_no IS NOT NULL{where}
            ) AS each_case WHERE true{place} {order}""",  # noqa: S608 -- names of ours
        "orders": f"""
            SELECT * FROM (
                SELECT paid_at AS since, order_no AS of, NULL AS case_id, order_no, NULL::timestamptz AS due_at,
                       NULL::timestamptz AS closed_at
                FROM {orders.WITHOUT_CASE} AS without_case WHERE true{where}
            ) AS each_order WHERE true{place} {order}""",  # noqa: S608 -- names of ours
    }
    wanted = [f"({each})" for only, each in kinds.items() if query.only in (None, only)]
    both = " UNION ALL ".join(wanted)
    # Both lists of kinds are named, whatever is asked for: a statement takes no argument that it does not name.
    return await connection.fetch(
        f"SELECT * FROM ({both}) AS listed WHERE $1::text[] || $3::text[] IS NOT NULL {order}",  # noqa: S608 -- as above
        *arguments,
    )
