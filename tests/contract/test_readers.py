"""Whatever a caller states has a reader: nothing is demanded, or taken, and then passed over (R10).

Each field of each request and command stands here beside the function that reads it. A field that is new has no reader
until somebody names one; and whoever is named must hold the field's name where a field is read.
"""

import ast
import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, get_args

import pytest
from pydantic import BaseModel

from starter.contract.workflows import contracts
from workflows.messages.message import Input

ROOT: Final = Path(__file__).parents[2]

READERS: Final[Mapping[str, str]] = {
    # Who, under which key, about what
    "workflows/shell/mailbox.py:accept": "Command.key",
    "workflows/rules/admission.py:may_see": "Actor.role Actor.id",
    "workflows/kinds/admission.py:refused_stranger": "Command.by",
    "workflows/rules/admission.py:for_another_case": "Command.case",
    "workflows/rules/identity.py:case_id": """
        RefundRequest.request_key MerchantRefundRequest.request_key ReturnRequest.request_key
        DisputeRequest.request_key WithdrawalRequest.request_key DisputeRequest.about
        PriceProtectionRequest.request_key ResendRequest.request_key RepairRequest.request_key
    """,
    "workflows/rules/identity.py:workflow_name": "RepairRequest.wants",
    "workflows/rules/identity.py:subject": "WithdrawalRequest.allowance_id ExpiryRequest.allowance_id",
    "activities/opening.py:_order": """
        RefundRequest.order_no MerchantRefundRequest.order_no ReturnRequest.order_no DisputeRequest.order_no
        LateShipmentRequest.order_no CompensationRequest.order_no PriceProtectionRequest.order_no
        ResendRequest.order_no RepairRequest.order_no
    """,
    "workflows/rules/opening.py:not_theirs": """
        RefundRequest.merchant_id RefundRequest.buyer_id MerchantRefundRequest.merchant_id ReturnRequest.merchant_id
        ReturnRequest.buyer_id DisputeRequest.merchant_id DisputeRequest.buyer_id LateShipmentRequest.merchant_id
        LateShipmentRequest.buyer_id CompensationRequest.merchant_id CompensationRequest.buyer_id
        WithdrawalRequest.merchant_id WithdrawalRequest.buyer_id ExpiryRequest.merchant_id ExpiryRequest.buyer_id
        PriceProtectionRequest.merchant_id PriceProtectionRequest.buyer_id
        ResendRequest.merchant_id ResendRequest.buyer_id RepairRequest.merchant_id RepairRequest.buyer_id
    """,
    # What is applied for
    "workflows/rules/applications.py:version_of": """
        Application.lines Application.freight Application.reason Application.method Application.words
        Application.goods_received
        OriginalRoute.route BankTransfer.route Amend.evidence
        RefundRequest.evidence ReturnRequest.evidence DisputeRequest.evidence
        ReturnRequest.replacements DisputeRequest.dispute_reason PriceProtectionRequest.evidence
        DisputeRequest.compensation ResendRequest.evidence ResendRequest.parts
        RepairRequest.evidence
    """,
    "workflows/rules/price_protection.py:refused_protection": """
        PriceProtectionRequest.falls PriceFall.line PriceFall.price PriceFall.fell_at
    """,
    "workflows/rules/applications.py:version_facts": """
        LineAmount.line LineAmount.quantity LineAmount.amount Replacement.line Replacement.sku
        PartOfPiece.line PartOfPiece.sku
    """,
    "activities/postgres/reservations.py:*": "BankTransfer.account",
    "workflows/kinds/first_stage.py:first_stage": "ReturnRequest.exchange",
    "workflows/shell/opening.py:opens": "LateShipmentRequest.ships_until ExpiryRequest.valid_until",
    "workflows/rules/owed_beside.py:owed_once": "CompensationRequest.insured",
    "workflows/kinds/opening_checks.py:look_at_compensation": """
        CompensationRequest.about CompensationRequest.cause CompensationRequest.amount
    """,
    # Evidence
    "workflows/kinds/case.py:given": """
        Reject.evidence SubmitEvidence.evidence SubmitEvidence.statement SubmitEvidence.amount SubmitEvidence.final
        ConfirmReceipt.evidence OpenDispute.evidence ProveShipment.evidence ProveExemption.evidence
    """,
    "workflows/rules/evidence.py:evidence_facts": "Evidence.uri",
    "workflows/rules/evidence.py:refused_evidence": "Evidence.bytes",
    "activities/postgres/vault.py:missing_attachment": "Evidence.sha256",
    "workflows/kinds/details.py:_application": "Evidence.media_type",
    # Decisions
    "workflows/kinds/kind.py:_refused_unseen": "Deciding.expects",
    "workflows/rules/applications.py:refused_unseen": "Seen.version Seen.amount",
    "workflows/kinds/rejecting.py:rejection": """
        Reject.reason Reject.shipping ShippingProof.carrier ShippingProof.tracking_no ShippingProof.shipped_at
    """,
    "workflows/kinds/disputed.py:_write_as_disputed": "OpenDispute.reason OpenDispute.words",
    "workflows/kinds/order_money.py:take_account": "GiveRefundAccount.account",
    "workflows/kinds/every_case.py:closed_by_officer": "CloseCase.reason CloseCase.proof",
    "workflows/kinds/every_case.py:move_policy": "MovePolicy.version MovePolicy.reason",
    "workflows/kinds/every_case.py:move_deadline": "MoveDeadline.until MoveDeadline.reason",
    "workflows/kinds/every_case.py:reckon_anew": "PausesChanged.window",
    # Negotiation
    "workflows/kinds/negotiating.py:propose": "Propose.terms Propose.words",
    "workflows/kinds/negotiating.py:agreed": """
        AcceptProposal.number AcceptProposal.evidence AnotherAmount.lines AnotherAmount.freight KeepGoods.lines
        KeepGoods.freight
    """,
    "workflows/kinds/negotiating.py:decline": "DeclineProposal.number DeclineProposal.words",
    "workflows/kinds/negotiating.py:take_back": "WithdrawProposal.number",
    "workflows/kinds/negotiating.py:say": "Say.words Say.evidence",
    "workflows/rules/negotiation.py:amount_of": "AnotherCompensation.amount",
    "workflows/rules/negotiation.py:refused_kind": """
        AnotherAmount.kind AnotherCompensation.kind ReturnInstead.kind RefundInstead.kind KeepGoods.kind SendAgain.kind
        MoreProof.kind
    """,
    "workflows/rules/negotiation.py:refused_terms": "SendAgain.pieces",
    "workflows/rules/negotiation.py:_refused_parts": "SendAgain.parts",
    "workflows/rules/negotiation.py:terms_facts": "MoreProof.wanted",
    # Goods
    "workflows/kinds/returning.py:_agree": "AgreeReturn.address_id AgreeReturn.clauses",
    "workflows/kinds/incoming.py:enter_tracking": """
        EnterTracking.parcel EnterTracking.freight_paid EnterTracking.refund_account
        Parcel.carrier Parcel.tracking_no
    """,
    "workflows/kinds/received.py:_receive": """
        ConfirmReceipt.accepted ConfirmReceipt.reason LineQuantity.line LineQuantity.quantity
    """,
    "workflows/kinds/outgoing.py:reship": "Reship.parcel",
    "workflows/kinds/outgoing.py:send_back": "SendBack.parcel",
    "workflows/kinds/every_case.py:parcel_line": "ReportParcel.event ReportParcel.carrier ReportParcel.tracking_no",
    "workflows/kinds/refund.py:_goods_leave": "ReportParcel.happened_at",
    "workflows/kinds/late_shipment.py:_prove": "ProveShipment.parcel ProveShipment.shipped_at",
    "workflows/kinds/late_shipment.py:_refer_to": "ProveExemption.exemption",
    # Disputes
    "workflows/rules/dispute.py:refused_acceptance": "AcceptSettlement.amount",
    "workflows/rules/dispute.py:settled": "OfferSettlement.lines OfferSettlement.freight OfferSettlement.compensation",
    "workflows/rules/dispute.py:ruled": """
        Rule.fault Rule.refund Rule.lines Rule.freight Rule.compensation Rule.return_freight Rule.reason
    """,
    "workflows/kinds/demanding.py:demand": "DemandEvidence.of DemandEvidence.wanted",
    "workflows/kinds/dispute.py:_confirm": "ConfirmProposal.reason",
    "workflows/kinds/kind.py:handle": "RulingTold.ruling",
    # Money
    "workflows/kinds/settling.py:retry_at_gateway": "RetryPayment.reason RetryPayment.partly RetryPayment.account",
    "workflows/kinds/settling.py:pay_by_hand": """
        PayInAdvance.reason PayInAdvance.proof RecordManualTransfer.reason RecordManualTransfer.proof
        RecordManualTransfer.transferred_at RecordManualTransfer.amount RecordManualTransfer.number_holds
    """,
    "workflows/rules/number_conflicts.py:refused_for_number": "NumberHolds.amount NumberHolds.whose",
    "activities/gateway_answers.py:called_back": """
        GatewayCallback.refund_no GatewayCallback.result GatewayCallback.gateway_ref GatewayCallback.failure
        GatewayCallback.settled_at GatewayCallback.attempt GatewayCallback.raw
    """,
    "activities/gateway_answers.py:of_another_refund": "GatewayCallback.amount",
    # Virtual numbers
    "workflows/virtual_number.py:refusal_now": "NumberCommand.subject",
    "workflows/messages/virtual_numbers.py:name": "NumberSubject.scope NumberSubject.id",
    "workflows/virtual_number.py:__init__": "NumberStart.subject NumberStart.terms NumberStart.state",
    "workflows/virtual_number.py:_is_long": "NumberStart.events_per_run",
    "workflows/rules/virtual_numbers.py:*": """
        NumberTerms.again_months NumberTerms.again_days NumberTerms.case_days
    """,
    "workflows/rules/virtual_numbers.py:told": """
        OrderCompleted.completed_at OrderCompleted.closed_unclaimed ReleaseNumber.reason
    """,
}
"""Where a field is read, and which: ``file:function``, or ``*`` for anywhere in the file."""

OF_READER: Final = {field: reader for reader, fields in READERS.items() for field in fields.split()}


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from models(each)


def declared_in(model: type[BaseModel], field: str) -> str:
    return next(each.__name__ for each in reversed(model.__mro__) if field in inspect.get_annotations(each))


def stated() -> set[str]:
    """Every field of what the contract lets others send, under the name of the class that declares it."""
    todo: list[type[BaseModel]] = []
    for contract in contracts():
        todo += [contract.request, *(each.takes for each in contract.updates.values() if each.takes)]
    found: set[str] = set()
    seen: set[type[BaseModel]] = set()
    while todo:
        model = todo.pop()
        if model in seen or not issubclass(model, Input):  # what is no Input is told by us alone
            continue
        seen.add(model)
        for name, field in model.model_fields.items():
            found.add(f"{declared_in(model, name)}.{name}")
            todo += models(field.annotation)
    return found


@cache
def functions(file: str) -> dict[str, list[ast.AST]]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    named: dict[str, list[ast.AST]] = {"*": [tree]}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            named.setdefault(node.name, []).append(node)
    return named


def reads(node: ast.AST, field: str) -> bool:
    """As an attribute, as an attribute by its name, or in a pattern."""
    for each in ast.walk(node):
        match each:
            case ast.Attribute(attr=name, ctx=ast.Load()) if name == field:
                return True
            case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=name), *_]) if name == field:
                return True
            case ast.MatchClass(kwd_attrs=names) if field in names:
                return True
            case _:
                pass
    return False


def test_every_field_that_a_caller_can_state_has_a_reader() -> None:
    assert stated() - set(OF_READER) == set(), "who reads these? name the function, or take the field away"
    assert set(OF_READER) - stated() == set(), "nobody can state these any more"


@pytest.mark.parametrize("field", sorted(OF_READER))
def test_who_is_named_reads_the_field(field: str) -> None:
    file, _, function = OF_READER[field].partition(":")
    name = field.partition(".")[2]

    assert function in functions(file), f"there is no {function} in {file}"
    assert any(reads(node, name) for node in functions(file)[function]), f"{file}:{function} does not read {name}"
