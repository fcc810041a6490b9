"""What an attachment is, by how it begins (D6)."""

import re
from typing import Final

from workflows.messages.evidence import MediaType

_BEGINS: Final = {
    b"\xff\xd8\xff": MediaType.JPEG,
    b"\x89PNG\r\n\x1a\n": MediaType.PNG,
    b"%PDF-": MediaType.PDF,
}
_BRANDS: Final = {
    b"qt  ": MediaType.MOV,
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"), MediaType.HEIC),
}
"""Of ISO media files, by their major brand; of all others that are films, MP4."""
_NO_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
"""Characters that no text has."""


def is_of_type(content: bytes, media_type: MediaType) -> bool:
    """Whether ``content`` may be what it is said to be: a program that is called a picture is none."""
    if media_type is MediaType.TEXT:
        return _is_text(content)
    return _found(content) is media_type


def _found(content: bytes) -> MediaType | None:
    for begins, media_type in _BEGINS.items():
        if content.startswith(begins):
            return media_type
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return MediaType.WEBP
    if content[4:8] == b"ftyp":
        return _BRANDS.get(content[8:12], MediaType.MP4)
    return None


def _is_text(content: bytes) -> bool:
    try:
        return _NO_TEXT.search(content.decode()) is None
    except UnicodeDecodeError:
        return False
