"""What a step needs before it can be written: an address, a statement, a declaration, a policy, pieces of its order."""

from collections.abc import Sequence
from datetime import datetime

from activities.postgres import addresses, matters, orders, parcels, pauses, pieces, statements
from activities.postgres.connection import Connection
from activities.postgres.vault import is_account_of, is_contact_of, missing_attachment
from workflows.messages.addresses import ReturnAddress
from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import NamedAccount, Opened, ParcelWatch, Refusal, ShipmentClaim, Step
from workflows.messages.evidence import Evidence
from workflows.messages.parcels import Parcel, ParcelPurpose
from workflows.messages.payouts import Payout
from workflows.messages.persons import buyer_person, merchant_person
from workflows.messages.pieces import CasePieces
from workflows.messages.policy import Policy
from workflows.messages.reading import read_own
from workflows.messages.requests import BankTransfer
from workflows.messages.stages import CaseKind
from workflows.rules.applications import refused_words
from workflows.rules.bank_accounts import refused_account
from workflows.rules.evidence import refused_attachment
from workflows.rules.matters import refused_application_again, refused_dispute_of_case
from workflows.rules.moments import refused_claim, refused_proof
from workflows.rules.refusals import refused
from workflows.rules.shipping import parcel_concerns, pieces_sent


async def look(
    connection: Connection, step: Step, policy: Policy | None, moves_from: str
) -> ReturnAddress | Refusal | None:
    """The address that ``step`` is to go with, or why it cannot be written; None where nothing stands against it.

    ``policy`` is the profile in force, where the step moves the case to it; ``moves_from`` the case's own, by name and
    version.
    """
    if step.policy_version is not None and (refusal := _policy(step.policy_version, policy, moves_from)):
        return refusal
    if step.evidence and (statement := step.evidence.statement):
        known = await statements.check(connection, statement, step.case.case_id, step.evidence.by)
        if not known:
            return refused("unknown_statement", "statement", "D6", "you have written no such statement on this case")
    if step.evidence and (refusal := await _attachments(connection, step.case.case_id, step.evidence.attachments)):
        return refusal
    words = step.application.words if step.application else None
    if words and not await statements.check(connection, words, step.case.case_id, step.entries[0].by):  # R10
        return refused_words()
    if step.exemption and (refusal := await _exemption(connection, step, step.exemption)):
        return refusal
    if step.watch and (refusal := await _other_parcel(connection, step, step.watch)):
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
    """L2: what is known of the order and of the parcel stands against the claim that it has shipped (R15, R18)."""
    case_id = step.case.case_id
    order_no = await connection.fetchval("SELECT order_no FROM casebook.cases WHERE case_id = $1", case_id)
    order = await orders.find_order(connection, order_no)
    if order is None:
        return None
    contents = await orders.carried(connection, order_no, claim.parcel)
    if contents and any(
        max(contents.get(line.line, 0), pieces_sent(order, line)) < line.quantity for line in order.lines
    ):
        return refused("not_all_of_it", "parcel", "L2", "this parcel is known to carry a part of the order only")
    return refused_claim(claim.shipped_at, order, (await parcels.history(connection, claim.parcel)).events)


async def _beside_others(connection: Connection, step: Step) -> Refusal | None:
    """R16, D10: what other cases of the order have to do with what is applied for anew, or disputed."""
    case_id = step.case.case_id
    row = await connection.fetchrow(
        "SELECT order_no, opened, application FROM casebook.cases WHERE case_id = $1", case_id
    )
    opened = read_own(Opened, row["opened"]) if row else Opened()
    if row is None or opened.order is None or row["application"] is None:
        return None
    await pieces.lock(connection, row["order_no"])
    others = await matters.of_order(connection, row["order_no"], besides=[case_id])
    if step.application and opened.policy:
        most = opened.policy.refund.most_applications
        return refused_application_again(step.application, step.application.version, others, most)
    application = read_own(ApplicationVersion, row["application"])
    return refused_dispute_of_case(application, case_id, opened.order, others)


async def _other_parcel(connection: Connection, step: Step, watch: ParcelWatch) -> Refusal | None:
    """T3, T6, T14: why the sign-off of one parcel would pass for that of another one, or None.

    The order's own parcel brought the goods to the buyer; a return's does not carry what is sent to the buyer after it.
    """
    case_id = step.case.case_id
    order_no = await connection.fetchval("SELECT order_no FROM casebook.cases WHERE case_id = $1", case_id)
    proves = watch.purpose is ParcelPurpose.ORDER
    if any(
        (each.purpose is ParcelPurpose.ORDER and each.order_no == order_no and not proves)
        or (each.case_id == case_id and each.purpose is not watch.purpose)
        for each in await parcels.watchers(connection, watch.parcel)
    ):
        field = "shipping.tracking_no" if proves else "parcel"
        return refused("own_parcel", field, "T3", "this parcel has carried other goods of this order")
    if watch.shipped_at is None:
        return None
    return await _no_proof_of_leaving(connection, case_id, watch.parcel, watch.shipped_at)


async def _no_proof_of_leaving(
    connection: Connection, case_id: str, parcel: Parcel, shipped_at: datetime
) -> Refusal | None:
    """R1: what is known of a parcel stands against the claim that a case's goods have left in it (R15, R18)."""
    row = await connection.fetchrow("SELECT order_no, kind, pieces FROM casebook.cases WHERE case_id = $1", case_id)
    order = await orders.find_order(connection, row["order_no"]) if row else None
    if row is None or order is None:
        return None
    contents = await orders.carried(connection, order.order_no, parcel)
    held = read_own(CasePieces, row["pieces"]).lines if row["pieces"] else ()
    unshipped = CaseKind(row["kind"]) is CaseKind.UNSHIPPED_REFUND
    in_it = parcel_concerns(held, order, contents, {}) if unshipped else any(each.line in contents for each in held)
    if contents and held and not in_it:
        explanation = "this parcel is known to carry other goods of the order"
        return refused("not_in_it", "shipping.tracking_no", "R15", explanation)
    return refused_proof(shipped_at, order, (await parcels.history(connection, parcel)).events)


def _policy(version: int, policy: Policy | None, moves_from: str) -> Refusal | None:
    if policy is None or policy.version != version:
        in_force = f"version {policy.version}" if policy else "no version"
        return refused("version_not_in_force", "version", "section 2", f"{in_force} is in force")
    if moves_from == f"{policy.name}/{version}":
        return refused("same_version", "version", "section 2", "the case goes by this version already")
    return None


async def _exemption(connection: Connection, step: Step, exemption_id: str) -> Refusal | None:
    """L2: declared by the platform, for this merchant, within the time in which the order was to ship."""
    exemption = await pauses.exemption(connection, exemption_id)
    row = await connection.fetchrow(
        "SELECT merchant_id, opened FROM casebook.cases WHERE case_id = $1", step.case.case_id
    )
    opened = read_own(Opened, row["opened"]) if row else Opened()
    if exemption is None or row is None or opened.order is None or opened.ships_until is None:
        return refused("unknown_exemption", "exemption", "L2", f"no exemption {exemption_id} is declared")
    if exemption.merchants and row["merchant_id"] not in exemption.merchants:
        return refused("exemption_of_others", "exemption", "L2", "the exemption is for other merchants")
    if exemption.starts_at >= opened.ships_until or exemption.ends_at <= opened.order.paid_at:
        return refused("exemption_elsewhen", "exemption", "L2", "it does not touch the time in which to ship")
    return None
