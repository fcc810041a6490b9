"""Virtual numbers: how their workflows go from the first request to the end of all requests."""

from datetime import UTC, datetime

from pydantic import SecretStr

from activities.gateways.numbers_stub import Behaviour, Mode, NumbersStub
from starter.virtual_numbers import RefusedNumber, VirtualNumbers, case, order
from tests.replay.registry import OFFICER, Handle, forward, path, quiet
from tests.workflow.world import World
from workflows.messages.actors import merchant
from workflows.messages.addresses import Region
from workflows.messages.persons import Recipient
from workflows.messages.virtual_numbers import (
    BecameSubscription,
    NumberStart,
    NumberSubject,
    ObtainNumber,
    OrderCompleted,
    ReleaseNumber,
    RenewNumber,
)


@path("Virtual number of an order: completed, obtained again for two days, three months over", "P3", None)
async def virtual_number_of_order(world: World) -> Handle:
    subject = await _order(world)
    await _obtain(world, subject, "k1")
    await _completed(world, subject)
    await _obtain(world, subject, "k3")
    await _forward(world, subject, days=2, minutes=1)
    await _forward(world, subject, days=93)
    return await _ended(world, subject)


@path("Virtual number of an order closed unclaimed: its number is bound again", "P3", None)
async def virtual_number_bound_again(world: World) -> Handle:
    subject = await _order(world)
    await _obtain(world, subject, "k1")
    await _completed(world, subject, unclaimed=True)
    await _obtain(world, subject, "k3")
    await _forward(world, subject, days=3)
    await _forward(world, subject, days=93)
    return await _ended(world, subject)


@path("Virtual number of an order that becomes a subscription", "P3", None)
async def virtual_number_of_parent(world: World) -> Handle:
    subject = await _order(world)
    await _obtain(world, subject, "k1")
    await _numbers(world).became_subscription(BecameSubscription(key="k2", by=OFFICER, subject=subject))
    return await _ended(world, subject)


@path("Virtual number of a case: renewed, lapsed", "P3", None)
async def virtual_number_of_case(world: World) -> Handle:
    order_no = await world.order()
    await _keep_recipient(world, order_no)
    about = await world.refund(order_no=order_no)
    await quiet(about)
    subject = case(about.id)
    await _obtain(world, subject, "k1")
    await _forward(world, subject, days=10)
    await _numbers(world).renew(RenewNumber(key="k2", by=merchant(world.merchant), subject=subject))
    await _forward(world, subject, days=15, minutes=1)
    return await _ended(world, subject)


@path("Virtual number released, as its recipient is forgotten", "P3", None)
async def virtual_number_released(world: World) -> Handle:
    subject = await _order(world)
    await _obtain(world, subject, "k1")
    await _numbers(world).release(ReleaseNumber(key="k2", by=OFFICER, subject=subject, reason="person_forgotten"))
    return await _ended(world, subject)


@path("Virtual number in doubt: the provider's answer never comes, then it does", "P3", None, counted=False)
async def virtual_number_in_doubt(world: World) -> Handle:
    subject = await _order(world)
    provider = NumbersStub(world.pool, b"only its own numbers are asked about")
    await provider.set_behaviour(Behaviour(mode=Mode.LOSE_ANSWER, subject=subject.name))
    await _refused(world, subject, "k1")
    await provider.clear_behaviours(subject.name)
    await _obtain(world, subject, "k1")
    await _completed(world, subject)
    await _forward(world, subject, days=93)
    return await _ended(world, subject)


@path("Virtual number: one run of many", "P3", None, counted=False)
async def virtual_number_next_run(world: World) -> Handle:
    subject = await _order(world)
    handle: Handle = await world.aftersales.temporal.start_workflow(
        "VirtualNumber",
        NumberStart(subject=subject, events_per_run=30),
        id=subject.workflow_id,
        task_queue=world.task_queue,
    )
    await _quiet(world, subject)
    first_run: Handle = world.aftersales.temporal.get_workflow_handle(handle.id, run_id=handle.result_run_id)
    key = 0
    while (await handle.describe()).run_id == handle.result_run_id:
        key += 1
        await _obtain(world, subject, f"k{key}")
    return first_run


# What they share ---------------------------------------------------------------------------------------


def _numbers(world: World) -> VirtualNumbers:
    return VirtualNumbers(world.aftersales.temporal, world.task_queue)


async def _order(world: World) -> NumberSubject:
    order_no = await world.order()
    await _keep_recipient(world, order_no)
    return order(order_no)


async def _keep_recipient(world: World, order_no: str) -> None:
    recipient = Recipient(
        name=SecretStr("欧阳小明"),
        phone=SecretStr("13800138000"),
        region=Region(province="广东省", city="广州市", district="天河区"),
        street=SecretStr("体育西路 1 号"),
    )
    async with world.pool.acquire() as connection:
        await world.aftersales.vault.keep_recipient(
            connection, order_no, world.merchant, world.buyer, recipient, datetime.now(UTC)
        )


async def _obtain(world: World, subject: NumberSubject, key: str) -> None:
    await _numbers(world).obtain(ObtainNumber(key=key, by=merchant(world.merchant), subject=subject))
    await _quiet(world, subject)


async def _refused(world: World, subject: NumberSubject, key: str) -> None:
    try:
        await _obtain(world, subject, key)
    except RefusedNumber:
        await _quiet(world, subject)
    else:
        raise AssertionError("a number was obtained")


async def _completed(world: World, subject: NumberSubject, *, unclaimed: bool = False) -> None:
    fact = OrderCompleted(
        key="k2", by=OFFICER, subject=subject, completed_at=datetime.now(UTC), closed_unclaimed=unclaimed
    )
    await _numbers(world).order_completed(fact)
    await _quiet(world, subject)


async def _forward(world: World, subject: NumberSubject, **duration: float) -> None:
    await forward(world, world.aftersales.case(subject.workflow_id), **duration)


async def _quiet(world: World, subject: NumberSubject) -> None:
    await quiet(world.aftersales.case(subject.workflow_id))


async def _ended(world: World, subject: NumberSubject) -> Handle:
    handle: Handle = world.aftersales.temporal.get_workflow_handle(subject.workflow_id)
    await handle.result()
    return handle
