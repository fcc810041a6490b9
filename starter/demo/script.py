"""The demo's cases: what is opened, what happens at which hour, and what must come of it."""

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, SecretStr, model_validator

from activities.gateways.order_records import OrderRecord
from activities.gateways.payment_stub import Behaviour, Mode
from activities.policies import Policies
from activities.postgres.allowances import Spending
from activities.postgres.loading import AllowanceRecord
from starter.demo.shop import data
from starter.durations import Duration, parse_duration
from workflows.messages.actors import Role
from workflows.messages.commands import Command
from workflows.messages.evidence import Evidence, MediaType
from workflows.messages.message import Code, Identifier, Input, Reference
from workflows.messages.money import Minor, PositiveMinor
from workflows.messages.parcels import ParcelEvent
from workflows.messages.requests import (
    BankTransfer,
    DisputeReason,
    DisputeRequest,
    ExpiryRequest,
    LateShipmentRequest,
    LineAmount,
    MerchantRefundRequest,
    OriginalRoute,
    PartOfPiece,
    PriceFall,
    PriceProtectionRequest,
    RefundReason,
    RefundRequest,
    RepairRequest,
    Replacement,
    Request,
    ResendRequest,
    ReturnRequest,
    WithdrawalRequest,
)
from workflows.messages.rulings import Fault
from workflows.messages.stages import Attention, OutcomeKind, StageName
from workflows.rules.legs import AlertKind

To = Literal["case", "dispute"]
"""Whom a step is about: the case itself, or the dispute that the buyer has opened on it."""

_COMMANDS: Final = {kind.command_name(): kind for kind in Command.__subclasses__()}
_PHOTO_BYTES: Final = 204_800


class Act(Input):
    """An actor sends a command."""

    at: Duration
    """Counted from the opening of the case, in the case's own time; the same in every step."""
    on: To = "case"
    act: str
    by: Role
    fields: dict[str, Any] = Field(default_factory=dict)
    """The command's fields besides key and actor. ``now`` is the moment of the step, ``now-2d`` two days before."""
    evidence: tuple[Reference, ...] = ()
    says: SecretStr | None = None
    """What the actor writes with it: kept in the vault, and sent as its reference (D6, P6)."""
    refused: Code | None = None
    """The code of the refusal that must come back; None where the command must be obeyed."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.act not in _COMMANDS:
            raise ValueError(f"there is no command {self.act}")
        return self

    def referring(self, references: Mapping[str, str]) -> Self:
        """See ``Script.referring``."""
        fields = {name: _called(value, references) for name, value in self.fields.items()}
        return self.model_copy(update={"fields": fields})

    def command(self, key: str, actor_id: str, now: datetime, statement: str | None = None) -> Command:
        """The command itself, sent at ``now`` of the case's time, with the reference of what the actor says."""
        model = _COMMANDS[self.act]
        body = {name: _in_time(value, now) for name, value in self.fields.items()}
        if statement:
            body["words" if "words" in model.model_fields else "statement"] = statement
        if self.evidence:
            body["evidence"] = [attachment(uri) for uri in self.evidence]
        return model.model_validate({**body, "key": key, "by": {"role": self.by, "id": actor_id}})


class Move(Input):
    """Something happens to a parcel, and its carrier tells."""

    at: Duration
    parcel: ParcelEvent
    tracking_no: Identifier | None = None
    """Which parcel; the one that brings the order to the buyer where it is None."""


class Spend(Input):
    """The buyer spends from the allowance at the shop's checkout."""

    at: Duration
    spend: PositiveMinor
    gives: Spending
    """What must come of it: ``frozen`` while a request is open (A5)."""


class Look(Input):
    """The case, or its dispute, must stand in this stage."""

    at: Duration
    on: To = "case"
    stage: StageName


Step = Act | Move | Spend | Look


class Told(Input):
    """How the gateway treats the case's refunds."""

    mode: Mode
    amount: PositiveMinor | None = None
    settle_after: Duration = timedelta(hours=1)
    callback_after: Duration = timedelta(hours=48)
    answer_after: Duration = timedelta(seconds=10)
    uses: Annotated[int, Field(ge=1)] | None = None

    def behaviour(self, subject: str) -> Behaviour:
        """What the stub is told for this order or allowance."""
        return Behaviour(
            mode=self.mode,
            order_no=subject,
            amount=self.amount,
            settle_after_seconds=int(self.settle_after.total_seconds()),
            callback_after_seconds=int(self.callback_after.total_seconds()),
            answer_after_seconds=self.answer_after.total_seconds(),
            uses_left=self.uses,
        )


class Result(Input):
    """What came, or must come, of a case. Amounts in minor units."""

    outcome: OutcomeKind | None = None
    """None while the case is open."""
    refused: Code | None = None
    """Why the request was not taken at all."""
    refunded: Minor = 0
    compensated: Minor = 0
    """Paid beside the refund, by the case or by what it has started (L3, T10)."""
    bonus_void: Minor | None = None
    decided_by: Role | None = None
    legs: int = 0
    dispute: OutcomeKind | None = None
    """How the dispute ended that was opened on the case."""
    fault: Fault | None = None
    """Who was found at fault (D8)."""
    score: int = 0
    """The points that it has cost the merchant (D9)."""
    evidence: tuple[str, ...] = ()
    """What was given in the dispute, as ``party:standing``, in its order (D6)."""
    attention: tuple[Attention, ...] = ()
    """For what the case, or its dispute, called a person, in this order."""
    alerts: tuple[AlertKind, ...] = ()
    notices: tuple[str, ...] = ()
    """Who was told what, as ``template>role``, by name; also by the dispute, and by what was paid beside the refund."""


class Script(Input):
    """One case of the demo."""

    name: Identifier
    """The request's key as well."""
    title: str
    rules: tuple[str, ...]
    open: Literal[
        "refund",
        "return",
        "exchange",
        "price_protection",
        "resend",
        "repair",
        "dispute",
        "late_shipment",
        "merchant_refund",
        "withdrawal",
        "expiry",
    ]
    subject: Identifier
    """The order or allowance that it is about."""
    group: str = ""
    """Cases of one group are played together, hour by hour; by default a case is played alone."""
    about: Identifier | None = None
    """The case of its group that a dispute is about: it is opened when that one is over (D1)."""
    either_way: bool = False
    """Which case of the group gets which of their results is left to the race."""
    lines: tuple[LineAmount, ...] = ()
    freight: Minor = 0
    reason: RefundReason = RefundReason.NO_LONGER_WANTED
    price: Minor | None = None
    """What a piece of each line costs since an hour after the payment, in minor units (B1)."""
    account: Reference | None = None
    evidence: tuple[Reference, ...] = ()
    replacements: tuple[Replacement, ...] = ()
    parts: tuple[PartOfPiece, ...] = ()
    """What of each piece is to be sent again (C1)."""
    why: DisputeReason = DisputeReason.OTHER
    """Why the platform is to decide."""
    gateway: Told | None = None
    steps: tuple[Step, ...] = ()
    expected: Result

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if list(self.steps) != sorted(self.steps, key=lambda step: step.at):
            raise ValueError("the steps must come in the order of their time")
        return self

    def referring(self, references: Mapping[str, str]) -> Self:
        """The same with the ``references`` that the vault has given, by what the files call them."""
        steps = tuple(
            step.model_copy(
                update={"fields": {name: _called(value, references) for name, value in step.fields.items()}}
            )
            if isinstance(step, Act)
            else step
            for step in self.steps
        )
        return self.model_copy(update={"account": _called(self.account, references), "steps": steps})

    def request(self, subject: OrderRecord | AllowanceRecord, about: str | None = None) -> Request:
        """What opens the case; ``about`` is the id of the case that it disputes."""
        match subject:
            case OrderRecord() if self.open == "late_shipment":
                return LateShipmentRequest(
                    order_no=self.subject,
                    merchant_id=subject.merchant_id,
                    buyer_id=subject.buyer_id,
                    ships_until=_ships_until(subject),
                )
            case OrderRecord():
                return self._application(subject, about)
            case AllowanceRecord() if self.open == "withdrawal":
                return WithdrawalRequest(
                    request_key=self.name,
                    allowance_id=self.subject,
                    merchant_id=subject.merchant_id,
                    buyer_id=subject.buyer_id,
                )
            case AllowanceRecord() if self.open == "expiry":
                return ExpiryRequest(
                    allowance_id=self.subject,
                    merchant_id=subject.merchant_id,
                    buyer_id=subject.buyer_id,
                    valid_until=subject.valid_until,
                )
            case _:
                raise ValueError(f"{self.name}: {self.subject} is of the wrong kind")

    def _application(self, order: OrderRecord, about: str | None) -> Request:
        body: dict[str, Any] = {
            "request_key": self.name,
            "order_no": self.subject,
            "merchant_id": order.merchant_id,
            "lines": self.lines,
            "freight": self.freight,
            "reason": self.reason,
            "method": BankTransfer(account=self.account) if self.account else OriginalRoute(),
        }
        if self.open == "merchant_refund":
            return MerchantRefundRequest(**body)
        body["buyer_id"] = order.buyer_id
        body["evidence"] = tuple(Evidence.model_validate(attachment(uri)) for uri in self.evidence)
        match self.open:
            case "refund":
                return RefundRequest(**body)
            case "return":
                return ReturnRequest(**body)
            case "exchange":
                return ReturnRequest(**body, exchange=True, replacements=self.replacements)
            case "price_protection":
                fell_at = order.paid_at + timedelta(hours=1)
                falls = tuple(PriceFall(line=each.line, price=self.price or 0, fell_at=fell_at) for each in self.lines)
                return PriceProtectionRequest(**body, falls=falls)
            case "resend":
                return ResendRequest(**body, parts=self.parts)
            case "repair":
                return RepairRequest(**body)
            case "dispute":
                return DisputeRequest(**body, about=about, dispute_reason=self.why)
            case _:
                raise ValueError(f"{self.name}: {self.subject} is of the wrong kind")


def _called(value: Any, references: Mapping[str, str]) -> Any:
    return references.get(value, value) if isinstance(value, str) else value


class _Scripts(Input):
    case: tuple[Script, ...]


def scripts() -> tuple[Script, ...]:
    """All cases of the demo, in the order of the file.

    Raises:
        ValueError: the file does not fit the models.
    """
    return _Scripts.model_validate(tomllib.loads(data("cases.toml"))).case


def groups(all_scripts: Sequence[Script]) -> tuple[tuple[Script, ...], ...]:
    """The scripts that are played together."""
    ordered = sorted(all_scripts, key=_group)
    return tuple(tuple(members) for _, members in groupby(ordered, key=_group))


def attachment(uri: str) -> dict[str, Any]:
    """A photograph kept at ``uri``."""
    digest = hashlib.sha256(uri.encode()).hexdigest()
    return {"uri": uri, "media_type": MediaType.JPEG, "bytes": _PHOTO_BYTES, "sha256": digest}


def _ships_until(order: OrderRecord) -> datetime:
    policy = Policies().get(order.marketplace)
    if policy is None:
        raise ValueError(f"{order.order_no}: there is no profile {order.marketplace}")
    return order.paid_at + timedelta(hours=policy.late_shipment.ship_hours)


def _in_time(value: Any, now: datetime) -> Any:
    match value:
        case "now":
            return now
        case str() if value.startswith("now-"):
            return now - parse_duration(value.removeprefix("now-"))
        case dict():
            return {name: _in_time(each, now) for name, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
        case _:
            return value


def _group(script: Script) -> str:
    return script.group or script.name
