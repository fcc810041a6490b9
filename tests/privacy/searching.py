"""Finding a text in bytes, however it was written: UTF-8, UTF-16, JSON-escaped, base64, deflated, or both of these."""

import base64
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Final

_DEFLATED: Final = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{24,}={0,2}")
_MOST: Final = 4 * 1024 * 1024
_DEEPEST: Final = 2
"""Base64 of deflated text, say."""


def found(texts: Iterable[str], data: bytes) -> set[str]:
    """Those of ``texts`` that stand in ``data`` in any form."""
    wanted = {text: _forms(text) for text in texts}
    layers = list(_layers(data, 0))
    return {text for text, forms in wanted.items() if any(form in layer for layer in layers for form in forms)}


def _forms(text: str) -> tuple[bytes, ...]:
    escaped = json.dumps(text)[1:-1]
    plain = (
        text.encode(),
        text.encode("utf-16-le"),
        text.encode("utf-16-be"),
        escaped.encode(),
        escaped.upper().replace("\\U", "\\u").encode(),
        escaped.replace("\\", "\\\\").encode(),
    )
    return (*plain, *(form for each in plain[:4] for form in _in_base64(each)))


def _in_base64(plain: bytes) -> Iterator[bytes]:
    """However many bytes stand before it, these characters stand for the text alone."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + plain)
        # The first and the last characters share their bits with the neighbours.
        kept = encoded[-(-before * 8 // 6) : (before + len(plain)) * 8 // 6]
        yield kept
        yield kept.translate(bytes.maketrans(b"+/", b"-_"))


def _layers(data: bytes, depth: int) -> Iterator[bytes]:
    yield data
    if depth == _DEEPEST:
        return
    seen = memoryview(data)  # most of these matches are chance, and a copy for each would be all of the work
    for match in _DEFLATED.finditer(data):
        inflated = _inflated(seen[match.start() : match.start() + _MOST])
        if inflated:
            yield from _layers(inflated, depth + 1)
    for match in _BASE64.finditer(data):
        if decoded := _decoded(match.group()):
            yield from (layer for layer in _layers(decoded, depth + 1) if layer is not decoded or depth)


def _inflated(data: memoryview) -> bytes:
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        return inflater.decompress(data, _MOST)
    except zlib.error:
        return b""


def _decoded(text: bytes) -> bytes:
    stripped = text.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    stripped = stripped[: len(stripped) - (len(stripped) % 4 == 1)]
    return base64.b64decode(stripped + b"=" * (-len(stripped) % 4))
