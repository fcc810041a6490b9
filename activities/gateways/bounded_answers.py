"""Providers' answers are read within bounds: one without end does not take the memory of all others."""

from collections.abc import AsyncIterable, AsyncIterator, Iterator
from typing import IO, Final

from activities.gateways.payment import GatewayUnreachable

MOST: Final = 8 << 20
"""Bytes of one answer. Real ones, a hundred refunds with all that is known of each, have less than one million."""
_LONGEST_LINE: Final = 64 << 10
"""Letters of a line of a bill; real ones have some hundreds."""


async def bounded(answer: AsyncIterable[bytes], most: int = MOST) -> AsyncIterator[bytes]:
    """The pieces of an answer.

    Raises:
        GatewayUnreachable: it is larger than any answer, so nothing is known.
    """
    size = 0
    async for piece in answer:
        size += len(piece)
        if size > most:
            raise GatewayUnreachable("answer_too_large")
        yield piece


async def read_whole(answer: AsyncIterable[bytes]) -> bytes:
    """An answer as a whole. Errors as in ``bounded``."""
    return b"".join([piece async for piece in bounded(answer)])


def lines_of(file: IO[str]) -> Iterator[str]:
    """The lines of a bill.

    Raises:
        ValueError: one has no end.
    """
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise ValueError("a line has no end")
        yield line
