"""The variables of the environment that the light client reads, beside Temporal's own."""

from collections.abc import Mapping
from typing import Final

TASK_QUEUE: Final = "AFTERSALES_TASK_QUEUE"
KEYS: Final = "AFTERSALES_KEYS"
KEY_FILE: Final = "AFTERSALES_KEY_FILE"
CODEC_ENDPOINT: Final = "AFTERSALES_CODEC_ENDPOINT"
CODEC_TOKEN: Final = "AFTERSALES_CODEC_TOKEN"  # noqa: S105 -- a variable's name
CODEC_TOKEN_FILE: Final = "AFTERSALES_CODEC_TOKEN_FILE"  # noqa: S105

VARIABLES: Final[Mapping[str, str]] = {
    CODEC_ENDPOINT: "URL of a codec server that encrypts and decrypts for this client, which then holds no key.",
    CODEC_TOKEN: "The token to ask it with, of the role `service` (`aftersales codec token --role service`).",
    CODEC_TOKEN_FILE: "File with that token instead, read anew for each request, so that it can be renewed.",
}
"""Those that it alone reads."""
