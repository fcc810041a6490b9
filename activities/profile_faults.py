"""What is wrong with a policy profile, field by field, with its rule: for whoever writes the file (section 2)."""

import difflib
from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from workflows.messages.evidence import MediaType
from workflows.messages.policy import Arrival, Policy

_RULES: Final = {
    "refund": "R1 to R8",
    "cancellation": "R3",
    "merchant_refund": "R9",
    "withdrawal": "A3",
    "returns": "T1 to T11",
    "dispute": "D1 to D9",
    "late_shipment": "L1 to L3",
    "price_protection": "B1 to B3",
    "resend": "C1 to C6",
    "repair": "M1 to M5",
    "limits": "R16, R18",
    "decisions": "R11",
    "silence": "G3",
    "windows": "G2",
    "place": "G6",
    "confirms_receipt": "G6",
    "ladder": "L4",
    "reasons": "G1",
    "negotiation": "N1 to N5",
    "payment": "R5",
    "standing_orders": "G4",
}
"""Of each part of a profile."""
_MOST_TOLD: Final = 5
_REMINDERS: Final = (
    ("refund.reminder_hours", "refund.unshipped_review_hours", "R1"),
    ("refund.reminder_hours", "refund.shipped_review_hours", "R2"),
    ("withdrawal.reminder_hours", "withdrawal.retention_hours", "A3"),
    ("returns.reminder_hours", "returns.review_hours", "T1"),
    ("dispute.evidence_reminder_hours", "dispute.evidence_hours", "D4"),
    ("late_shipment.reminder_hours", "late_shipment.review_hours", "L2"),
    ("price_protection.reminder_hours", "price_protection.review_hours", "B3"),
    ("resend.reminder_hours", "resend.review_hours", "C2"),
    ("resend.reminder_hours", "resend.ship_hours", "C3"),
    ("returns.reminder_hours", "returns.reship_hours", "T8"),
    ("repair.reminder_hours", "repair.review_hours", "M2"),
)
"""Which reminder belongs to which deadline."""
_OF_PHONES: Final = (MediaType.JPEG, MediaType.HEIC, MediaType.MP4, MediaType.MOV)
_MEANS: Final = ("wallet", "debit_card", "credit_card", "bank_transfer")
_POLLS: Final = (
    ("refund.first_room_poll_seconds", "refund.longest_room_poll_minutes", 60, "R8"),
    ("payment.first_poll_minutes", "payment.longest_poll_hours", 60, "section 10"),
)
"""The first wait, the longest one, and how many units of the first are one of the other."""


def faults_in_words(error: ValidationError) -> str:
    """What does not fit, fields that there are not first: where one is misspelt, another one is missing for it."""
    found = error.errors(include_input=False, include_url=False)
    found.sort(key=lambda each: each["type"] != "extra_forbidden")
    told = "; ".join(_fault(each) for each in found[:_MOST_TOLD])
    more = len(found) - _MOST_TOLD
    return f"{told}; and {more} more" if more > 0 else told


def contradictions(policy: Policy) -> str:
    """The values that do not go together, though each of them is possible; empty where all do."""
    return "; ".join(
        (*_hours_that_never_open(policy), *_too_early(policy), *_backwards(policy), *_polls(policy), *_phones(policy))
    )


def _hours_that_never_open(policy: Policy) -> Iterator[str]:
    if policy.place.opens >= policy.place.closes:
        yield "place.opens: must be before place.closes, or no working hour ever comes (G6)"


def _too_early(policy: Policy) -> Iterator[str]:
    """The reminders that would have to go before their time begins, and so never go."""
    for reminder, deadline, rule in _REMINDERS:
        if _value(policy, reminder) > _value(policy, deadline):
            yield f"{reminder}: must not be more than {deadline}, or nobody is reminded ({rule})"
    if policy.repair.reminder_hours > policy.repair.repair_days * 24 + policy.repair.ship_hours:
        longest = "repair.repair_days and repair.ship_hours together"
        yield f"repair.reminder_hours: must not be more than {longest}, or nobody is reminded (M3)"


def _backwards(policy: Policy) -> Iterator[str]:
    for means in _MEANS:
        arrival: Arrival = getattr(policy.payment, means)
        if arrival.earliest_working_days > arrival.latest_working_days:
            yield f"payment.{means}.earliest_working_days: must not be more than latest_working_days (R5)"


def _polls(policy: Policy) -> Iterator[str]:
    for first, longest, units, rule in _POLLS:
        if _value(policy, first) > _value(policy, longest) * units:
            yield f"{first}: must not be longer than {longest} ({rule})"


def _phones(policy: Policy) -> Iterator[str]:
    taken = policy.dispute.media_types
    if missing := [each for each in _OF_PHONES if taken and each not in taken]:
        yield f"dispute.media_types: {', '.join(missing)} must be there, for phones make it (D6)"


def _value(policy: Policy, path: str) -> int:
    part, field = path.split(".")
    return getattr(getattr(policy, part), field)


def _fault(found: Any) -> str:
    location = found["loc"]
    field = ".".join(map(str, location)) or "the profile"
    rule = _RULES.get(str(location[0]) if location else "", "section 2")
    match found["type"]:
        case "extra_forbidden":
            near = difflib.get_close_matches(str(location[-1]), sorted(set(_fields(Policy))), n=1)
            said = "there is no such field" + (f"; perhaps {near[0]} is meant" if near else "")
        case "missing":
            said = "is missing"
        case _:
            said = str(found["msg"]).removeprefix("Value error, ").replace("Input should be", "must be", 1)
    return f"{field}: {said}" if said.endswith(")") else f"{field}: {said} ({rule})"


def _fields(kind: type[BaseModel]) -> Iterator[str]:
    for name, field in kind.model_fields.items():
        yield name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _fields(field.annotation)
