"""Finding things by a person's name without keeping the name (A4, P6)."""

import hashlib
import hmac
import unicodedata


def account_lookup(key: bytes, name: str) -> str:
    """The keyed hash (HMAC-SHA256, hexadecimal) under which an account name is stored and searched.

    Width, case and white space make no difference: people copy names from where they see them.

    Raises:
        ValueError: nothing is left of the name; all such names would be one.
    """
    # Folding case can undo the normal form, so that it is taken again.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    plain = "".join(folded.split())
    if not plain:
        raise ValueError("an account name must not be blank")
    return hmac.new(key, plain.encode(), hashlib.sha256).hexdigest()
