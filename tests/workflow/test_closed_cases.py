"""Cases that closed long ago and have moved: the same request, its pieces, disputes, forgetting (section 11)."""

import secrets
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from activities.archive import Archive
from activities.archive_files import rows_of
from activities.gateways.archive_store import ArchiveFolder
from starter.archived_cases import ArchiveAway, ArchivedCases
from starter.client import Aftersales, Case
from starter.errors import RefusedCommand, RefusedRequest
from tests.workflow.disputes import apart, paid, request, ruling
from tests.workflow.world import World
from workflows.messages.actors import buyer, merchant, officer
from workflows.messages.addresses import Region
from workflows.messages.closed_cases import ClosedCasesRun, MovedReport
from workflows.messages.commands import Approve, Say
from workflows.messages.persons import BankAccount, Recipient
from workflows.messages.requests import BankTransfer
from workflows.messages.rulings import Award
from workflows.messages.stages import OutcomeKind, StageName


async def moved(world: World, case: Case, after: datetime | None = None) -> None:
    """The case has moved, by the workflow that a schedule starts, as it would a hundred days after now or then."""
    report = await world.aftersales.temporal.execute_workflow(
        "ClosedCases",
        ClosedCasesRun(at=(after or datetime.now(UTC)) + timedelta(days=100)),
        id=world.fresh("closed-cases"),
        task_queue=world.task_queue,
        result_type=MovedReport,
    )
    assert report.cases
    assert not report.more
    where = "SELECT EXISTS (SELECT FROM casebook.cases WHERE case_id = $1)"
    assert not await world.pool.fetchval(where, case.id)


async def ended(world: World, **changes: str) -> tuple[str, Case]:
    """A refund of 60.00 that has been paid, on an order of 100.00."""
    order_no = await world.order()
    case = await world.refund(6_000, order_no=order_no, **changes)
    await case.act_and_wait(Approve(key="approve", by=merchant(world.merchant)))
    return order_no, case


async def test_a_dispute_on_it_counts_what_it_has_paid(world: World) -> None:  # D1, D8
    order_no, case = await ended(world)
    await moved(world, case)

    dispute = await apart(world, request(world, order_no, about=case))
    outcome = await dispute.act_and_wait(ruling(Award.FULL))

    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await paid(world, order_no) == 10_000


async def test_what_a_moved_dispute_has_ruled_on_is_not_disputed_again(world: World) -> None:  # D10
    order_no, case = await ended(world)
    dispute = await apart(world, request(world, order_no, about=case))
    await dispute.act_and_wait(ruling(Award.NOTHING))
    await moved(world, dispute)

    with pytest.raises(RefusedRequest) as caught:
        await world.aftersales.open_dispute(request(world, order_no, about=case))

    assert caught.value.refusal.code == "ruled_before"


async def test_the_same_request_opens_nothing(world: World) -> None:
    key = world.fresh("k")
    order_no, case = await ended(world, request_key=key)
    await moved(world, case)

    again = await world.refund(6_000, order_no=order_no, request_key=key)
    with pytest.raises(RefusedRequest) as caught:
        await world.refund(5_999, order_no=order_no, request_key=key)

    assert again.id == case.id
    assert caught.value.refusal.code == "request_key_reused"
    assert await paid(world, order_no) == 6_000


async def test_it_is_read_as_before(world: World) -> None:
    _, case = await ended(world)
    before = await case.log(), await case.timeline(), await case.outcome()
    await moved(world, case)

    assert (await case.log(), await case.timeline(), await case.outcome()) == before
    assert before[0]


async def put_away(world: World, case: Case, tmp_path: Path) -> ArchivedCases:
    """The case is in the archive alone, in a month that no other test has; what reads it there."""
    month = date(secrets.randbelow(50) + 2040, secrets.randbelow(12) + 1, 1)
    closed_at = datetime(month.year, month.month, 28, 23, 59, tzinfo=UTC)
    await world.pool.execute("UPDATE casebook.cases SET closed_at = $2 WHERE case_id = $1", case.id, closed_at)
    await moved(world, case, closed_at)
    kept = Archive(world.pool, ArchiveFolder(tmp_path))
    await kept.export(month, datetime.now(UTC))
    await kept.drop(month, datetime.now(UTC))
    return ArchivedCases(world.pool, lambda: kept)


def client_with(world: World, archived: ArchivedCases | None) -> Aftersales:
    """A client like the world's."""
    return Aftersales(
        world.aftersales.temporal, world.task_queue, world.pool, world.aftersales.vault, archived=archived
    )


async def test_in_the_archive_alone_it_is_one_case_for_ever_and_its_money_counts(
    world: World, tmp_path: Path
) -> None:  # D1, D8, section 11
    key = world.fresh("k")
    order_no, case = await ended(world, request_key=key)
    archived = await put_away(world, case, tmp_path)
    client = client_with(world, archived)

    again = await world.refund(6_000, order_no=order_no, request_key=key)
    with pytest.raises(RefusedCommand) as late:
        await case.act(Approve(key="late", by=merchant(world.merchant)))
    dispute = await apart(world, request(world, order_no, about=case))
    dossier = await client.desk.dossier(dispute.id, officer("o-1"))
    with pytest.raises(ArchiveAway):
        await case.log()
    outcome = await dispute.act_and_wait(ruling(Award.FULL))
    done = await world.aftersales.privacy.forget(f"buyer/{world.buyer}", by=officer("f-1"), reason="asked")

    assert again.id == case.id
    assert late.value.refusal.code == "not_open"
    assert dossier.applied
    assert outcome.outcome is OutcomeKind.REFUNDED
    assert await paid(world, order_no) == 10_000
    assert done.complete
    assert await client.case(case.id).log(), "which has ids, amounts and references only"


async def test_its_buyer_is_forgotten(world: World) -> None:  # section 8
    _, case = await ended(world)
    await moved(world, case)

    done = await world.aftersales.privacy.forget(f"buyer/{world.buyer}", by=officer("f-1"), reason="asked")

    assert done.complete
    assert done.open_cases == ()
    assert await case.log(), "which has ids, amounts and references only"


async def test_a_month_in_the_archive_has_nothing_of_a_person_in_clear(world: World, tmp_path: Path) -> None:  # P6
    """Names, numbers and words are in the vault, under the person's key: with that they are gone from archives too."""
    region = Region(province="广东省", city="广州市", district="天河区")
    secrets = ["欧阳小明", "13912345678", "体育西路191号", "6222020000000001234", "屏幕碎了我很生气"]
    name, phone, street, number, words = secrets
    recipient = Recipient(name=SecretStr(name), phone=SecretStr(phone), region=region, street=SecretStr(street))
    account = BankAccount.model_validate({"holder": name, "number": number, "bank": "ICBC"})
    reference = await world.aftersales.privacy.keep_bank_account(world.buyer, "k", account)
    order_no = await world.order(recipient=recipient)
    case = await world.refund(6_000, order_no=order_no, method=BankTransfer(account=reference))
    await world.at(case, StageName.MERCHANT_REVIEW)
    said = await world.written(case, buyer(world.buyer), words)
    await case.act(Say(key="s", by=buyer(world.buyer), words=said))
    await case.act_and_wait(Approve(key="approve", by=merchant(world.merchant)))
    await moved(world, case)
    month = (datetime.now(UTC)).date().replace(day=1)

    archive = Archive(world.pool, ArchiveFolder(tmp_path))
    part = await archive.export(month, datetime.now(UTC))
    folder = tmp_path / f"{month:%Y-%m}" / str(part.part)
    rows = [row for file in folder.glob("*.parquet") for row in rows_of(file)]
    kept = str([row for row in rows if case.id in row])
    await world.aftersales.privacy.forget(f"buyer/{world.buyer}", by=officer("f-1"), reason="asked")

    assert said in kept, "the archive has where the words are kept"
    assert reference in kept
    assert [each for each in secrets if each in str(rows)] == []
    read = await world.aftersales.desk.read_statement(said, officer("f-1"))
    assert read is None or read.text is None, "and nobody can read them"
