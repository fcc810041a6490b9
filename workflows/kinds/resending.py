"""Goods that are sent again, as the buyer has asked for or as both sides have agreed (C3, C4, N3, T14).

No money moves. Where the merchant does not send, or where nothing arrives, the buyer has the right to intervention, and
what was asked for is still asked for.
"""

from workflows.kinds import disputed, every_case
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.disputed import DISPUTED
from workflows.kinds.negotiating import Agreed, accepted_notice, go_on_as_agreed, says
from workflows.kinds.order_money import PAID_BACK
from workflows.kinds.outgoing import (
    AGAIN,
    came_back_from_buyer,
    heard_of,
    once_the_buyer_has_them,
    send_again,
    told_of_outgoing,
    with_goods,
)
from workflows.kinds.owed import granted
from workflows.kinds.process import On, Table, hears, silence, takes
from workflows.kinds.received import refund_directly
from workflows.kinds.resend_stages import RESEND, RESEND_FAILED, RESEND_OVERDUE, RESEND_UNDERWAY
from workflows.kinds.stage import BUYER, MERCHANT, MERCHANT_OR_PLATFORM, PLATFORM
from workflows.messages.cases import LogEntry, NoticeTemplate, Refusal
from workflows.messages.commands import (
    CloseCase,
    Command,
    ConfirmExchange,
    OpenDispute,
    RefundDirectly,
    ReportParcel,
    Reship,
    Withdraw,
)
from workflows.messages.proposals import SendAgain
from workflows.messages.rulings import Award, Ruling
from workflows.messages.stages import Attention, OutcomeKind, StageName
from workflows.rules.negotiation import terms_facts
from workflows.rules.refusals import refused
from workflows.rules.resending import agreed_pieces


def table(instead: tuple[On, ...] = ()) -> Table:
    """From what was agreed on to goods that the buyer has, for each kind in which it may be.

    ``instead`` are the lines of what both sides may still agree on while nothing is on its way; without any, they can
    only leave words.
    """
    talk = instead or (says(),)
    sends = takes(Reship, MERCHANT, send_again, sent_again=RESEND_UNDERWAY)
    confirm = takes(ConfirmExchange, BUYER, _confirm, resend_confirmed=OutcomeKind.RESENT)
    dispute = takes(OpenDispute, BUYER, disputed.open_dispute)
    directly = takes(RefundDirectly, MERCHANT_OR_PLATFORM, refund_directly, refunded_directly=PAID_BACK)
    close = takes(CloseCase, PLATFORM, every_case.closed_by_officer, closed_by_officer=OutcomeKind.CLOSED_BY_OFFICER)
    parcel = hears(ReportParcel, carrier_tells)
    owed = (sends, directly, dispute, close, *talk)
    return {
        RESEND: (
            sends,
            takes(Withdraw, BUYER, every_case.withdrawn, withdrawn=OutcomeKind.WITHDRAWN),
            *talk,
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
    assert isinstance(terms, SendAgain)
    entry = what.entry.model_copy(update={"facts": {**what.entry.facts, **terms_facts(terms)}})
    pieces = agreed_pieces(terms, what.amendment)
    sends = asked_since(what.case)
    agreed = sends.enter(RESEND, entry, pieces=pieces, claims=True, notices=accepted_notice(what))
    return go_on_as_agreed(what, agreed)


def asked_since(case: Case) -> Case:
    """T14: a parcel that had arrived before anybody asked for one is another, be it that it has the same number."""
    asked = case.state.applied
    return with_goods(case, agreed_at=asked.at) if asked else case


def _overdue(case: Case) -> Decision:
    """A right, and no decision (as T8)."""
    notices = case.notice(NoticeTemplate.RESEND_LATE, case.buyer)
    return case.enter(
        RESEND_OVERDUE, case.silent("resend_overdue"), notices=notices, attention=Attention.RESEND_OVERDUE
    )


def carrier_tells(case: Case, report: ReportParcel) -> Decision:
    """T14: what is told of goods on their way to the buyer."""
    case = heard_of(case, report)
    return told_of_outgoing(case, report) or every_case.note_parcel(case, report)


def _confirm(case: Case, command: ConfirmExchange) -> Decision:
    return _resent(case, case.obeyed(command, "resend_confirmed"))


def _confirm_by_silence(case: Case) -> Decision:
    """T14: signed for, it has arrived; else a person is called."""
    return once_the_buyer_has_them(case, AGAIN, lambda case: _resent(case, case.silent("resend_confirmed_by_silence")))


def _resent(case: Case, entry: LogEntry) -> Decision:
    """C6: no money moved, and the buyer has what was bought; T10: be it that it has sent goods in before."""
    notices = case.closed_notices(OutcomeKind.RESENT)
    return granted(case, case.close(OutcomeKind.RESENT, entry, rule="C4", by=entry.by, notices=notices))


def carry_out(case: Case, ruling: Ruling) -> Decision:
    """D8, where no goods come back."""
    return going_on(case, ruling) or disputed.carry_out_ruling(case, ruling)


def going_on(case: Case, ruling: Ruling) -> Decision | None:
    """C4, D8: where a ruling gives nothing, what is on its way to the buyer goes on, and counts as sent again (C6)."""
    stood, free = case.state.dispute.standstill, disputed.ruled(case)
    gives = ruling.amount or ruling.award is Award.FULL
    if gives or (stood.stage if stood else case.stage.name) is not RESEND_UNDERWAY.name:
        return None
    return free.but(ruling=ruling).enter(RESEND_UNDERWAY, disputed.ruling_entry(free, ruling))


def refused_content(case: Case, command: Command) -> Refusal | None:
    """C4, R13, T8: who has got, or is getting, other goods does not take the request back, and asks for money then."""
    goods, stood = case.state.goods, case.state.dispute.standstill
    if not isinstance(command, Withdraw) or goods.outgoing is None or came_back_from_buyer(goods):
        return None
    match stood.stage if stood else case.stage.name:
        case StageName.SENT_BACK | StageName.REPAIR_UNDERWAY:  # its own goods
            return None
        case StageName.EXCHANGE_UNDERWAY:
            return refused("goods_sent", "command", "T8", "they have been sent: resolve takes the dispute back alone")
        case _:
            return refused("goods_sent", "command", "C4", "it has been sent: resolve takes the dispute back alone")
