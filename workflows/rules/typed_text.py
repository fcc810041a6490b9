"""Text as people type it, brought into one form before it is read."""

import unicodedata


def typed_in_one_way(text: str) -> str:
    """The text in one width, without spaces and what cannot be seen, all its dashes being ``-``."""
    return "".join("-" if unicodedata.category(each) == "Pd" else each for each in "".join(in_one_width(text).split()))


def in_one_width(text: str) -> str:
    """The text in one width (１ is 1), without characters that cannot be seen, and without space at its ends."""
    folded = unicodedata.normalize("NFKC", text)
    return "".join(each for each in folded if unicodedata.category(each) != "Cf").strip()
