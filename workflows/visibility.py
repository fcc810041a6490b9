"""What operators find a case by as it goes on: its search attributes (section 12)."""

from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate

from workflows.at_start import Shown, keywords, whole_minute
from workflows.kinds.case import Case, parties_of
from workflows.kinds.stage import PASSING
from workflows.messages import search_attributes as attributes


def show(case: Case) -> None:
    """Bring search attributes up to date: one upsert of what differs, or none."""
    if case.state.stage in PASSING:  # an upsert would be out of date before anybody reads it
        return
    state, request, customer = case.state, case.request, case.opened.customer
    policy = state.policy or case.opened.policy
    shown = Shown(
        kind=state.kind,
        stage=state.stage,
        merchant_id=parties_of(request, case.opened).merchant_id,
        subject=getattr(request, "order_no", None) or getattr(request, "allowance_id", None) or "",
        attention=state.attention,
        outcome=state.outcome,
        policy=f"{policy.name}/{policy.version}" if policy else None,
        due=case.due,
        customer=customer,
    )
    present = workflow.info().typed_search_attributes
    updates: list[SearchAttributeUpdate[Any]] = [
        key.value_set(value) if value else key.value_unset()
        for key, value in keywords(shown).items()
        if present.get(key) != value
    ]
    due = whole_minute(shown.due) if shown.due else None
    if present.get(attributes.DUE) != due:
        updates.append(attributes.DUE.value_set(due) if due else attributes.DUE.value_unset())
    if tuple(present.get(attributes.CUSTOMER) or ()) != customer:
        updates.append(attributes.CUSTOMER.value_set(customer))
    if updates:
        workflow.upsert_search_attributes(updates)  # pyright: ignore[reportUnknownMemberType]
