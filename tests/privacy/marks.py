"""The demo's personal data with a mark in each kind of it, rare enough to stand nowhere by chance."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

import pytest
from pydantic import BaseModel, SecretStr

from activities.gateways.order_records import OrderRecord
from activities.postgres.loading import AllowanceRecord
from starter.demo import script, shop
from starter.demo.script import Act, Script


class Mark(StrEnum):
    """One mark for each kind of personal data."""

    NAME = "霙麤小明"
    PHONE = "19917263548"
    STREET = "鱻羴胡同七号"
    HOLDER = "犇猋户主"
    ACCOUNT = "6229917263548819"
    BANK = "龘龘支行"
    ACCOUNT_NAME = "zqxj-friend"
    REMARK = "骉骉来电约定"
    STATEMENT = "灥灥三日前签收"


Record = TypeVar("Record", bound=BaseModel)

_OF_FIELDS = {
    "name": Mark.NAME,
    "phone": Mark.PHONE,
    "street": Mark.STREET,
    "holder": Mark.HOLDER,
    "number": Mark.ACCOUNT,
    "bank": Mark.BANK,
    "account_name": Mark.ACCOUNT_NAME,
    "text": Mark.REMARK,
}


def marked(record: Record) -> Record:
    """``record`` with each of its secrets replaced by its kind's mark, or led by it where it is free text."""
    changes: dict[str, object] = {}
    for name, value in record:
        match value:
            case SecretStr():
                changes[name] = SecretStr(_OF_FIELDS[name])
            case BaseModel():
                changes[name] = marked(value)
            case _:
                continue
    return record.model_copy(update=changes)


def mark_the_demo(patch: pytest.MonkeyPatch) -> None:
    """Let the demo play with marked data."""
    orders, allowances = shop.orders, shop.allowances

    def marked_orders(start: datetime) -> tuple[OrderRecord, ...]:
        return tuple(map(marked, orders(start)))

    def marked_allowances(start: datetime) -> tuple[AllowanceRecord, ...]:
        return tuple(map(marked, allowances(start)))

    patch.setattr(shop, "orders", marked_orders)
    patch.setattr(shop, "allowances", marked_allowances)
    accounts, contacts, remarks = shop.accounts(), shop.contacts(), shop.remarks()
    patch.setattr(shop, "accounts", lambda: tuple(map(marked, accounts)))
    patch.setattr(shop, "contacts", lambda: tuple(map(marked, contacts)))
    patch.setattr(shop, "remarks", lambda: tuple(map(marked, remarks)))
    played = tuple(map(_with_marked_words, _one_of_each(script.scripts())))
    patch.setattr(script, "scripts", lambda: played)


def _one_of_each(scripts: Iterable[Script]) -> Iterator[Script]:
    """The demo's groups of cases, without those that show nothing another one has not shown.

    What personal data could get out by: a kind of case, a step, an outcome, a notice, a way to treat the money.
    """
    groups = script.groups(tuple(scripts))
    shown: set[str] = set()
    while groups:
        most = max(groups, key=lambda group: len(_shown_by(group) - shown) / len(group))
        if not (new := _shown_by(most) - shown):
            return
        shown |= new
        yield from most


def _shown_by(group: Iterable[Script]) -> set[str]:
    shown: set[str] = set()
    for each in group:
        shown |= {f"kind {each.open}", f"outcome {each.expected.outcome}", f"refused {each.expected.refused}"}
        shown |= {f"notice {notice}" for notice in each.expected.notices}
        shown |= {f"gateway {each.gateway and each.gateway.mode}", f"account {bool(each.account)}"}
        shown |= {f"step {step.act} {bool(step.says)}" for step in each.steps if isinstance(step, Act)}
    return shown


def _with_marked_words(each: Script) -> Script:
    steps = tuple(
        step.model_copy(update={"says": SecretStr(f"2026年12月1日 {Mark.STATEMENT}")})
        if isinstance(step, Act) and step.says
        else step
        for step in each.steps
    )
    return each.model_copy(update={"steps": steps})
