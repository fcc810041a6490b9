"""Spans of what this process does by itself; free while traces are off."""

from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

from activities.measures import Spans

_of_this_process: list[Spans] = []


def set_spans(*made: Spans) -> None:
    """Have spans opened by this from now on; none to stop."""
    _of_this_process[:] = made


def spans() -> Spans:
    """What opens a span."""
    return _open


def _open(name: str, attributes: Mapping[str, str]) -> AbstractContextManager[Callable[[str, str], None]]:
    for opened in _of_this_process:
        return opened(name, attributes)
    return nullcontext(lambda key, value: None)


@contextmanager
def call_of_the_client(name: str) -> Generator[None]:
    """The span of one call of the typed client: all that the call does belongs to one trace."""
    with _open(f"aftersales.{name}", {}):
        yield
