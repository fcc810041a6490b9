"""Every message, and every value that lies in the database as JSON."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import BaseModel

import workflows.messages
from activities.notices.templates import FIELDS
from activities.postgres.kept_figures import Figure
from workflows.kinds.state import State
from workflows.messages.applications import ApplicationVersion
from workflows.messages.cases import Stepped
from workflows.messages.disclosures import ExportRow, StartExport
from workflows.messages.events import Event
from workflows.messages.evidence import Evidence
from workflows.messages.message import Input, Message
from workflows.messages.openings import Opened, OpenedBy
from workflows.messages.pieces import CasePieces
from workflows.messages.proposals import Talk
from workflows.messages.standing_orders import StandingOrder

STORED: Final[Mapping[str, type[BaseModel] | None]] = {
    "casebook.cases.opened": Opened,
    "casebook.cases.stepped": Stepped,
    "casebook.cases.application": ApplicationVersion,
    "casebook.cases.pieces": CasePieces,
    "casebook.cases.talk": Talk,
    "casebook.cases.state": State,
    "casebook.cases.request": OpenedBy,
    "casebook.log.facts": None,
    "casebook.closed_keys.application": ApplicationVersion,
    "casebook.closed_keys.pieces": CasePieces,
    "casebook.closed_cases.opened": Opened,
    "casebook.closed_cases.stepped": Stepped,
    "casebook.closed_cases.application": ApplicationVersion,
    "casebook.closed_cases.pieces": CasePieces,
    "casebook.closed_cases.talk": Talk,
    "casebook.closed_cases.state": State,
    "casebook.closed_cases.request": OpenedBy,
    "casebook.closed_log.facts": None,
    "casebook.log.command": None,
    "casebook.closed_log.command": None,
    "ledger.past_funds.document": None,
    "disputes.evidence.attachments": Evidence,
    "exports.jobs.asked": StartExport,
    "exports.rows.facts": ExportRow,
    "casebook.standing.figures": Figure,
    "shop.standing_orders.terms": StandingOrder,
    "notices.outbox.fields": None,
    "events.feed.event": Event,
    "webhooks.waiting.event": Event,
    "inbox.messages.body": None,
}
"""What lies in each column of JSON; None where its names are free, or another column says what they are."""


def _messages() -> Iterator[type[BaseModel]]:
    for module in pkgutil.iter_modules(workflows.messages.__path__):
        for value in vars(importlib.import_module(f"workflows.messages.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, Message | Input) and value not in {Message, Input}:
                yield value


MODELS: Final = tuple(
    sorted({*_messages(), *filter(None, STORED.values()), *FIELDS.values()}, key=lambda each: each.__name__)
)
