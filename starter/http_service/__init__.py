"""The HTTP service: what outside systems tell us, and what they may read (X2, X3, X4).

- ``POST /callbacks/payments`` and ``/callbacks/carriers``: what a provider sends, verified by its adapter. It is kept
  first and answered, and handed on to cases afterwards.
- ``PUT /v1/orders/{order_no}`` and ``POST /v1/orders``: orders and their changes, one or many as JSON Lines.
- ``POST /v1/parcels/events``: what carriers tell of parcels, by whoever gathers it for the platform.
- ``GET /v1/events``: the feed of events.

Whoever asks under ``/v1`` bears a signed token with a role.
"""

from starter.http_service.configuration import HttpServiceSettings, Role, minted
from starter.http_service.server import HttpService, application, running

__all__ = ["HttpService", "HttpServiceSettings", "Role", "application", "minted", "running"]
