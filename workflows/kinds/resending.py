"""Goods that are sent again instead of money, as both sides have agreed (N1, N3, T14).

No money moves. The merchant has as long as for an exchange (T8); where it does not send, or where nothing arrives, the
buyer has the right to intervention, and what was asked for is still asked for.
"""

from workflows.kinds import disputed, every_case
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.disputed import DISPUTED
from workflows.kinds.negotiating import Agreed, accepted_notice, go_on_as_agreed, says
from workflows.kinds.order_money import PAID_BACK
from workflows.kinds.outgoing import AGAIN, heard_of, once_the_buyer_has_them, send_again, told_of_outgoing
from workflows.kinds.process import Table, hears, silence, takes
from workflows.kinds.received import refund_directly
from workflows.kinds.resend_stages import RESEND, RESEND_FAILED, RESEND_OVERDUE, RESEND_UNDERWAY
from workflows.kinds.stage import BUYER, MERCHANT, MERCHANT_OR_PLATFORM, PLATFORM
from workflows.messages.cases import LogEntry, NoticeTemplate
from workflows.messages.commands import (
    CloseCase,
    ConfirmExchange,
    OpenDispute,
    RefundDirectly,
    ReportParcel,
    Reship,
    Withdraw,
)
from workflows.messages.proposals import SendAgain
from workflows.messages.stages import Attention, OutcomeKind


def table() -> Table:
    """From what was agreed on to goods that the buyer has: for each kind in which it may be agreed on."""
    sends = takes(Reship, MERCHANT, send_again, sent_again=RESEND_UNDERWAY)
    confirm = takes(ConfirmExchange, BUYER, _confirm, resend_confirmed=OutcomeKind.RESENT)
    dispute = takes(OpenDispute, BUYER, disputed.open_dispute)
    directly = takes(RefundDirectly, MERCHANT_OR_PLATFORM, refund_directly, refunded_directly=PAID_BACK)
    close = takes(CloseCase, PLATFORM, every_case.closed_by_officer, closed_by_officer=OutcomeKind.CLOSED_BY_OFFICER)
    parcel = hears(ReportParcel, _carrier_tells)
    owed = (sends, directly, dispute, close, says())
    return {
        RESEND: (
            sends,
            takes(Withdraw, BUYER, every_case.withdrawn, withdrawn=OutcomeKind.WITHDRAWN),
            says(),
            parcel,
            silence(_overdue, resend_overdue=RESEND_OVERDUE),
        ),
        RESEND_OVERDUE: (*owed, parcel),
        RESEND_UNDERWAY: (
            confirm,
            takes(OpenDispute, BUYER, disputed.stand_still_and_dispute, dispute_opened=DISPUTED),
            says(),
            parcel.leading(goods_refused=RESEND_FAILED, goods_returned_to_warehouse=RESEND_FAILED),
            silence(
                _confirm_by_silence,
                resend_confirmed_by_silence=OutcomeKind.RESENT,
                goods_not_signed=RESEND_FAILED,
                goods_came_back=RESEND_FAILED,
            ),
        ),
        RESEND_FAILED: (*owed, confirm, parcel.leading(goods_signed=RESEND_UNDERWAY)),
    }


def resend_as_agreed(what: Agreed) -> Decision:
    """N3: the merchant has agreed to it by its proposal, or to it."""
    terms = what.proposal.terms
    pieces = terms.pieces if isinstance(terms, SendAgain) else ()
    named = " ".join(f"{each.line}:{each.quantity}" for each in pieces)
    entry = what.entry.model_copy(update={"facts": {**what.entry.facts, **({"pieces": named} if named else {})}})
    return go_on_as_agreed(what, what.case.enter(RESEND, entry, notices=accepted_notice(what)))


def _overdue(case: Case) -> Decision:
    """A right, and no decision (as T8)."""
    notices = case.notice(NoticeTemplate.RESEND_LATE, case.buyer)
    return case.enter(
        RESEND_OVERDUE, case.silent("resend_overdue"), notices=notices, attention=Attention.RESEND_OVERDUE
    )


def _carrier_tells(case: Case, report: ReportParcel) -> Decision:
    """T14."""
    case = heard_of(case, report)
    return told_of_outgoing(case, report) or every_case.note_parcel(case, report)


def _confirm(case: Case, command: ConfirmExchange) -> Decision:
    return _resent(case, case.obeyed(command, "resend_confirmed"))


def _confirm_by_silence(case: Case) -> Decision:
    """T14: signed for, it has arrived; else a person is called."""
    return once_the_buyer_has_them(case, AGAIN, lambda case: _resent(case, case.silent("resend_confirmed_by_silence")))


def _resent(case: Case, entry: LogEntry) -> Decision:
    """R13: no money moved; the pieces stay bought, and may be asked about again."""
    notices = case.closed_notices(OutcomeKind.RESENT)
    return case.close(OutcomeKind.RESENT, entry, rule="N3", by=entry.by, notices=notices)
