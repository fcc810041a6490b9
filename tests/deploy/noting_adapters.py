"""Factories of adapters that note at which port they were called, and make nothing."""

from activities.notices.channels import ChannelName

MADE: list[str] = []
"""The ports at which something was made since this was last cleared."""


def payments() -> object:
    MADE.append("payments")
    return object()


def orders() -> object:
    MADE.append("orders")
    return object()


def carriers() -> object:
    MADE.append("carriers")
    return object()


def numbers() -> object:
    MADE.append("numbers")
    return object()


def notices() -> dict[ChannelName, object]:
    MADE.append("notices")
    return dict.fromkeys(ChannelName, object())
