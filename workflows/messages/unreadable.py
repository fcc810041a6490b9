"""What stands where a value was sent that cannot be read."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Unreadable:
    """Stands for a value that is not JSON, where no type is asked for: whoever takes it in answers what is wrong."""

    why: str
    unopened: str | None = None
    """A digest of what was sent, where it could not be decrypted."""
