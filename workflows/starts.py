"""A workflow's start, read by the workflow itself: one that cannot be read ends it with an error that says why.

What a service has sent is read strictly. What a workflow of ours has written, which starts a child or goes on in its
next run, may be of a newer release: there an unknown field is passed over.

What the SDK cannot decode or hand on (no argument, two, none of JSON) fails the workflow *task*, which is tried again
for ever while the id is taken. Anybody who may start workflows can send such a thing, and generated clients do.
"""

import inspect
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, get_type_hints

from pydantic import BaseModel, ValidationError
from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows.messages.problems import UNREADABLE, Problem, problems, said
from workflows.messages.reading import read_json, read_own_json
from workflows.messages.unreadable import Unreadable

Started = TypeVar("Started", bound=type[Any])


def reads_its_start(started: Started) -> Started:
    """Let a workflow take in whatever it is started with, and read it as the one message that ``run`` declares.

    To stand below ``workflow.defn``. The message's type is kept as ``started_with``. Where the start cannot be read,
    the object has no state but the error, as ``unreadable``: handlers may be called before ``run`` raises it.
    """
    return _reading(started, _written_by_us)


def reads_our_start(started: Started) -> Started:
    """The same for a workflow that nobody starts but we ourselves."""
    return _reading(started, lambda: True)


def _written_by_us() -> bool:
    info = workflow.info()
    return info.parent is not None or info.continued_run_id is not None


def _reading(started: Started, own: Callable[[], bool]) -> Started:
    run: Callable[[Any, BaseModel], Awaitable[object]] = started.run
    hints = get_type_hints(run)
    _, parameter = inspect.signature(run).parameters
    kind: type[BaseModel] = hints[parameter]
    original: Callable[..., None] = started.__init__
    takes_it = hasattr(original, "__temporal_workflow_init")

    def __init__(self: Any, *sent: object) -> None:  # noqa: N807 -- it becomes the method
        try:
            self.started_by = read_start(sent, kind, own=own())
        except ApplicationError as error:
            self.unreadable = error
        else:
            original(self, *((self.started_by,) if takes_it else ()))

    async def begin(self: Any, *sent: object) -> object:
        del sent
        if self.unreadable:
            raise self.unreadable
        return await run(self, self.started_by)

    for made, name in ((__init__, "__init__"), (begin, "run")):
        made.__name__, made.__qualname__ = name, f"{started.__name__}.{name}"
        made.__module__ = started.__module__
        made.__annotations__ = {"return": hints["return"]} if made is begin else {}
    begin.__doc__ = run.__doc__
    members = {
        "__init__": workflow.init(__init__),
        "run": workflow.run(begin),
        "started_with": kind,
        "unreadable": None,
    }
    for name, member in members.items():
        setattr(started, name, member)
    return started


def read_start(sent: tuple[object, ...], kind: type[BaseModel], *, own: bool = False) -> BaseModel:
    """The one message of this kind that a workflow was started with. ``own``: we have written it ourselves.

    Raises:
        ApplicationError: it cannot be read; the text names each field that is wrong, and repeats nothing of it (P6).
    """
    if len(sent) > 1:
        raise _unreadable(Problem("", f"one {kind.__name__} must be sent, and {len(sent)} values were"))
    value = sent[0] if sent else None
    if isinstance(value, Unreadable):
        raise _unreadable(Problem("", value.why))
    if value is None:
        raise _unreadable(Problem("", f"one {kind.__name__} must be sent, and nothing was"), *_missing_of(kind))
    try:
        return (read_own_json if own else read_json)(kind, json.dumps(value))
    except ValidationError as error:
        raise _unreadable(*problems(error)) from None
    except (TypeError, ValueError):
        raise _unreadable(Problem("", f"it is no {kind.__name__}")) from None


def _missing_of(kind: type[BaseModel]) -> tuple[Problem, ...]:
    try:
        kind.model_validate({})
    except ValidationError as error:
        return problems(error)
    return ()


def _unreadable(*found: Problem) -> ApplicationError:
    return ApplicationError(f"{said(found)} (section 11)", type=UNREADABLE, non_retryable=True)
