"""The names of adapters: those that come with the service, and those that other packages offer (X1)."""

from collections.abc import Mapping
from importlib import metadata
from typing import Final

STUB: Final = "stub"
"""The stand-in of development, at every port that has one."""
OWN: Final = "own"
"""What is ours in production too: our copy of the orders, our key ring, attachments in the database."""

AND: Final = "+"
"""Between the names of adapters where a setting takes several."""

ENTRY_POINTS: Final = "aftersales.adapters"
"""The group of entry points by which a package of others' offers adapters, as ``<port>.<name>``."""

BUILT_IN: Final[Mapping[str, Mapping[str, str]]] = {
    "payments": {
        "alipay": "activities.gateways.alipay:AlipayRefunds",
        "stripe": "activities.gateways.stripe:StripeRefunds",
        "wechatpay": "activities.gateways.wechatpay:WeChatPayRefunds",
    },
    "orders": {},
    "carriers": {"none": "activities.gateways.nobody:NoCarrier"},
    "numbers": {"none": "activities.gateways.nobody:NoNumbers"},
    "notices": {
        "notice-webhook": "activities.notices.webhook_channel:notice_webhook",
        "smtp": "activities.notices.smtp:smtp",
    },
    "key_ring": {},
    "attachments": {
        "files": "activities.gateways.attachment_files:AttachmentFiles",
        "s3": "activities.gateways.attachments_s3:S3Attachments",
    },
}
"""By port and name: the factories of the adapters that come with the service, beside stand-ins and what is ours."""


def offered(port: str) -> dict[str, str]:
    """The factories that can be named at a port, by name: built-in ones first."""
    points = (each for each in metadata.entry_points(group=ENTRY_POINTS) if each.name.startswith(f"{port}."))
    return {each.name.removeprefix(f"{port}."): each.value for each in points} | dict(BUILT_IN[port])


def names() -> frozenset[str]:
    """The names of all adapters of all ports."""
    return frozenset(name for port in BUILT_IN for name in offered(port))
