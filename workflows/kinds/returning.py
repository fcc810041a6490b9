"""Goods that come back: a return, an exchange or a repair, from the merchant's decision to its outcome (T1 to T15).

A refund whose goods have shipped meanwhile goes this way as well (R7). The module is long because a kind is read in one
place, from top to bottom.
"""

from dataclasses import replace

from workflows.kinds import disputed, every_case, negotiating, order_money, overdue, rejecting, resending
from workflows.kinds.case import Case
from workflows.kinds.decisions import Decision
from workflows.kinds.disputed import DISPUTED
from workflows.kinds.evidence import take_evidence
from workflows.kinds.incoming import (
    INCOMING,
    MAY_ENTER_TRACKING,
    WITH_MERCHANT,
    ask_for_return,
    carrier_tells,
    enter_tracking,
    extend_receipt,
    not_returned,
    offer_extension,
    refused_tracking,
)
from workflows.kinds.negotiating import Agreed, go_on_as_agreed
from workflows.kinds.order_money import PAID_BACK, refund
from workflows.kinds.outgoing import (
    BACK,
    MENDED,
    OTHERS,
    Instead,
    buyer_signed,
    exchanged,
    instead_in,
    merchant_has,
    once_the_buyer_has_them,
    reship,
    send_back,
    with_goods,
)
from workflows.kinds.overdue import MERCHANT_OVERDUE
from workflows.kinds.owed import granted
from workflows.kinds.process import On, Process, Table, hears, silence, takes
from workflows.kinds.received import (
    carry_out,
    comes_to,
    confirm_receipt,
    convert_to_refund,
    goods_signed,
    once_tracked,
    pay_for_held,
    pay_received_as_agreed,
    refund_by_silence,
    refund_directly,
    reject_receipt,
)
from workflows.kinds.rejecting import REJECTED
from workflows.kinds.resend_stages import RESEND, RESEND_FAILED, RESEND_UNDERWAY
from workflows.kinds.return_stages import (
    ADDRESS_MISSING,
    AWAITING_RETURN,
    GOODS_HELD,
    RECEIPT_REJECTED,
    RETURN_DELAYED,
    RETURN_EXTENDED,
    RETURN_IN_TRANSIT,
    RETURN_OVERDUE,
    RETURN_RECEIVED,
    RETURN_REFUSED,
    RETURN_REVIEW,
    SENT_BACK,
)
from workflows.kinds.stage import BUYER, MERCHANT, MERCHANT_OR_PLATFORM, PARTIES, PLATFORM, Stage
from workflows.messages.cases import LogEntry, NoticeTemplate, Refusal
from workflows.messages.commands import (
    AcceptProposal,
    AgreeReturn,
    Amend,
    Approve,
    CloseCase,
    Command,
    ConfirmExchange,
    ConfirmReceipt,
    ConvertToRefund,
    EnterTracking,
    ExtendReceipt,
    GiveRefundAccount,
    OpenDispute,
    RefundDirectly,
    Reject,
    ReportParcel,
    Reship,
    SendBack,
    SubmitEvidence,
    Withdraw,
)
from workflows.messages.pieces import PieceUse
from workflows.messages.proposals import KeepGoods, MoreProof, RefundInstead, SendAgain
from workflows.messages.stages import Attention, CaseKind, OutcomeKind
from workflows.messages.statements import EvidenceGiven
from workflows.messages.step_parts import AddressChoice, ParcelWatch
from workflows.rules.pieces import pieces_of
from workflows.rules.refusals import refused
from workflows.rules.returns import refused_receipt


def process(instead: Instead | None, title: str) -> Process:
    """T1 to T15: what is decided, sent back, received, and paid, or answered with goods ``instead`` of money."""
    review = instead.review if instead else RETURN_REVIEW
    signed = {"goods_signed": (instead.owed if instead else RETURN_RECEIVED, RECEIPT_REJECTED)}
    confirmed = instead.owed if instead else PAID_BACK
    receipt = takes(ConfirmReceipt, MERCHANT, confirm_receipt, receipt_confirmed=confirmed)  # T5, T6, T8
    tracking = takes(EnterTracking, MAY_ENTER_TRACKING, _enter_tracking)  # T3, T13
    account = takes(GiveRefundAccount, BUYER, order_money.take_account)  # T4
    convert = takes(ConvertToRefund, PARTIES, convert_to_refund)  # T9
    converts = convert.leading(converted_to_refund=PAID_BACK)
    directly = takes(RefundDirectly, MERCHANT_OR_PLATFORM, refund_directly, refunded_directly=PAID_BACK)  # T1
    withdraw = takes(Withdraw, BUYER, every_case.withdrawn, withdrawn=OutcomeKind.WITHDRAWN)  # R6
    close = takes(CloseCase, PLATFORM, every_case.closed_by_officer, closed_by_officer=OutcomeKind.CLOSED_BY_OFFICER)
    dispute = takes(OpenDispute, BUYER, disputed.open_dispute)
    stand_still = takes(OpenDispute, BUYER, disputed.stand_still_and_dispute, dispute_opened=DISPUTED)
    parcel = hears(ReportParcel, _carrier_tells)  # T6, T14
    not_sent = parcel.leading(**_not_there(RETURN_REFUSED))
    underway = (
        tracking.leading(**_not_there(RETURN_REFUSED), goods_came_back=RETURN_REFUSED),
        account,
        convert,
        receipt,
        parcel.leading(**signed, **_not_there(RETURN_REFUSED)),
    )
    ask_carrier = silence(
        lambda case: ask_for_return(case, goods_signed),
        return_overdue=RETURN_OVERDUE,
        goods_came_back=RETURN_REFUSED,
        **signed,
    )
    lost = (
        tracking.leading(tracking_entered=RETURN_IN_TRANSIT),
        account,
        convert,
        receipt,
        directly,
        dispute,
        close,
    )
    agreed = (*PAID_BACK, AWAITING_RETURN, ADDRESS_MISSING, RESEND)
    talks = negotiating.talks(_carry_out_agreed, *agreed)  # N1
    pays = negotiating.talks(_carry_out_agreed, *PAID_BACK)
    pays_less = () if instead else pays
    own = {
        review: (
            takes(AgreeReturn, MERCHANT, _agree, return_agreed=AWAITING_RETURN),  # T1, T2
            takes(RefundDirectly, MERCHANT, refund_directly, refunded_directly=PAID_BACK),
            takes(Reject, MERCHANT, rejecting.reject, rejected=REJECTED),  # T1
            withdraw,
            account,
            takes(SubmitEvidence, PARTIES, take_evidence),
            *talks,
            not_sent,
            overdue.unless_silent(_agree_by_silence, return_agreed_by_silence=(AWAITING_RETURN, ADDRESS_MISSING)),
        ),
        MERCHANT_OVERDUE: overdue.table(
            *talks,
            takes(AgreeReturn, MERCHANT, _agree, return_agreed=AWAITING_RETURN),
            takes(RefundDirectly, MERCHANT, refund_directly, refunded_directly=PAID_BACK),
            account,
            takes(SubmitEvidence, PARTIES, take_evidence),
            not_sent,
        ),
        REJECTED: (
            takes(Amend, BUYER, _apply_again, amended=review),  # R6
            stand_still,
            *negotiating.talks(_carry_out_agreed, *agreed, review),
            parcel,
            silence(rejecting.close_as_rejected, closed_as_rejected=OutcomeKind.REJECTED),
        ),
        ADDRESS_MISSING: (
            takes(AgreeReturn, MERCHANT_OR_PLATFORM, _agree, return_agreed=AWAITING_RETURN),
            directly,
            withdraw,
            account,
            close,
            not_sent,
        ),
        AWAITING_RETURN: (
            tracking.leading(tracking_entered=RETURN_IN_TRANSIT),
            account,
            convert,
            receipt,
            withdraw,
            negotiating.says(),
            not_sent,
            silence(not_returned, not_returned=OutcomeKind.NOT_RETURNED),
        ),
        RETURN_IN_TRANSIT: (*underway, silence(offer_extension, extension_offered=RETURN_DELAYED)),
        RETURN_DELAYED: (
            *underway,
            takes(ExtendReceipt, MERCHANT, extend_receipt, receipt_extended=RETURN_EXTENDED),
            ask_carrier,
        ),
        RETURN_EXTENDED: (*underway, ask_carrier),
        RETURN_OVERDUE: (*lost, parcel.leading(**signed, **_not_there(RETURN_REFUSED))),
        RETURN_REFUSED: (*lost, parcel),
        RECEIPT_REJECTED: (
            stand_still,
            receipt,
            takes(SendBack, MERCHANT, send_back, sent_back=SENT_BACK),  # T15
            *pays_less,
            parcel,
            silence(_hold_goods, goods_held=GOODS_HELD),
        ),
        SENT_BACK: (
            stand_still,
            parcel.leading(**_not_there(GOODS_HELD)),
            silence(
                _rejected_by_silence,
                closed_as_rejected=(OutcomeKind.REJECTED, OutcomeKind.DISMISSED),
                goods_not_signed=GOODS_HELD,
                goods_came_back=GOODS_HELD,
            ),
        ),
        GOODS_HELD: (
            takes(SendBack, MERCHANT, send_back, sent_back=SENT_BACK),
            receipt,
            directly,
            account,
            dispute,
            close,
            parcel.leading(goods_signed=SENT_BACK),
        ),
    }
    received: Table = {
        RETURN_RECEIVED: (
            receipt,
            takes(Reject, MERCHANT, reject_receipt, rejected=RECEIPT_REJECTED),  # T6
            account,
            dispute,
            *pays,
            parcel.leading(**_not_there(RETURN_REFUSED)),
            silence(refund_by_silence, approved_by_silence=PAID_BACK),
        ),
    }
    if instead:
        received = _goods_instead(instead, converts, account, dispute, (close, directly), pays)
    return Process(
        title,
        opens=(review,),
        table=disputed.disputable(
            {**own, **received, **resending.table()},
            approve=_approve,
            note_parcel=_carrier_tells,
            carry_out=carry_out,
            comes_disputed=() if instead else (RETURN_REVIEW,),  # R7: a refund whose goods have shipped meanwhile
            with_merchant=frozenset({RETURN_RECEIVED, RECEIPT_REJECTED, GOODS_HELD, RESEND_FAILED, *WITH_MERCHANT}),
            talks=talks,
            settled=(RESEND,),
            sends_back=(RECEIPT_REJECTED,),
            incoming=INCOMING,
            underway=(SENT_BACK, MENDED.sending.underway) if instead is MENDED else (SENT_BACK,),
            other_goods=(RESEND_UNDERWAY, OTHERS.sending.underway) if instead is OTHERS else (RESEND_UNDERWAY,),
        ),
    )


def _goods_instead(
    instead: Instead, converts: On, account: On, dispute: On, officers: tuple[On, On], pays: tuple[On, ...]
) -> Table:
    """T8, M3, M4: what is owed for goods that the merchant has, sent, and confirmed.

    Of what ``officers`` may do: whoever is called because nothing has arrived (T14), or was sent, can also have it paid
    for, since what has been ruled on is disputed no more (D10).
    """
    close, directly = officers
    pays_for_held = takes(RefundDirectly, PLATFORM, pay_for_held, refunded_directly=PAID_BACK)
    underway, failed = instead.sending.underway, instead.sending.failed
    reships = takes(Reship, MERCHANT, reship, **{instead.sent: underway})
    confirms = takes(ConfirmExchange, BUYER, _confirm_exchange, **{instead.confirmed: instead.outcome})
    parcel = hears(ReportParcel, _carrier_tells)
    not_received = parcel.leading(**_not_there(RETURN_REFUSED))
    owed = (reships, converts, account)
    return {
        instead.owed: (
            reships,
            takes(Reject, MERCHANT, reject_receipt, rejected=RECEIPT_REJECTED),
            converts,
            account,
            *pays,
            not_received,
            silence(_reshipment_overdue, **{instead.late: instead.overdue}),
        ),
        instead.overdue: (*owed, dispute, close, pays_for_held, *pays, not_received),
        underway: (
            confirms,
            takes(OpenDispute, BUYER, disputed.stand_still_and_dispute, dispute_opened=DISPUTED),
            parcel.leading(**_not_there(failed)),
            silence(
                _exchange_by_silence,
                **{instead.confirmed_by_silence: instead.outcome},
                goods_not_signed=failed,
                goods_came_back=failed,
            ),
        ),
        failed: (*owed, dispute, close, confirms, directly, parcel.leading(goods_signed=underway)),
    }


def _not_there(stage: Stage) -> dict[str, Stage]:
    """What is told of a parcel that its receiver has not taken (T14)."""
    return {"goods_refused": stage, "goods_returned_to_warehouse": stage}


def _carrier_tells(case: Case, report: ReportParcel) -> Decision:
    return carrier_tells(case, report, goods_signed)


def _enter_tracking(case: Case, command: EnterTracking) -> Decision:
    return enter_tracking(case, command, once_tracked)


def become_return(
    case: Case, entry: LogEntry, watch: ParcelWatch | None = None, given: EvidenceGiven | None = None
) -> Decision:
    """R7: the buyer has the goods, or will: they must come back first, and the merchant decides how (T1).

    Refused, and not done, where the goods are coming back in another case already (R13).
    """
    return case.but(kind=CaseKind.RETURN).enter(
        RETURN_REVIEW,
        entry,
        notices=case.notice_to_both(NoticeTemplate.GOODS_UNDERWAY),
        watch=watch,
        evidence=given,
        pieces=pieces_of(case.application, PieceUse.RETURN),
        claims=True,
    )


def _carry_out_agreed(case: Case, command: AcceptProposal) -> Decision:
    """N3: the goods come back for another amount, stay with the buyer, or are sent again; or the buyer shows more."""
    what = negotiating.agreed(case, command)
    money = replace(what, case=with_goods(what.case, exchange=False).but(kind=CaseKind.RETURN))
    match what.proposal.terms:
        case SendAgain():
            return resending.resend_as_agreed(what)
        case MoreProof():
            return negotiating.show_more(what, _review_in(case), rejecting.apply_again)
        case KeepGoods() | RefundInstead():
            return negotiating.pay_as_agreed(money)
        case _ if merchant_has(case.state.goods):
            return pay_received_as_agreed(money)
        case _:
            return return_as_agreed(money)


def return_as_agreed(what: Agreed) -> Decision:
    """N3: instead of a refund only, the goods come back; the merchant has agreed to that by its proposal, or to it.

    Refused where the goods are coming back in another case already (R13).
    """
    becomes = replace(what, case=what.case.but(kind=CaseKind.RETURN))
    pieces = pieces_of(what.amendment, PieceUse.RETURN)

    def claiming(decision: Decision) -> Decision:
        if (step := decision.step) is None:
            return decision
        notices = (*step.notices, *negotiating.accepted_notice(what))
        return replace(decision, step=replace(step, pieces=pieces, claims=True, notices=notices))

    instead = claiming(_want_address(becomes.case, what.entry))
    awaiting = claiming(_await_return(becomes.case, what.entry, None, "")).otherwise(instead)
    return go_on_as_agreed(becomes, awaiting)


# T1, T2, R6: deciding -----------------------------------------------------------------------------------


def _agree(case: Case, command: AgreeReturn) -> Decision:
    clauses = dict.fromkeys(command.clauses, 1)
    entry = case.obeyed(command, "return_agreed", **clauses)
    return _await_return(case, entry, command.address_id, " ".join(clauses))


def _agree_by_silence(case: Case) -> Decision:
    """T1: who says nothing agrees to the return, not to a refund."""
    entry = case.silent("return_agreed_by_silence")
    return _await_return(case, entry, None, "").otherwise(_want_address(case, entry))


def _apply_again(case: Case, command: Amend) -> Decision:
    return rejecting.apply_again(case, command, _review_in(case))


def _review_in(case: Case) -> Stage:
    return instead_in(case).review if case.state.goods.exchange else RETURN_REVIEW


def _approve(case: Case, command: Approve) -> Decision:
    """D2: what the buyer disputes is granted."""
    pieces = pieces_of(case.application, comes_to(case))
    return refund(case, case.obeyed(command, "approved"), by=command.by, rule="D2", pieces=pieces)


def _await_return(case: Case, entry: LogEntry, address_id: str | None, clauses: str) -> Decision:
    days = case.policy.returns.send_days
    return with_goods(case, agreed_at=entry.at).enter(
        AWAITING_RETURN,
        entry,
        address=AddressChoice(address_id=address_id),
        notices=case.notice(NoticeTemplate.RETURN_AGREED, case.buyer, clauses=clauses, days=days),
    )


def _want_address(case: Case, entry: LogEntry) -> Decision:
    return case.enter(
        ADDRESS_MISSING,
        entry,
        attention=Attention.ADDRESS_MISSING,
        notices=case.notice(NoticeTemplate.ADDRESS_WANTED, case.merchant),
    )


# T8, T15: sent to the buyer -----------------------------------------------------------------------------


def _reshipment_overdue(case: Case) -> Decision:
    """T8, M3: a right, and no decision; after a ruling there is no such right, and an officer sees to it (D10)."""
    instead = instead_in(case)
    notices = () if case.state.ruling else case.notice(instead.told_late, case.buyer)
    return case.enter(instead.overdue, case.silent(instead.late), notices=notices, attention=instead.attention)


def _confirm_exchange(case: Case, command: ConfirmExchange) -> Decision:
    return _has_goods(case, case.obeyed(command, instead_in(case).confirmed))


def _exchange_by_silence(case: Case) -> Decision:
    """T8, M4, T14."""
    instead = instead_in(case)
    return once_the_buyer_has_them(
        case, instead.sending, lambda case: _has_goods(case, case.silent(instead.confirmed_by_silence))
    )


def _has_goods(case: Case, entry: LogEntry) -> Decision:
    """T8, M4, T10: with what sending in goods at fault has cost the buyer."""
    return granted(case, exchanged(case, entry), owed_before=case.kind is CaseKind.REPAIR)


def _hold_goods(case: Case) -> Decision:
    """T15: rejected, and not sent back either."""
    return case.enter(GOODS_HELD, case.silent("goods_held"), attention=Attention.GOODS_HELD)


def _rejected_by_silence(case: Case) -> Decision:
    """T15: the buyer has what was rejected, and says nothing."""
    return once_the_buyer_has_them(case, BACK, _rejected_for_good)


def _rejected_for_good(case: Case) -> Decision:
    return rejecting.close_as_rejected(case, OutcomeKind.DISMISSED if case.state.ruling else OutcomeKind.REJECTED)


# What is refused ----------------------------------------------------------------------------------------

RECEIVABLE = frozenset(
    stage.name
    for instead in (None, OTHERS, MENDED)
    for stage, lines in process(instead, "").table.items()
    if any(each.event is ConfirmReceipt for each in lines)
)
"""Where the merchant may confirm that it has the goods."""


def refused_content(case: Case, command: Command) -> Refusal | None:
    """T4, T6, T7, T9, T11, T15: what is said of goods on their way back, or received, must fit how they stand."""
    goods, stood = case.state.goods, case.state.dispute.standstill
    match command:
        case ConfirmReceipt() if case.kind not in (CaseKind.RETURN, CaseKind.EXCHANGE, CaseKind.REPAIR):
            return refused("nothing_to_receive", "command", "T5", "no goods come back in this case")
        case ConfirmReceipt() if (
            refusal := refused_receipt(command, case.application, exchange=goods.exchange)
        ) is not None:
            return refusal
        case ExtendReceipt() if goods.extended:
            return refused("extended_before", "command", "T7", "the receipt has been extended, which is for once")
        case EnterTracking() if command.refund_account and not case.order.cash_on_delivery:
            return refused("not_cash_on_delivery", "refund_account", "T4", "the order was paid in advance")
        case EnterTracking() if (refusal := refused_tracking(case, command)) is not None:
            return refusal
        case Withdraw() if goods.received and not buyer_signed(goods):
            explanation = "the goods have to be with the buyer again before: resolve takes the dispute back alone"
            return refused("goods_not_back", "command", "T15", explanation)
        case Reject() if case.stage is instead_in(case).owed and goods.confirmed:
            explanation = "the merchant has confirmed that it has received and accepted the goods"
            return refused("receipt_confirmed", "command", "T6", explanation)
        case ConvertToRefund() if not goods.exchange:
            return refused("no_exchange", "command", "T9", "the case is not an exchange (any more)")
        case ConvertToRefund() if command.by.role in goods.wants_money:
            return refused("said_before", "by.role", "T9", "the other side has not agreed yet")
        case ConfirmReceipt() if stood is not None and stood.stage not in RECEIVABLE:
            explanation = "where the case stood when it was locked, no goods were to be received"
            return refused("nothing_to_receive", "command", "D3", explanation)
        case _:
            return None
