"""What a step needs before it can be written: an address, a statement, a declaration, a policy, pieces of its order.

It is read here; what it comes to is decided in ``workflows.rules.step_checks``.
"""

from collections.abc import Sequence

from activities.postgres import addresses, matters, orders, parcels, pauses, pieces, statements, threads
from activities.postgres.connection import Connection
from activities.postgres.vault import is_account_of, is_contact_of, missing_attachment
from workflows.messages.addresses import ReturnAddress
from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import Refusal, Step
from workflows.messages.evidence import Evidence
from workflows.messages.openings import Opened
from workflows.messages.payouts import Payout
from workflows.messages.persons import buyer_person, merchant_person
from workflows.messages.pieces import CasePieces
from workflows.messages.policy import Policy
from workflows.messages.reading import read_own
from workflows.messages.requests import BankTransfer
from workflows.messages.stages import CaseKind
from workflows.messages.step_parts import NamedAccount, ParcelWatch, ShipmentClaim
from workflows.rules.applications import refused_words
from workflows.rules.bank_accounts import refused_account
from workflows.rules.evidence import refused_attachment
from workflows.rules.refusals import refused
from workflows.rules.step_checks import (
    refused_exemption,
    refused_leaving,
    refused_parcel,
    refused_policy,
    refused_shipment,
    refused_step_beside_others,
)


async def look(
    connection: Connection, step: Step, policy: Policy | None, moves_from: str
) -> ReturnAddress | Refusal | None:
    """The address that ``step`` is to go with, or why it cannot be written; None where nothing stands against it.

    ``policy`` is the profile in force, where the step moves the case to it; ``moves_from`` the case's own, by name and
    version.
    """
    if step.policy_version is not None and (refusal := refused_policy(step.policy_version, policy, moves_from)):
        return refusal
    if step.evidence and (statement := step.evidence.statement):
        known = await statements.check(connection, statement, step.case.case_id, step.evidence.by)
        if not known and step.evidence.event in threads.THREAD:
            return refused_words()
        if not known:
            return refused("unknown_statement", "statement", "D6", "you have written no such statement on this case")
        told = step.kind is CaseKind.DISPUTE and step.evidence.event in threads.THREAD
        if told and await statements.puts_off(connection, statement):
            explanation = "it was written as evidence, and names no time: what the buyer is told in a dispute must"
            return refused("vague_reply", "words", "D7", explanation)
    if step.evidence and (refusal := await _attachments(connection, step.case.case_id, step.evidence.attachments)):
        return refusal
    applied = step.application if step.application and not step.application.proposal else None
    words = applied.words if applied else None
    if words and not await statements.check(connection, words, step.case.case_id, step.entries[0].by):  # R10
        return refused_words()
    if step.said and not await statements.check(connection, step.said.statement, step.case.case_id, step.said.by):
        return refused_words(step.said.field)
    if step.exemption and (refusal := await _exemption(connection, step, step.exemption)):
        return refusal
    if step.watch and (refusal := await _parcel(connection, step, step.watch)):
        return refusal
    if refusal := await _account(connection, step):
        return refusal
    if refusal := await pieces.refused_claim(connection, step):  # R13
        return refusal
    if step.proof and (refusal := await _no_proof(connection, step, step.proof)):
        return refusal
    if (step.application or step.disputes) and (refusal := await _beside_others(connection, step)):
        return refusal
    if step.address is None:
        return None
    merchant_id = await connection.fetchval(
        "SELECT merchant_id FROM casebook.cases WHERE case_id = $1", step.case.case_id
    )
    address = await addresses.choose(connection, merchant_id, step.address.address_id)
    if address is None or not await is_contact_of(connection, address.details, merchant_id):
        asked = step.address.address_id
        explanation = f"there is no address {asked} in the address book" if asked else "there is no default address"
        return refused("unknown_address", "address_id", "T2", explanation)
    return address


async def _attachments(connection: Connection, case_id: str, attachments: Sequence[Evidence]) -> Refusal | None:
    """D6: what the vault keeps is evidence in cases of the order or allowance that it was kept for."""
    row = await connection.fetchrow(
        """
        SELECT merchant_id, buyer_id, coalesce(order_no, allowance_id) AS subject
        FROM casebook.cases WHERE case_id = $1
        """,
        case_id,
    )
    if row is None:
        return None
    person = buyer_person(row["buyer_id"]) if row["buyer_id"] else merchant_person(row["merchant_id"])
    missing = await missing_attachment(connection, attachments, row["subject"], person)
    return None if missing is None else refused_attachment(missing)


async def _account(connection: Connection, step: Step) -> Refusal | None:
    """R17: an account that is named, and one that the step's payout goes to, is the own of the buyer of the case.

    One that was forgotten since it was named is left to the transfer, which fails unsent: then an officer can pay by
    hand what a forgotten buyer is owed.
    """
    match step:
        case Step(account=NamedAccount(account=account, field=field)):
            or_gone = False
        case Step(reserve=Payout(method=BankTransfer(account=account))):
            field, or_gone = "account", True
        case _:
            return None
    buyer_id = await connection.fetchval("SELECT buyer_id FROM casebook.cases WHERE case_id = $1", step.case.case_id)
    own = await is_account_of(connection, account, buyer_id, or_gone=or_gone)
    return None if own else refused_account(field)


async def _no_proof(connection: Connection, step: Step, claim: ShipmentClaim) -> Refusal | None:
    case_id = step.case.case_id
    order_no = await connection.fetchval("SELECT order_no FROM casebook.cases WHERE case_id = $1", case_id)
    order = await orders.find_order(connection, order_no)
    if order is None:
        return None
    contents = await orders.carried(connection, order_no, claim.parcel)
    return refused_shipment(claim, order, contents, (await parcels.history(connection, claim.parcel)).events)


async def _beside_others(connection: Connection, step: Step) -> Refusal | None:
    case_id = step.case.case_id
    row = await connection.fetchrow(
        "SELECT order_no, opened, application FROM casebook.cases WHERE case_id = $1", case_id
    )
    opened = read_own(Opened, row["opened"]) if row else Opened()
    if row is None or opened.order is None or row["application"] is None:
        return None
    await pieces.lock(connection, row["order_no"])
    others = await matters.of_order(connection, row["order_no"], besides=[case_id])
    return refused_step_beside_others(step, opened, read_own(ApplicationVersion, row["application"]), others)


async def _parcel(connection: Connection, step: Step, watch: ParcelWatch) -> Refusal | None:
    case_id = step.case.case_id
    row = await connection.fetchrow("SELECT order_no, kind, pieces FROM casebook.cases WHERE case_id = $1", case_id)
    if row is None:
        return None
    watchers = await parcels.watchers(connection, watch.parcel)
    refusal = refused_parcel(watch, case_id, row["order_no"], watchers)
    if refusal or watch.shipped_at is None:
        return refusal
    order = await orders.find_order(connection, row["order_no"])
    if order is None:
        return None
    contents = await orders.carried(connection, order.order_no, watch.parcel)
    held = read_own(CasePieces, row["pieces"]) if row["pieces"] else None
    events = (await parcels.history(connection, watch.parcel)).events
    return refused_leaving(watch.shipped_at, CaseKind(row["kind"]), held, order, contents, events)


async def _exemption(connection: Connection, step: Step, exemption_id: str) -> Refusal | None:
    exemption = await pauses.exemption(connection, exemption_id)
    row = await connection.fetchrow(
        "SELECT merchant_id, opened FROM casebook.cases WHERE case_id = $1", step.case.case_id
    )
    opened, merchant_id = (read_own(Opened, row["opened"]), row["merchant_id"]) if row else (Opened(), "")
    return refused_exemption(exemption_id, exemption, merchant_id, opened)
