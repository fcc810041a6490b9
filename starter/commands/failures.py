"""From what went wrong to one line (or one JSON object) on standard error, and the exit code."""

import json
import sys
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Final

import asyncpg
import typer
from temporalio.service import RPCError
from typer.core import TyperGroup

from activities.calendar.overrides import CalendarError
from activities.gateways.attachments import AttachmentDamaged
from activities.gateways.payment import GatewayUnreachable
from activities.policies import PolicyError
from activities.postgres.addresses import ContactOfOthers, DefaultAddressNeeded
from activities.postgres.disclosures import OtherLookUnderKey, TooManyReveals
from activities.postgres.exports import (
    ExportOver,
    ExportTooLarge,
    OtherExportUnderKey,
    OtherPurchaseUnderKey,
    QuotaTooSmall,
)
from activities.postgres.flags import OtherMarkingUnderKey
from activities.postgres.granting import CannotMakeRoles
from activities.postgres.limits import LimitReached
from activities.postgres.parcels import EventKeyReused
from activities.postgres.pauses import DeclaredOtherwise
from activities.postgres.schema_mismatch import SETUP_COMMAND, SchemaMismatch
from activities.postgres.statements import OtherTextUnderKey
from activities.postgres.vault import OtherItemUnderKey
from activities.privacy.keys import KeyRingError, UnknownKey
from starter.errors import (
    AftersalesError,
    NoReturnAddress,
    RefusedCommand,
    RefusedReading,
    RefusedRequest,
    RefusedStandingOrder,
    RefusedStatement,
    UnknownCase,
    UnknownOrder,
    Unreachable,
    VagueReply,
    WorkflowStopped,
)
from starter.privacy import AttachmentTooLarge, OtherMediaType
from starter.settings import SettingsError
from starter.stack import StackError
from starter.virtual_numbers import RefusedNumber
from workflows.messages.cases import Refusal


class Exit(IntEnum):
    """The exit codes, as ``aftersales --help`` explains them."""

    OK = 0
    NO = 1
    """The answer is no: something differs, or a check found a problem."""
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    UNKNOWN_CASE = 5


class UsageError(Exception):
    """The words on the command line do not fit. ``field`` names the option or field, empty for all of them."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.message = message
        self.field = field


@dataclass(frozen=True)
class Failure:
    """What standard error says."""

    error: str
    """``usage``, ``setting``, ``unreachable``, ``refused``, ``stopped`` or ``unknown_case``."""
    message: str
    exit_code: int
    code: str = ""
    field: str = ""
    rule: str = ""


_SIGINT_CODE: Final = 130


def ended(application: typer.Typer, arguments: list[str]) -> int:
    """Run ``arguments``; what goes wrong is told on standard error. The result is the exit code.

    Errors that are nobody's but ours keep their traceback.
    """
    as_json = "--json" in arguments
    try:
        return int(_run(application, arguments) or 0)
    except typer.TyperException as error:
        if not as_json and hasattr(error, "show"):
            error.show()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
            return error.exit_code
        failure = Failure("usage", error.format_message() or "a command is missing", Exit.USAGE)
    except KeyboardInterrupt:
        return _SIGINT_CODE
    except Exception as error:
        described = describe(error)
        if described is None:
            raise
        failure = described
    print(json.dumps(asdict(failure), ensure_ascii=False) if as_json else failure.message, file=sys.stderr)
    return failure.exit_code


def describe(error: Exception) -> Failure | None:
    """What ``error`` means to whoever typed the command; None for what is no failure of theirs or of a server."""
    match error:
        case UsageError():
            return Failure("usage", str(error), Exit.USAGE, field=error.field)
        case SettingsError() | PolicyError() | CalendarError() | KeyRingError() | UnknownKey() | CannotMakeRoles():
            return Failure("setting", str(error), Exit.USAGE)
        case UnknownOrder():
            return Failure("usage", str(error), Exit.USAGE, field="ORDER")
        case RefusedRequest() | RefusedCommand() | RefusedReading() | RefusedStandingOrder():
            return _refused(error.refusal)
        case VagueReply() | RefusedStatement() | DeclaredOtherwise() | LimitReached():
            return _refused(_at_the_desk(error))
        case ContactOfOthers():
            return _refused(Refusal(code="unknown_contact", field="--details", rule="T2", explanation=str(error)))
        case DefaultAddressNeeded():
            return _refused(Refusal(code="default_needed", field="ADDRESS", rule="T2", explanation=str(error)))
        case TooManyReveals() | QuotaTooSmall() | ExportOver() | ExportTooLarge():
            return _refused(_disclosure(error))
        case AttachmentTooLarge() | OtherMediaType():
            code = "too_large" if isinstance(error, AttachmentTooLarge) else "other_media_type"
            return _refused(Refusal(code=code, field="FILE", rule="D6", explanation=str(error)))
        case AttachmentDamaged():
            return _refused(Refusal(code="damaged", field="REFERENCE", rule="D6", explanation=str(error)))
        case RefusedNumber():
            return _refused(error.refusal)
        case (
            OtherMarkingUnderKey()
            | OtherTextUnderKey()
            | OtherItemUnderKey()
            | OtherLookUnderKey()
            | OtherExportUnderKey()
            | OtherPurchaseUnderKey()
            | EventKeyReused()
        ):
            return _refused(Refusal(code="key_reused", field="--key", rule="section 11", explanation=str(error)))
        case NoReturnAddress():
            return _refused(error.refusal)
        case WorkflowStopped():
            return Failure("stopped", str(error), Exit.NO)
        case UnknownCase():
            return Failure("unknown_case", str(error), Exit.UNKNOWN_CASE)
        case asyncpg.InvalidCatalogNameError():
            return _unreachable(f"a database is missing, the key store perhaps: run `{SETUP_COMMAND}`")
        case asyncpg.UndefinedTableError() | asyncpg.InvalidSchemaNameError() | asyncpg.UndefinedColumnError():
            return _unreachable(f"the database lacks the schema of this release: run `{SETUP_COMMAND}`")
        case Unreachable() | StackError() | SchemaMismatch() | ConnectionError():
            return _unreachable(str(error))
        case RPCError():
            return _unreachable(f"Temporal does not answer as it should: {error.message}")
        case GatewayUnreachable():
            return _unreachable("the payment gateway does not answer")
        case (
            asyncpg.OperatorInterventionError()  # it is starting, or being shut down
            | asyncpg.InsufficientResourcesError()
            | asyncpg.ObjectNotInPrerequisiteStateError()
            | asyncpg.InvalidAuthorizationSpecificationError()
        ):
            return _unreachable(f"the database refuses: {error} ({type(error).__name__})")
        case asyncpg.PostgresConnectionError() | TimeoutError() | OSError():
            return _unreachable(f"a server cannot be reached: {type(error).__name__}: {error}")
        case AftersalesError():
            return _unreachable(str(error))
        case _:
            return None


def _at_the_desk(error: VagueReply | RefusedStatement | DeclaredOtherwise | LimitReached) -> Refusal:
    match error:
        case VagueReply():
            code, field, rule = "vague_reply", "text", "D7"
        case RefusedStatement():
            code, field, rule = "not_yours", "--as", "section 12"
        case DeclaredOtherwise():
            code, field, rule = "declared_otherwise", "ID", "section 9"
        case LimitReached():
            code, field, rule = "too_many", "--file", "R16"
    return Refusal(code=code, field=field, rule=rule, explanation=str(error))


def _disclosure(error: TooManyReveals | QuotaTooSmall | ExportOver | ExportTooLarge) -> Refusal:
    match error:
        case TooManyReveals():
            code, field, rule = "too_many_reveals", "--as", "P8"
        case QuotaTooSmall():
            code, field, rule = "quota_too_small", "--kind", "P5"
        case ExportOver():
            code, field, rule = "export_over", "FILE", "P5"
        case ExportTooLarge():
            code, field, rule = "export_too_large", "--from", "P5"
    return Refusal(code=code, field=field, rule=rule, explanation=str(error))


def _refused(refusal: Refusal) -> Failure:
    message = f"refused under {refusal.rule}: {refusal.field}: {refusal.explanation} ({refusal.code})"
    return Failure("refused", message, Exit.REFUSED, code=refusal.code, field=refusal.field, rule=refusal.rule)


def _unreachable(message: str) -> Failure:
    return Failure("unreachable", message, Exit.UNREACHABLE)


def _run(application: typer.Typer, arguments: list[str]) -> int | None:
    command = typer.main.get_command(application)
    assert isinstance(command, TyperGroup)
    return command.main(arguments, prog_name="aftersales", standalone_mode=False)
