"""The promises of the payment port as a test suite that anybody runs against an adapter of their own.

    from activities.gateways.kit import Ground, Promise, promises

    @pytest.mark.parametrize("promise", promises(), ids=str)
    async def test_a_promise(promise: Promise, ground: Ground) -> None:
        await promise(ground)

A `Ground` is the adapter together with the far side: a server that is the adopter's own, a provider's sandbox. What it
cannot arrange it leaves None, and the promises that need it are not among those of `promises`. A broken promise is an
``AssertionError`` that says which.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final, TypeAlias

from activities.gateways.callbacks import CallbackRefused, CallbackRequest, Refused
from activities.gateways.kits import promise
from activities.gateways.kits.promise import AT_ONCE, Kit
from activities.gateways.payment import (
    GatewayAnswer,
    NotFound,
    NotPublished,
    NotSent,
    NumberConflict,
    PaymentGateway,
    RefundInstruction,
)
from workflows.messages.commands import CAME_TO_NOTHING, GatewayResult

_LONGEST_REPLAY: Final = timedelta(days=1)

Arranging = Callable[[RefundInstruction], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Ground:
    """An adapter and what an adopter can arrange at the far side for it."""

    gateway: PaymentGateway
    instruction: Callable[[], RefundInstruction]
    """A refund that nobody has asked for before, of a charge with enough left: each call another one."""
    paid: Callable[[RefundInstruction], Awaitable[int]]
    """What the far side has really paid for this refund, over all its attempts, in our minor units."""
    settle: Arranging | None = None
    """Let a refund that is under way arrive; None where it arrives at once."""
    lose_next_answer: Arranging | None = None
    """Have the next submission of this refund carried out, and its answer lost."""
    lose_next_request: Arranging | None = None
    """Have the next submission of this refund never arrive."""
    decline_next: Arranging | None = None
    """Have the next submission of this refund refused for certain."""
    turn_next_away: Arranging | None = None
    """Have the next submission of this refund turned away unread: a rate limit, say."""
    callback: Callable[[RefundInstruction], Awaitable[CallbackRequest]] | None = None
    """The genuine request that tells how this refund has ended, signed now."""
    statement_day: Callable[[RefundInstruction], date] | None = None
    """On the statement of which day this refund is, once it has arrived."""


_KIT: Final = Kit[Ground]()
_promise = _KIT.promise
promises = _KIT.promises
run = _KIT.run
Promise: TypeAlias = promise.Promise[Ground]


# The promises -------------------------------------------------------------------------------------------


@_promise()
async def a_number_pays_once(ground: Ground) -> None:
    """Sent again and again, and by many at the same moment, a refund is paid once."""
    refund = ground.instruction()
    await asyncio.gather(*(_sent(ground, refund) for _ in range(AT_ONCE)))
    await _arrived(ground, refund)
    await _sent(ground, refund)
    paid = await ground.paid(refund)
    assert paid == refund.amount, f"sent {AT_ONCE + 1} times, {paid} was paid instead of {refund.amount}"


@_promise()
async def the_answer_is_about_the_refund(ground: Ground) -> None:
    """It carries our number, and the provider's own of it; once it has arrived, asking and sending say so."""
    refund = ground.instruction()
    first = await ground.gateway.submit(refund)
    assert first.refund_no == refund.refund_no, "the answer must carry our refund number"
    await _arrived(ground, refund)
    for said in (await ground.gateway.inquire(refund), await ground.gateway.submit(refund)):
        assert isinstance(said, GatewayAnswer), "a refund that was sent is known"
        assert said.result is GatewayResult.SUCCEEDED, f"it has arrived, and is said to be {said.result}"
        assert said.refund_no == refund.refund_no
        assert said.gateway_ref, "the provider's own id of the refund is missing"


@_promise()
async def what_was_never_sent_is_not_found(ground: Ground) -> None:
    """Only then is it sent (again): a number that the provider does not know is `NotFound`, and asking pays nothing."""
    refund = ground.instruction()
    said = await ground.gateway.inquire(refund)
    assert isinstance(said, NotFound), f"nobody has sent it, and it is said to be {said}"
    assert await ground.paid(refund) == 0, "asking has paid"


@_promise()
async def a_number_with_another_content_is_a_conflict(ground: Ground) -> None:
    """It is another refund: its success is not ours, and whoever decides is told what the provider has."""
    other = ground.instruction()
    await ground.gateway.submit(other)
    await _arrived(ground, other)
    refund = other.model_copy(update={"amount": other.amount + 1})
    for tell in (ground.gateway.submit, ground.gateway.inquire):
        try:
            said = await tell(refund)
            raise AssertionError(f"the number is another refund's, and it is said to be {said}")
        except NumberConflict as conflict:
            found = conflict.found
    assert found, "what the provider has under the number is not told by the inquiry"
    assert (found.amount, found.currency) == (other.amount, other.currency)
    assert found.result is GatewayResult.SUCCEEDED
    assert found.same_payment, "it went back to the same payment"
    assert await ground.paid(other) == other.amount


@_promise("lose_next_answer")
async def a_lost_answer_is_unknown_and_is_found_by_asking(ground: Ground) -> None:
    """The money has moved. `NotSent`, or a failure, would have it paid a second time."""
    assert ground.lose_next_answer
    refund = ground.instruction()
    await ground.lose_next_answer(refund)
    try:
        said = await ground.gateway.submit(refund)
        assert said.result not in CAME_TO_NOTHING, f"the answer was lost, and it is said to be {said.result}"
    except NotSent as error:
        raise AssertionError("the answer was lost after the request had arrived: that is no NotSent") from error
    except Exception:  # noqa: S110 -- any other exception means that nothing is known
        pass
    found = await ground.gateway.inquire(refund)
    assert isinstance(found, GatewayAnswer), "the provider has it"
    assert found.result not in CAME_TO_NOTHING
    await ground.gateway.submit(refund)
    await _arrived(ground, refund)
    assert await ground.paid(refund) == refund.amount


@_promise("lose_next_request")
async def a_lost_request_is_sent_again(ground: Ground) -> None:
    """Nothing has moved; the adapter may not know that, and the next question tells."""
    assert ground.lose_next_request
    refund = ground.instruction()
    await ground.lose_next_request(refund)
    said = await _sent(ground, refund)
    assert said is None or said.result in {GatewayResult.UNKNOWN, GatewayResult.PROCESSING}
    assert isinstance(await ground.gateway.inquire(refund), NotFound)
    await ground.gateway.submit(refund)
    await _arrived(ground, refund)
    assert await ground.paid(refund) == refund.amount


@_promise("decline_next")
async def a_refund_that_was_declined_is_paid_by_the_next_attempt(ground: Ground) -> None:
    """A confirmed failure says why, and pays nothing; the next attempt has a number of its own, and pays."""
    assert ground.decline_next
    refund = ground.instruction()
    await ground.decline_next(refund)
    said = await ground.gateway.submit(refund)
    assert said.result in CAME_TO_NOTHING, f"it was declined, and is said to be {said.result}"
    assert said.failure, "why it was declined is missing"
    assert await ground.paid(refund) == 0
    next_one = refund.model_copy(update={"attempt": refund.attempt + 1})
    await ground.gateway.submit(next_one)
    await _arrived(ground, next_one)
    assert await ground.paid(refund) == refund.amount


@_promise("turn_next_away")
async def what_is_turned_away_was_surely_not_sent(ground: Ground) -> None:
    """A rate limit is no unknown outcome: `NotSent`, and the same number is sent later."""
    assert ground.turn_next_away
    refund = ground.instruction()
    await ground.turn_next_away(refund)
    try:
        said = await ground.gateway.submit(refund)
        raise AssertionError(f"it was turned away, and is said to be {said.result}")
    except NotSent:
        pass
    assert await ground.paid(refund) == 0
    await ground.gateway.submit(refund)
    await _arrived(ground, refund)
    assert await ground.paid(refund) == refund.amount


@_promise()
async def limits_are_plain(ground: Ground) -> None:
    """They can be read without asking anybody, and the steps are of our minor units."""
    limits = ground.gateway.limits
    assert limits.least >= 1
    assert all(step >= 1 and len(currency) == 3 for currency, step in limits.steps.items())
    assert limits.most_refunds is None or limits.most_refunds >= 1


@_promise()
async def it_gives_a_sign_of_life(ground: Ground) -> None:
    """In words for an operator."""
    assert (await ground.gateway.ping()).strip()


@_promise("statement_day")
async def the_statement_of_the_day_has_the_refund_once(ground: Ground) -> None:
    """With our number, the amount in our minor units, and as paid."""
    assert ground.statement_day
    refund = ground.instruction()
    await ground.gateway.submit(refund)
    await _arrived(ground, refund)
    day = ground.statement_day(refund)
    found = [line async for line in ground.gateway.statement(day) if line.refund_no == refund.refund_no]
    assert len(found) == 1, f"the statement has it {len(found)} times"
    (line,) = found
    assert (line.amount, line.currency) == (refund.amount, refund.currency)
    assert line.result is GatewayResult.SUCCEEDED
    try:
        future = [line async for line in ground.gateway.statement(day + timedelta(days=400))]
    except NotPublished:
        return
    assert not [line for line in future if line.refund_no == refund.refund_no], "it is on the day it was paid only"


@_promise("decline_next", "statement_day")
async def a_line_of_the_statement_is_of_its_own_attempt(ground: Ground) -> None:
    """Or it names none. What has failed under one number says nothing of what was paid under the next."""
    assert ground.decline_next
    assert ground.statement_day
    refund = ground.instruction()
    await ground.decline_next(refund)
    await ground.gateway.submit(refund)
    next_one = refund.model_copy(update={"attempt": refund.attempt + 1})
    await ground.gateway.submit(next_one)
    await _arrived(ground, next_one)
    day = ground.statement_day(next_one)
    lines = [line async for line in ground.gateway.statement(day) if line.refund_no == refund.refund_no]
    paid = [line.attempt for line in lines if line.result is GatewayResult.SUCCEEDED]
    assert paid in ([next_one.attempt], [None]), f"attempt {next_one.attempt} was paid, and is said to be {paid}"
    failed = {line.attempt for line in lines if line.result in CAME_TO_NOTHING}
    assert failed <= {refund.attempt}, f"attempt {refund.attempt} has failed, and is said to be {failed}"


@_promise("callback")
async def a_genuine_callback_is_read_the_same_each_time(ground: Ground) -> None:
    """It comes twice as often as not, with one key; reading it writes nothing."""
    refund, request = await _told(ground)
    first, second = await ground.gateway.read_callback(request), await ground.gateway.read_callback(request)
    assert first.answer is not None, "it tells of a refund"
    assert first.answer.refund_no == refund.refund_no
    assert first.answer.result is GatewayResult.SUCCEEDED
    assert first.amount in (None, refund.amount), f"it is of {refund.amount}, and is said to be of {first.amount}"
    assert first.key == second.key, "the same notification must have the same key"
    assert first.said_at == second.said_at
    assert 200 <= first.reply.status < 300, "a provider that is answered otherwise sends it again"


@_promise("callback")
async def callbacks_out_of_order_tell_of_their_moments(ground: Ground) -> None:
    """Of two refunds, whichever is heard of first: each says of itself when it happened."""
    (one, early), (two, late) = await _told(ground), await _told(ground)
    heard_late, heard_early = await ground.gateway.read_callback(late), await ground.gateway.read_callback(early)
    assert heard_late.answer is not None
    assert heard_early.answer is not None
    assert (heard_early.answer.refund_no, heard_late.answer.refund_no) == (one.refund_no, two.refund_no)
    assert heard_early.said_at <= heard_late.said_at
    assert heard_early.key != heard_late.key


@_promise("callback")
async def a_forged_callback_is_refused(ground: Ground) -> None:
    """Another body under a genuine signature, no signature, a broken one."""
    _, request = await _told(ground)
    for forged in (
        replace(request, body=request.body.replace(b"1", b"2").replace(b"a", b"b") + b" "),
        replace(request, headers={}, query="", body=_without_signature(request.body)),
        replace(request, headers={name: value[::-1] for name, value in request.headers.items()}, body=b"{}"),
    ):
        try:
            said = await ground.gateway.read_callback(forged)
        except CallbackRefused as refused:
            if refused.why is Refused.STALE:
                raise AssertionError("it is forged, whenever it was signed") from refused
        else:
            raise AssertionError(f"a forged callback was taken for {said.answer}")


@_promise("callback")
async def a_callback_that_is_played_again_later_is_stale(ground: Ground) -> None:
    """Beyond the provider's replay window, a genuine request is refused, where the signature covers a time stamp."""
    _, request = await _told(ground)
    later = replace(request, received_at=request.received_at + _LONGEST_REPLAY)
    try:
        await ground.gateway.read_callback(later)
    except CallbackRefused as refused:
        if refused.why is not Refused.STALE:
            raise AssertionError(f"it is genuine, and only late: not {refused.why}") from refused
    else:
        raise AssertionError("a request of yesterday was taken")


async def _told(ground: Ground) -> tuple[RefundInstruction, CallbackRequest]:
    assert ground.callback
    refund = ground.instruction()
    await ground.gateway.submit(refund)
    await _arrived(ground, refund)
    return refund, await ground.callback(refund)


async def _sent(ground: Ground, refund: RefundInstruction) -> GatewayAnswer | None:
    """Send it, whatever comes of it: two at the same moment may be told to wait."""
    try:
        return await ground.gateway.submit(refund)
    except Exception:
        return None


async def _arrived(ground: Ground, refund: RefundInstruction) -> None:
    if ground.settle:
        await ground.settle(refund)


def _without_signature(body: bytes) -> bytes:
    """For providers that sign within the body, as Alipay does."""
    return b"&".join(part for part in body.split(b"&") if not part.startswith(b"sign="))
