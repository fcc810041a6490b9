"""What operators see of a case as it goes on: search attributes for lists, current details for its page."""

from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate

from workflows.at_start import Shown, keywords, whole_minute
from workflows.kinds.details import current_details
from workflows.kinds.stage import PASSING
from workflows.messages import search_attributes as attributes
from workflows.messages.cases import CaseView
from workflows.messages.requests import Request
from workflows.rules import bilingual


def show(view: CaseView, request: Request, customer: tuple[str, ...]) -> None:
    """Bring search attributes and current details up to date: one upsert of what differs, or none.

    ``request`` is what opened the case; ``customer`` holds the keyed hashes by which the customer is found
    (section 12).
    """
    workflow.set_current_details(current_details(view, request, bilingual.in_force()))
    if view.stage in PASSING:  # an upsert would be out of date before anybody reads it
        return
    shown = Shown(
        kind=view.kind,
        stage=view.stage,
        merchant_id=view.merchant_id,
        subject=view.order_no or view.allowance_id or "",
        attention=view.attention,
        outcome=view.outcome,
        policy=view.policy or None,
        due=view.due,
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
