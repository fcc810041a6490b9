"""The codec server: lets the Web UI and Temporal's command line read and write what is encrypted (P6).

They post payloads to ``/decode`` and ``/encode``. Who asks, and as what, stands in a signed token:

- An operator sees payloads in clear and, beside each reference into the vault, the masked value behind it (P1).
  What an operator types is encrypted on its way.
- An auditor, whose token says why, sees the value itself; each look is recorded (P2). An auditor writes nothing.
- A program gets payloads as they are.
"""

from starter.codec_server.access import NotAllowed, Role, Unauthenticated, UnusableKey, minted
from starter.codec_server.configuration import (
    CodecServerSettings,
    development_settings,
    origins_of,
    ui_endpoint,
)
from starter.codec_server.server import application, running

__all__ = [
    "CodecServerSettings",
    "NotAllowed",
    "Role",
    "Unauthenticated",
    "UnusableKey",
    "application",
    "development_settings",
    "minted",
    "origins_of",
    "running",
    "ui_endpoint",
]
