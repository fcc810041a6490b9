"""Text files as what they are: UTF-8, of which only a newline ends a line."""

from pathlib import Path

from starter.commands.failures import UsageError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""What some editors put before the first line. It belongs to the file and not to the line."""


def lines_in(file: Path, argument: str) -> list[str]:
    """The lines of ``file``, without their newlines.

    ``str.splitlines`` would also cut at U+0085, U+2028 and others, which stand in addresses that were copied from
    web pages; and reading as text would make a newline of a lone carriage return.

    Raises:
        UsageError: it cannot be read, or is not UTF-8; ``argument`` is what named it.
    """
    try:
        return file.read_bytes().removeprefix(BYTE_ORDER_MARK).decode().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot be read: {type(error).__name__}", argument) from error
