"""Text as people type it, brought into one form before it is read."""

import unicodedata


def in_one_width(text: str) -> str:
    """The text in one width (１ is 1), without characters that cannot be seen, and without space at its ends."""
    folded = unicodedata.normalize("NFKC", text)
    return "".join(each for each in folded if unicodedata.category(each) != "Cf").strip()
