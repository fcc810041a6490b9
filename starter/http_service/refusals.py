"""What is answered where a request is not taken: a status, and which field and rule it is about. Nothing is quoted."""

import json
from typing import Final

from aiohttp import web
from pydantic import ValidationError

from starter.errors import RefusedRequest
from starter.http_service.answers import Problem
from starter.stated_requests import malformed
from workflows.messages.cases import Refusal
from workflows.messages.problems import problems

WHO: Final = web.RequestKey("who", str)
"""Who bears the token of a request: the role and the subject."""


class NotTaken(Exception):  # noqa: N818 -- named after what happened
    """A request is refused; ``reason`` is one sentence of ours."""

    def __init__(self, status: int, reason: str, **headers: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def answered(refused: NotTaken) -> web.Response:
    """The response to a request that was not taken."""
    return web.Response(
        status=refused.status,
        text=json.dumps({"error": refused.reason}),
        content_type="application/json",
        headers=refused.headers,
    )


def refusals_of(error: ValidationError | RefusedRequest, rule: str) -> list[Problem]:
    """Each field that is wrong, why, and under which rule; ``rule`` where the reason names none."""
    if isinstance(error, RefusedRequest):
        return [_told(error.refusal, rule)]
    return [_told(malformed(each.field, each.reason).refusal, rule) for each in problems(error)]


def _told(refusal: Refusal, rule: str) -> Problem:
    named = rule if refusal.rule == "section 11" else refusal.rule
    return {"code": refusal.code, "field": refusal.field, "rule": named, "reason": refusal.explanation}
