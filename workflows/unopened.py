"""Values that could not be decrypted, as handlers of updates and signals come across them (section 11)."""

from workflows.messages.unreadable import Unreadable


class KeyIsGone(Exception):  # noqa: N818 -- it is a finding, not a fault
    """What a workflow took in when it came cannot be opened any more: its key was taken out of the ring too early.

    It fails the workflow task, which is tried again until the key is back: to go on without what was taken in would
    lead the workflow another way than its book. A signal that nobody could open when it came is refused, and a marker
    in the history tells the one from the other.
    """


def unopened(values: tuple[object, ...]) -> list[str]:
    """Digests of those values that could not be decrypted."""
    return [value.unopened for value in values if isinstance(value, Unreadable) and value.unopened]
