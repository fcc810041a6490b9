"""Who may do what in the databases: one PostgreSQL role for each kind of process, and all that it needs.

The owner, with whose login `aftersales setup` runs, may do everything; it migrates, and renews the vault. The others
are groups without a login: what logs in is made a member of one. Every table stands here, with nothing for a role that
has no need of it, so that a table that is new cannot be forgotten.

Append-only tables are so for all of them: no role may delete or truncate, and where one may update, it is to lock the
row, and the table's trigger refuses the change.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class DatabaseRole(StrEnum):
    """The kinds of processes that log in, beside the owner's `aftersales setup`."""

    WORKER = "worker"
    CLIENT = "client"
    """Services with the typed client, the merchants' desk and the command line."""
    CODEC = "codec"
    ARCHIVE = "archive"
    """Whoever copies cases and books to where they are kept for longer."""


Privileges = tuple[str, ...]
"""As SQL writes them: ``SELECT``, ``UPDATE (flag)``."""

NO_LONGER_PREFIX: Final = 40
"""Characters of the prefix of the roles' names: PostgreSQL cuts a name after 63."""

_READ: Final = ("SELECT",)
_APPEND: Final = ("SELECT", "INSERT")
_KEEP: Final = ("SELECT", "INSERT", "UPDATE")
_ALL: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")


def _each(
    *, worker: Privileges = (), client: Privileges = (), codec: Privileges = (), archive: Privileges = ()
) -> Mapping[DatabaseRole, Privileges]:
    return {
        DatabaseRole.WORKER: worker,
        DatabaseRole.CLIENT: client,
        DatabaseRole.CODEC: codec,
        DatabaseRole.ARCHIVE: archive,
    }


_STUB: Final = _each(worker=_ALL)
"""Tables of a stand-in of development; where there is an adapter nothing is in them."""
_STUB_THAT_IS_TOLD: Final = _each(worker=_ALL, client=_ALL)
"""The same, of the one that the command line tells how to behave (`aftersales gateway`)."""

_CASE: Final = (
    "SELECT (case_id, run_id, kind, merchant_id, buyer_id, order_no, allowance_id, currency, asked, refunded, "
    "policy, stage, work_list, attention, outcome, opened_at, due_at, closed_at, step, log_length, "
    "opened, stepped, due_rank, flag, stage_since, application, talk, request_digest, pieces, compensated, "
    "about, return_freight, request)"
)
"""All of a case's row but its state, in which an account may be named (T4)."""

_DOSSIER: Final = (
    "SELECT (case_id, kind, merchant_id, buyer_id, order_no, allowance_id, about, currency, asked, refunded, "
    "stage, outcome, opened_at, application, talk)"
)
"""Of a case's row what stands in a dossier, and where the remarks are that belong to it (D8)."""

_NOTICE: Final = (
    "SELECT (id, case_id, template, channel, recipient_role, recipient_id, attempts, last_failure, undeliverable_at)"
)

GRANTS: Final[Mapping[str, Mapping[DatabaseRole, Privileges]]] = {
    "public.alembic_version": _each(worker=_READ, client=_READ, codec=_READ, archive=_READ),
    # Cases
    "casebook.cases": _each(
        worker=_KEEP,
        client=(_CASE, "UPDATE (flag)"),
        codec=("SELECT (case_id, merchant_id, buyer_id, order_no, allowance_id, about)",),
        archive=_READ,
    ),
    "casebook.log": _each(worker=_APPEND, client=_READ, archive=_READ),
    "casebook.closed_keys": _each(worker=_READ, client=("SELECT", "UPDATE (flag)"), archive=_READ),
    "casebook.closed_cases": _each(worker=_APPEND, archive=_APPEND),
    "casebook.closed_log": _each(worker=_APPEND, archive=_APPEND),
    "casebook.archives": _each(worker=_ALL, client=_READ, archive=_ALL),
    "casebook.every_case": _each(
        worker=_READ,
        client=_READ,
        codec=(_DOSSIER,),
        archive=_READ,
    ),
    "casebook.whole_case": _each(
        worker=_READ, client=(_CASE,), codec=("SELECT (case_id, opened, stepped)",), archive=_READ
    ),
    "casebook.whole_log": _each(worker=_READ, client=_READ, codec=_READ, archive=_READ),
    "casebook.standing": _each(worker=("SELECT", "UPDATE"), client=_READ),
    "casebook.repeated_attempts": _each(worker=_ALL, client=("SELECT", "DELETE")),
    "disputes.evidence": _each(worker=_KEEP, client=_READ, codec=_READ, archive=_READ),
    "disputes.statements": _each(
        worker=_READ,
        client=_APPEND,
        codec=_READ,
    ),
    "notices.outbox": _each(
        worker=_KEEP,
        client=(
            _NOTICE,
            "UPDATE (undeliverable_at, next_attempt_at, attempts)",
        ),
    ),
    "events.origin": _each(worker=("SELECT", "UPDATE"), client=_READ),
    "events.feed": _each(worker=("SELECT", "INSERT", "DELETE"), client=_READ),
    "events.readers": _each(worker=_ALL, client=_ALL),
    "webhooks.endpoints": _each(worker=_KEEP, client=("SELECT", "UPDATE", "DELETE")),
    "webhooks.waiting": _each(worker=_ALL, client=("SELECT", "UPDATE", "DELETE")),
    "declarations.pauses": _each(worker=_READ, client=_KEEP),
    "declarations.exemptions": _each(worker=_READ, client=_APPEND),
    # Money
    "ledger.funds": _each(worker=("SELECT", "INSERT", "UPDATE (currency)"), client=_READ, archive=_READ),
    "ledger.fund_parts": _each(worker=_APPEND, client=_READ, archive=_READ),
    "ledger.legs": _each(worker=_KEEP, client=_READ, archive=_READ),
    "ledger.leg_parts": _each(worker=_APPEND, client=_READ, archive=_READ),
    "ledger.leg_events": _each(worker=_APPEND, client=_READ, archive=_READ),
    "ledger.past_funds": _each(worker=_READ, client=_READ, archive=_READ),
    "ledger.past_legs": _each(worker=_READ, client=_READ, archive=_READ),
    "ledger.leaving": _each(),
    "ledger.every_leg": _each(worker=_READ, client=_READ, archive=_READ),
    "ledger.every_leg_event": _each(worker=_READ, client=_READ, archive=_READ),
    "ledger.owed_once": _each(worker=_APPEND, client=_READ, archive=_READ),
    "ledger.alerts": _each(worker=_APPEND, client=("SELECT", "UPDATE")),
    "ledger.differences": _each(
        worker=_KEEP, client=("SELECT", "UPDATE (resolved_at, accepted_at, accepted_by, accepted_for)")
    ),
    "ledger.stated_otherwise": _each(worker=_ALL),
    "ledger.statement_days": _each(worker=_APPEND, client=_READ, archive=_READ),
    # What was sold, and what merchants keep
    "shop.orders": _each(
        worker=_READ,
        client=(
            "SELECT",
            "INSERT",
            "UPDATE (freight, freight_insured, outbound_at, shipped_at, on_delivery_run_at, completed_at)",
            "UPDATE (refundable_until)",
            "UPDATE (version, told, language)",
        ),
    ),
    "shop.order_lines": _each(worker=_READ, client=_ALL),
    "shop.order_tenders": _each(worker=_READ, client=_ALL),
    "shop.parcel_lines": _each(worker=_READ, client=_KEEP),
    "shop.allowances": _each(
        worker=("SELECT", "UPDATE"), client=("SELECT", "INSERT", "UPDATE (valid_until, account_lookup, spent)")
    ),
    "shop.allowance_campaigns": _each(client=("SELECT", "INSERT", "UPDATE (ends_at)")),
    "shop.return_addresses": _each(worker=_READ, client=_KEEP),
    "shop.return_address_versions": _each(worker=_READ, client=_APPEND),
    "shop.flags": _each(worker=_READ, client=_KEEP, codec=_READ),
    "shop.flag_history": _each(client=_APPEND),
    "shop.remarks": _each(client=("SELECT", "INSERT", "UPDATE (person, sealed)"), codec=_READ),
    "shop.standing_orders": _each(worker=_READ, client=_APPEND),
    "shop.standing_decisions": _each(worker=_APPEND, client=_READ),
    "shop.score_changes": _each(worker=_APPEND, client=_READ),
    "logistics.events": _each(worker=_APPEND, client=_APPEND),
    "logistics.watches": _each(worker=("SELECT", "INSERT", "DELETE"), client=_APPEND),
    "inbox.messages": _each(worker=_READ, client=_ALL),
    # Persons
    "vault.recipients": _each(worker=_READ, client=_ALL),
    "vault.items": _each(
        worker=_READ,
        client=("SELECT", "INSERT", "DELETE"),
        codec=("SELECT (reference, kind, person, sealed)",),
    ),
    "vault.lookups": _each(worker=_READ, client=("SELECT", "INSERT", "DELETE")),
    "vault.looks": _each(client=_APPEND, codec=_APPEND),
    "vault.erasures": _each(client=_APPEND),
    "vault.number_subjects": _each(worker=_KEEP, client=_READ),
    "vault.bindings": _each(worker=_KEEP, client=_READ),
    "vault.renewals": _each(),
    "exports.jobs": _each(client=_APPEND),
    "exports.rows": _each(client=("SELECT", "INSERT", "DELETE")),
    "exports.accounts": _each(client=_KEEP),
    "exports.movements": _each(client=_APPEND),
    # Stand-ins
    "channels.sent": _STUB,
    "channels.failures": _STUB,
    "gateway.refunds": _STUB_THAT_IS_TOLD,
    "gateway.behaviours": _STUB_THAT_IS_TOLD,
    "gateway.callbacks": _STUB_THAT_IS_TOLD,
    "carrier.events": _STUB,
    "carrier.announcements": _STUB,
    "carrier.behaviours": _STUB,
    "numbers.pool": _STUB,
    "numbers.bindings": _STUB,
    "numbers.behaviours": _STUB,
}
"""The database of the cases: what each role may do with each table."""

FUNCTIONS: Final[Mapping[str, tuple[DatabaseRole, ...]]] = {
    "casebook.make_month(date)": (DatabaseRole.WORKER, DatabaseRole.ARCHIVE),
    "casebook.move_closed(timestamptz, integer)": (DatabaseRole.WORKER,),
    "casebook.bring_back(text)": (DatabaseRole.WORKER,),
    "ledger.move_funds(timestamptz, timestamptz, integer)": (DatabaseRole.WORKER,),
    "ledger.bring_back(text)": (DatabaseRole.WORKER, DatabaseRole.CLIENT),
    "casebook.hold_month(date)": (DatabaseRole.WORKER, DatabaseRole.ARCHIVE),
    "casebook.drop_month(date, bigint, bigint)": (DatabaseRole.WORKER, DatabaseRole.ARCHIVE),
}
"""Functions that do, as the owner, what no role may do by itself, and who may call them."""

KEY_STORE_GRANTS: Final[Mapping[str, Mapping[DatabaseRole, Privileges]]] = {
    "keystore.person_keys": _each(
        worker=("SELECT (id, ring_key, wrapped)",),
        # It forgets persons: the row's former version, the key in it, is cleaned up at once (MAINTAIN is for VACUUM).
        client=("SELECT", "INSERT", "UPDATE (ring_key, wrapped, destroyed_at)", "MAINTAIN"),
        codec=("SELECT (id, ring_key, wrapped)",),
    ),
}
"""The key store: keys are made by whoever keeps texts, and read by whoever opens them."""


def role_name(prefix: str, role: DatabaseRole) -> str:
    """How a role is called where the names of all begin with ``prefix``."""
    return f"{prefix}_{role}"
