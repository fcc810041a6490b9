"""X4: whatever an endpoint answers to a signed webhook, or a service to a notice, it is taken or it is not taken.

Nothing else leaves the poster: another error would hold up all that the endpoint is to be told of.
"""

import asyncio
import logging
import os
import random
from collections import Counter
from collections.abc import Callable
from typing import Final

import pytest
from pydantic import SecretStr

from activities.notices.channels import ChannelName, ChannelUnavailable, NoticeRefused, OutgoingNotice
from activities.notices.webhook_channel import NoticeWebhookSettings, WebhookChannel
from activities.webhooks.posting import NotTaken, posting
from tests.patience import PATIENCE
from tests.proofs.hostile_answers import ENOUGH, odd_http, serving
from tests.proofs.hostile_values import MARK
from workflows.messages.actors import buyer
from workflows.messages.cases import NoticeTemplate

INPUTS: Final = int(os.environ.get("PROOFS_INPUTS", "120"))
AT_ONCE: Final = 12
SECONDS: Final = 0.5
NOTICE: Final = OutgoingNotice(
    dedup_key="n-1",
    channel=ChannelName.SMS,
    recipient=buyer("b-1"),
    template=NoticeTemplate.CASE_CLOSED,
    language="en",
    text="closed",
    address=SecretStr("13900000000"),
)


async def test_whatever_an_endpoint_answers_is_taken_or_not_taken(
    caplog: pytest.LogCaptureFixture, record_property: Callable[[str, object], None]
) -> None:
    dice, told, waits = random.Random("receivers"), Counter[str](), list[int]()

    async def tell(url: str) -> None:
        channel = WebhookChannel(NoticeWebhookSettings.model_validate(settings), poster)
        try:
            if dice.random() < 0.3:
                await asyncio.wait_for(channel.send(NOTICE), PATIENCE)
            else:
                await asyncio.wait_for(poster.post(url, [b"k" * 32], "evt-1", b"{}"), PATIENCE)
        except (NotTaken, NoticeRefused, ChannelUnavailable) as error:
            told[error.code] += 1
            waits.append(getattr(error, "retry_after", 0))
        else:
            told["taken"] += 1

    async with (
        serving(lambda _: odd_http(dice, b'{"ok": true}')) as (port, sent),
        posting(anywhere=True, seconds=SECONDS) as poster,
    ):
        url = f"http://127.0.0.1:{port}/hook"
        settings = {"url": url, "secret": "whsec_" + "a" * 44, "private_addresses": True}
        for _ in range(0, INPUTS, AT_ONCE):
            await asyncio.gather(*(tell(url) for _ in range(AT_ONCE)))

    record_property("inputs", sum(told.values()))
    assert sent.asked == sum(told.values()), "nothing is asked twice, and no redirection followed"
    assert sent.most < ENOUGH / 2, "it does not take in what has no end"
    assert {"taken", "timeout", "unreachable"} <= set(told), told
    assert sum(code.startswith("http_") for code in told) > 5, told
    assert 0 <= min(waits) <= max(waits) <= 3_600
    assert all(len(code) < 20 for code in told), told
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING or MARK in each.getMessage()]
