"""Notes beside references: ``vault:account/ab12... 〔张**, ****1234〕``, put in on reading, taken out on writing.

They are put into the JSON text itself, so that all else in it stays as it is, to the letter.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from temporalio.api.common.v1 import Payload

from workflows.messages.dossiers import DOSSIER
from workflows.messages.flags import REMARKS

_OPENING, _CLOSING = "〔", "〕"
_REFERENCE: Final = re.compile(
    r"(?:(?:vault:(?:account|address|evidence)/|statement:)[0-9a-f]{32}(?![0-9a-f])"
    rf"|(?:{REMARKS}|{DOSSIER})[a-z-]{{3,32}}/[A-Za-z0-9_.:/-]{{1,200}})"
)
# However the brackets are written: a program may escape what is not ASCII. No note holds a bracket or leaves its
# string, so that each look for an end stops at the next opening one: the time is linear, whatever is left unclosed.
_NOTED: Final = re.compile(
    rf"({_REFERENCE.pattern}) (?:{_OPENING}|\\u3014)"
    rf"(?:[^\"\\{_OPENING}{_CLOSING}]|\\(?!u301[45])[\"\\/bfnrtu])*+"
    rf"(?:{_CLOSING}|\\u3015)"
)


def references(payloads: Iterable[Payload]) -> tuple[str, ...]:
    """The references into the vault that the payloads hold, each once, as they come."""
    texts = (text for payload in payloads if (text := _json_text(payload)) is not None)
    return tuple(dict.fromkeys(found.group() for text in texts for found in _REFERENCE.finditer(text)))


def noted(payload: Payload, notes: Mapping[str, str]) -> Payload:
    """The payload with a note beside each reference for which there is one. What is not JSON stays as it is."""
    return _changed(payload, lambda text: _REFERENCE.sub(lambda found: _beside(found.group(), notes), text))


def bare(payload: Payload) -> Payload:
    """The payload without such notes: what was copied from a page is again what it was."""
    return _changed(payload, lambda text: _NOTED.sub(r"\1", text))


def _beside(reference: str, notes: Mapping[str, str]) -> str:
    if reference not in notes:
        return reference
    # The brackets mark where the note ends: none may stand in it.
    note = notes[reference].translate({ord(_OPENING): "(", ord(_CLOSING): ")"})
    return f"{reference} {_OPENING}{json.dumps(note, ensure_ascii=False)[1:-1]}{_CLOSING}"


def _changed(payload: Payload, change: Callable[[str], str]) -> Payload:
    text = _json_text(payload)
    if text is None or (changed := change(text)) == text:
        return payload
    return Payload(metadata=payload.metadata, data=changed.encode())


def _json_text(payload: Payload) -> str | None:
    """The payload as JSON text, in which a reference can only stand inside a string; None where it is none."""
    if not payload.metadata.get("encoding", b"").startswith(b"json/"):
        return None
    try:
        text = payload.data.decode()
        json.loads(text)
    except (ValueError, RecursionError):
        return None
    return text
