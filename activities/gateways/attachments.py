"""The port to where the contents of attachments are kept (D6, X1).

What is kept there is sealed under the key of the person whom it tells of: a store never sees a picture, and what it
should have failed to delete cannot be opened once that key is destroyed.
"""

from typing import Protocol, runtime_checkable


class StoreUnreachable(Exception):  # noqa: N818 -- named after what happened
    """The store does not answer, or refuses; the text holds no data of a person."""


class AttachmentDamaged(Exception):  # noqa: N818 -- named after what happened
    """What the store holds is not what was put there, or is gone without having been forgotten."""


@runtime_checkable
class AttachmentStore(Protocol):
    """Keeps sealed contents under names that are made at random, each written once."""

    async def put(self, name: str, sealed: bytes) -> None:
        """Keep ``sealed`` under ``name``: up to 50 MiB and 60 bytes, all of it or nothing.

        Raises:
            StoreUnreachable: it is not known to be kept.
        """
        ...

    async def get(self, name: str) -> bytes | None:
        """What is kept under this name; None where nothing is.

        Raises:
            StoreUnreachable: that is not known.
        """
        ...

    async def delete(self, name: str) -> None:
        """Delete what is kept under this name; nothing is no error.

        Raises:
            StoreUnreachable: it may be there still.
        """
        ...
