"""The client of services that reach Temporal and nothing else of ours; a wheel of its own, ``aftersales-client``.

async with connected() as aftersales:
    case = await aftersales.open_refund(RefundRequest(...))
    view = await case.act(Approve(key="a-1", by=merchant("m-1")))
    outcome = await case.outcome()
"""

from activities.privacy.codec import encrypting_converter
from activities.privacy.keys import FileKeys, FixedKeys, Key, KeyProvider, read_keys
from starter.light.case import LightCase
from starter.light.client import LightAftersales, connected
from starter.light.remote_codec import RemoteCodec, remote_converter

__all__ = [
    "FileKeys",
    "FixedKeys",
    "Key",
    "KeyProvider",
    "LightAftersales",
    "LightCase",
    "RemoteCodec",
    "connected",
    "encrypting_converter",
    "read_keys",
    "remote_converter",
]
