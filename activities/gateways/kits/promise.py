"""What the kits of all ports are made of: a promise, and the promises of one port.

    from activities.gateways.kits.numbers import Ground, promises
    from activities.gateways.kits.promise import Promise

    @pytest.mark.parametrize("promise", promises("leads_to"), ids=str)
    async def test_a_promise(promise: Promise[Ground], ground: Ground) -> None:
        await promise(ground)

A `Ground` is the adapter together with the far side: a server that is the adopter's own, a provider's sandbox. What it
cannot arrange it leaves None, and the promises that need it are not among those of ``promises``. A broken promise is an
``AssertionError`` that says which.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Generic, TypeVar

On = TypeVar("On")

AT_ONCE: Final = 8
"""How often the same is asked at the same moment."""


class Promise(Generic[On]):
    """One promise: its name, what it needs to be arranged, and how it is tried."""

    def __init__(self, tried: Callable[[On], Awaitable[None]], *needs: str) -> None:
        self._tried = tried
        self.needs = needs
        """The fields of the port's ``Ground`` that must not be None."""

    def __str__(self) -> str:
        return getattr(self._tried, "__name__", "promise")

    __repr__ = __str__

    async def __call__(self, ground: On) -> None:
        """Try it.

        Raises:
            AssertionError: it is broken.
        """
        missing = [name for name in self.needs if getattr(ground, name) is None]
        assert not missing, f"{self} needs {', '.join(missing)}"
        await self._tried(ground)


class Kit(Generic[On]):
    """The promises of one port."""

    def __init__(self) -> None:
        self._all: list[Promise[On]] = []

    def promise(self, *needs: str) -> Callable[[Callable[[On], Awaitable[None]]], Promise[On]]:
        """Have a function try a promise; ``needs`` are the fields of the ground that it cannot do without."""

        def kept(tried: Callable[[On], Awaitable[None]]) -> Promise[On]:
            promise = Promise(tried, *needs)
            self._all.append(promise)
            return promise

        return kept

    def promises(self, *arranged: str) -> Sequence[Promise[On]]:
        """The promises that can be tried where these fields of the ground are arranged; without any, all of them."""
        return [each for each in self._all if not arranged or set(each.needs) <= set(arranged)]

    async def run(self, ground: On) -> dict[str, str]:
        """Try every promise that the ground can arrange, one after the other: the broken ones, and what is wrong."""
        broken: dict[str, str] = {}
        for promise in self._all:
            if all(getattr(ground, name) is not None for name in promise.needs):
                try:
                    await promise(ground)
                except Exception as error:  # an adapter may fail in any way
                    broken[str(promise)] = f"{type(error).__name__}: {error}"
        return broken


async def raised(expected: type[Exception] | tuple[type[Exception], ...], asked: Awaitable[Any], why: str) -> Exception:
    """The exception that must come.

    Raises:
        AssertionError: another one comes, or none.
    """
    try:
        said = await asked
    except expected as error:
        return error
    except Exception as error:
        raise AssertionError(f"{why}: it must not be {type(error).__name__}") from error
    raise AssertionError(f"{why}: it must not be answered with {type(said).__name__}")


def tells_nothing_of(error: BaseException, *secrets: str) -> None:
    """Neither the text of an exception nor that of what it came from, which a log would print, may quote these.

    Raises:
        AssertionError: one does.
    """
    shown: BaseException | None = error
    while shown is not None:
        for secret in secrets:
            assert not secret or secret not in f"{shown!s} {shown!r}", (
                f"the text of a {type(shown).__name__} quotes what it must not"
            )
        shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
