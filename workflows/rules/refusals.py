"""Saying why something is refused."""

from workflows.messages.cases import Refusal


def refused(code: str, field: str, rule: str, explanation: str) -> Refusal:
    """A refusal: what programs, the sender and the rulebook call it, and one sentence without data of a person."""
    return Refusal(code=code, field=field, rule=rule, explanation=explanation)
