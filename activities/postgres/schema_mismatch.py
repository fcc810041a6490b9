"""What is said of a database whose schema is not this code's, without loading what reads and changes schemas."""

from typing import Final

SETUP_COMMAND: Final = "aftersales setup"


class SchemaMismatch(Exception):  # noqa: N818 -- it is a finding, not a fault
    """The database's schema is not the one that this code knows; the text says what to do.

    Attributes:
        current: The database's revision, None without one.
        known: The revision that this code knows.
    """

    def __init__(self, message: str, *, current: str | None, known: str) -> None:
        super().__init__(message)
        self.current = current
        self.known = known
