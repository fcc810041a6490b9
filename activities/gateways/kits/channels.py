"""The promises of a notice channel (P6): see `activities.gateways.kits.promise` for how they are tried."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from activities.gateways.kits.promise import AT_ONCE, Kit, raised, tells_nothing_of
from activities.notices.channels import Channel, ChannelUnavailable, NoticeRefused, OutgoingNotice

_CODE: Final = re.compile(r"[a-z0-9_]+")
_HEADS: Final = "kit@example.com\r\nBcc: kit-else@example.com"
"""An address that would add a line to the head of an e-mail."""

Arranging = Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A channel and what can be arranged at the far side for it."""

    channel: Channel
    notice: Callable[[], OutgoingNotice]
    """One that was never sent, with an address where the channel wants one: each call another one."""
    arrived: Callable[[], Awaitable[Iterable[str]]]
    """By which key the far side knows each notice that has arrived by now; one that came twice, twice."""
    fail_next: Arranging | None = None
    """Have the next sending not taken, for now."""
    refuse_next: Arranging | None = None
    """Have the next sending refused for ever."""
    lose_next_answer: Arranging | None = None
    """Have the next sending arrive, and its answer lost."""
    hang_next: Arranging | None = None
    """Have the next sending never answered."""
    secrets: tuple[str, ...] = ()
    """What no error may quote beside the notice: passwords, keys, tokens in an address."""
    within: float = 5
    """Seconds in which a channel must have given up by itself: the sender waits no longer."""


_KIT = Kit[Ground]()
promises = _KIT.promises
run = _KIT.run


@_KIT.promise()
async def a_notice_arrives(ground: Ground) -> None:
    """Once ``send`` has ended without an error, it is with the far side."""
    before = await _arrived(ground)
    await ground.channel.send(ground.notice())
    assert (await _arrived(ground) - before).total() == 1


@_KIT.promise()
async def sent_again_it_is_one_notice(ground: Ground) -> None:
    """A sender that was killed sends again. It arrives once, or is known by the same key; another one has another."""
    notice, before = ground.notice(), await _arrived(ground)
    await ground.channel.send(notice)
    await ground.channel.send(notice)
    known = await _arrived(ground) - before
    assert len(known) == 1, f"sent twice, it arrived under {len(known)} keys"
    await ground.channel.send(ground.notice())
    assert len(await _arrived(ground) - before) == 2, "another notice must be told from it"


@_KIT.promise()
async def many_at_once_are_kept_apart(ground: Ground) -> None:
    """Eight notices, each sent twice at the same moment: eight keys."""
    before = await _arrived(ground)
    notices = [ground.notice() for _ in range(AT_ONCE)]
    await asyncio.gather(*(_sent(ground, each) for each in notices * 2))
    for each in notices:
        await _sent(ground, each)
    assert len(await _arrived(ground) - before) == AT_ONCE


@_KIT.promise("fail_next")
async def what_was_not_taken_is_sent_later(ground: Ground) -> None:
    """`ChannelUnavailable`, with a code for an operator; the same notice goes out afterwards."""
    assert ground.fail_next
    notice, before = ground.notice(), await _arrived(ground)
    await ground.fail_next()
    _discreet(ground, notice, await raised(ChannelUnavailable, ground.channel.send(notice), "it was not taken"))
    await ground.channel.send(notice)
    assert len(await _arrived(ground) - before) == 1


@_KIT.promise("refuse_next")
async def what_will_never_be_taken_is_refused(ground: Ground) -> None:
    """`NoticeRefused`: it is not tried for days, and an operator sees why. The next notice goes out."""
    assert ground.refuse_next
    notice, before = ground.notice(), await _arrived(ground)
    await ground.refuse_next()
    _discreet(ground, notice, await raised(NoticeRefused, ground.channel.send(notice), "it was refused"))
    assert not await _arrived(ground) - before
    await ground.channel.send(ground.notice())
    assert len(await _arrived(ground) - before) == 1


@_KIT.promise("lose_next_answer")
async def a_lost_answer_repeats_at_most_the_same_notice(ground: Ground) -> None:
    """It is not known whether it was taken: never `NoticeRefused`, and sent again it has the same key."""
    assert ground.lose_next_answer
    notice, before = ground.notice(), await _arrived(ground)
    await ground.lose_next_answer()
    _discreet(ground, notice, await raised(ChannelUnavailable, ground.channel.send(notice), "the answer was lost"))
    await ground.channel.send(notice)
    assert len(await _arrived(ground) - before) == 1


@_KIT.promise("hang_next")
async def a_far_side_that_hangs_is_given_up(ground: Ground) -> None:
    """By a timeout of the channel's own, so that it ends its connection; the next notice goes out."""
    assert ground.hang_next
    notice = ground.notice()
    await ground.hang_next()
    try:
        async with asyncio.timeout(ground.within):
            error = await raised(ChannelUnavailable, ground.channel.send(notice), "nobody has answered")
    except TimeoutError as late:
        raise AssertionError(f"the channel still waits after {ground.within:g} s") from late
    _discreet(ground, notice, error)
    before = await _arrived(ground)
    await ground.channel.send(ground.notice())
    assert len(await _arrived(ground) - before) == 1


@_KIT.promise()
async def an_address_that_is_none_is_told_discreetly(ground: Ground) -> None:
    """Missing, or made to say more than it is: taken as it is, put off or refused, and never quoted."""
    for address in (None, SecretStr(_HEADS)):
        notice = ground.notice().model_copy(update={"address": address})
        try:
            await ground.channel.send(notice)
        except (ChannelUnavailable, NoticeRefused) as error:
            _discreet(ground, notice, error)
        except Exception as error:
            raise AssertionError(f"it must not be {type(error).__name__}") from error


async def _arrived(ground: Ground) -> Counter[str]:
    return Counter(await ground.arrived())


async def _sent(ground: Ground, notice: OutgoingNotice) -> None:
    with suppress(ChannelUnavailable):  # two at the same moment may be told to wait
        await ground.channel.send(notice)


def _discreet(ground: Ground, notice: OutgoingNotice, error: Exception) -> None:
    """The code is a word, and nothing of the recipient or of a secret is in any text."""
    assert isinstance(error, (ChannelUnavailable, NoticeRefused))
    assert _CODE.fullmatch(error.code), "a code is a word of small letters, digits and _"
    address = notice.address.get_secret_value() if notice.address else ""
    tells_nothing_of(error, address, notice.text, notice.recipient.id, *ground.secrets)
