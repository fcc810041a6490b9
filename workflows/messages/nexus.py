"""What services in other namespaces call through Nexus: the operations, and what they take and give.

Neither side has the other's keys, so all of this is in clear in both histories. It holds ids, codes and amounts only.
"""

from typing import Annotated, Any, Self

from nexusrpc import Operation
from nexusrpc import service as nexus_service
from pydantic import StringConstraints

from workflows.messages.cases import CaseView, OpenCommand, Outcome
from workflows.messages.commands import Command
from workflows.messages.message import CaseId, Identifier, Input, Instant, Message
from workflows.messages.money import Money
from workflows.messages.requests import (
    DisputeRequest,
    MerchantRefundRequest,
    PriceProtectionRequest,
    RefundRequest,
    RepairRequest,
    ResendRequest,
    ReturnRequest,
    WithdrawalRequest,
)
from workflows.messages.stages import Attention, CaseKind, OutcomeKind, Silence, StageName, Stopped

CommandName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,63}$")]
"""A command's name, such as ``pay_in_advance``."""


class CommandTo(Input):
    """A command to a case. Its ``key`` makes it one command, however often it is sent."""

    case: CaseId
    name: CommandName
    command: dict[str, Any]
    """What the command says, by field: key, by, and what is its own."""

    @classmethod
    def of(cls, case: str, command: Command) -> Self:
        """What says this command to this case."""
        return cls(
            case=case,
            name=command.command_name(),
            command=command.model_dump(mode="json", exclude_defaults=True),
        )


class CaseNamed(Input):
    """The case that is meant."""

    case: CaseId


class CaseTold(Message):
    """A case at one moment, as far as it is told to other services: no references to what is a person's own (P6)."""

    case_id: str
    kind: CaseKind | None
    stage: StageName
    rule: str
    merchant_id: Identifier
    order_no: Identifier | None = None
    allowance_id: Identifier | None = None
    asked: Money | None
    refunded: Money | None
    compensated: Money | None = None
    opened_at: Instant
    due: Instant | None
    on_silence: Silence
    commands: tuple[OpenCommand, ...]
    """What the case takes now, and from whom."""
    attention: Attention | None
    outcome: OutcomeKind | None
    dispute: CaseId | None = None
    stopped: Stopped | None = None
    policy: str
    """Name and version: ``douyin/1``."""

    @classmethod
    def of(cls, view: CaseView) -> Self:
        """What is told of this view."""
        return cls.model_validate(view.model_dump(include=set(cls.model_fields)))


@nexus_service(name="Aftersales")
class AftersalesNexus:
    """The operations. Those that open a case end with its outcome, be it in days; the others answer at once."""

    open_refund: Operation[RefundRequest, Outcome]
    open_merchant_refund: Operation[MerchantRefundRequest, Outcome]
    open_return: Operation[ReturnRequest, Outcome]
    open_price_protection: Operation[PriceProtectionRequest, Outcome]
    open_resend: Operation[ResendRequest, Outcome]
    open_repair: Operation[RepairRequest, Outcome]
    open_dispute: Operation[DisputeRequest, Outcome]
    open_withdrawal: Operation[WithdrawalRequest, Outcome]
    act: Operation[CommandTo, CaseTold]
    view: Operation[CaseNamed, CaseTold]
