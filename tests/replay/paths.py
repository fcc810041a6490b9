"""Every way a case can go, walked through the public client: recorded, replayed and counted.

Each path is walked by a merchant of its own, and always in the same way, so that its history has the same events
every time.
"""

from tests.replay import (
    dispute_paths,
    late_shipment_paths,
    negotiation_paths,
    price_protection_paths,
    refund_paths,
    repair_paths,
    resend_paths,
    return_paths,
    virtual_number_paths,
)
from tests.replay.registry import PATHS, Path

BY_SUBJECT = (
    refund_paths,
    return_paths,
    price_protection_paths,
    repair_paths,
    resend_paths,
    dispute_paths,
    late_shipment_paths,
    negotiation_paths,
    virtual_number_paths,
)
"""Where the paths are: each module adds its own when it is imported."""

__all__ = ["BY_SUBJECT", "PATHS", "Path"]
