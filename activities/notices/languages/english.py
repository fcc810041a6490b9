"""What people are told, in English."""

from typing import Final

from activities.notices.languages.texts import Texts
from workflows.kinds.stage import STAGES
from workflows.messages.actors import Role
from workflows.messages.addresses import ReturnClause
from workflows.messages.cases import NoticeTemplate
from workflows.messages.commands import RejectReason
from workflows.messages.proposals import ProposalEnd, ProposalKind
from workflows.messages.rulings import Fault, Verdict
from workflows.messages.stages import Attention, OutcomeKind, Silence
from workflows.rules.bilingual import Language, said

ENGLISH: Final = Texts(
    e_mail_subject="After-sales: ${subject}",
    moment="%Y-%m-%d %H:%M",
    decimal_mark=".",
    beijing_time="Beijing time",
    other_time="({zone})",
    notices={
        NoticeTemplate.REQUEST_OPENED: (
            "[After-sales] {subject}: a new request for {amount}. Please decide by {due} {time_zone}."
        ),
        NoticeTemplate.REQUEST_CONFIRMED: (
            "[After-sales] {subject}: your request ({reason}) for {amount} was received on {due} {time_zone}. Please "
            "keep this message."
        ),
        NoticeTemplate.REQUEST_AMENDED: (
            "[After-sales] {subject}: the buyer has amended the request (version {version}), now for {amount}. "
            "If nothing is done by {due} {time_zone}, {on_silence}."
        ),
        NoticeTemplate.SETTLEMENT_OFFERED: (
            "[After-sales] {subject}: the merchant offers {amount} to settle the dispute. You may accept it "
            "there; if you do not, the dispute goes on."
        ),
        NoticeTemplate.PROPOSAL_MADE: (
            "[After-sales] {subject}: {by} proposes {terms} (no. {number}, {amount}). Please answer by {until} "
            "{time_zone}; then it lapses, and the case goes on as it stands: if nothing is done in time, "
            "{on_silence}."
        ),
        NoticeTemplate.PROPOSAL_ENDED: (
            "[After-sales] {subject}: proposal no. {number} ({terms}) {how}. From here on, if nothing is done in "
            "time, {on_silence}."
        ),
        NoticeTemplate.PROPOSAL_OVER: "[After-sales] {subject}: proposal no. {number} ({terms}) {how}.",
        NoticeTemplate.MESSAGE_LEFT: (
            "[After-sales] {subject}: {by} has left you a message; please read it in the case."
        ),
        NoticeTemplate.DEADLINE_NEAR: (
            "[After-sales] {subject}: time is running out. If nothing is done by {due} {time_zone}, {on_silence}."
        ),
        NoticeTemplate.REQUEST_REJECTED: (
            "[After-sales] {subject}: rejected by the merchant: {reason}. Within {window_days} days you may "
            "amend and apply again, or ask the platform to intervene; then the case closes."
        ),
        NoticeTemplate.REQUEST_REJECTED_FINALLY: (
            "[After-sales] {subject}: rejected by the merchant: {reason}. Within {window_days} days you may ask the "
            "platform to intervene; then the case closes."
        ),
        NoticeTemplate.RECEIPT_REJECTED: (
            "[After-sales] {subject}: the merchant does not accept what you sent back: {reason}. Within {window_days} "
            "days it has to send the goods to you again, and you may ask the platform to intervene; then a person "
            "follows it up."
        ),
        NoticeTemplate.GOODS_UNDERWAY: (
            "[After-sales] {subject}: the goods have shipped; they must come back before the refund."
        ),
        NoticeTemplate.RETURN_AGREED: (
            "[After-sales] {subject}: please send the goods back to {address} within {days} days and enter the "
            "tracking number. {clauses}"
        ),
        NoticeTemplate.ADDRESS_WANTED: (
            "[After-sales] {subject}: a return address is missing; please add one and pick it."
        ),
        NoticeTemplate.ACCOUNT_WANTED: (
            "[After-sales] {subject}: the refund needs an account of your own to go to; please name one."
        ),
        NoticeTemplate.EXTENSION_OFFERED: (
            "[After-sales] {subject}: the return has not been signed for yet; you may extend the receipt once."
        ),
        NoticeTemplate.RETURN_SIGNED: (
            "[After-sales] {subject}: the return has been signed for; please inspect it and decide."
        ),
        NoticeTemplate.EXCHANGE_SHIPPED: (
            "[After-sales] {subject}: the goods of your exchange are on their way; please confirm their receipt."
        ),
        NoticeTemplate.GOODS_SENT_BACK: (
            "[After-sales] {subject}: the merchant has not accepted what you returned, and is sending it back to you."
        ),
        NoticeTemplate.REPAIR_SHIPPED: (
            "[After-sales] {subject}: what you sent in to be repaired is on its way to you; please confirm its receipt."
        ),
        NoticeTemplate.REPAIR_LATE: (
            "[After-sales] {subject}: what you sent in to be repaired has not been sent back in time; you may ask the "
            "platform to intervene."
        ),
        NoticeTemplate.RESEND_AGREED: (
            "[After-sales] {subject}: what is missing is to be sent again by the merchant within {hours} hours."
        ),
        NoticeTemplate.GOODS_SENT_AGAIN: (
            "[After-sales] {subject}: what was to be sent again is on its way; please confirm its receipt."
        ),
        NoticeTemplate.RESEND_LATE: (
            "[After-sales] {subject}: what was to be sent again has not been sent in time; you may ask the "
            "platform to intervene."
        ),
        NoticeTemplate.INTERVENTION_OPEN: (
            "[After-sales] {subject}: your exchange has not been shipped in time; you may ask the platform to "
            "intervene."
        ),
        NoticeTemplate.MERCHANT_OVERDUE: (
            "[After-sales] {subject}: the merchant has not decided in time. For {days} days the buyer may ask "
            "the platform to intervene, and the merchant may still decide; after that the case closes."
        ),
        NoticeTemplate.DISPUTE_OPENED: (
            "[After-sales] {subject}: the buyer disputes {amount}. Negotiate until {due} {time_zone}; then the "
            "platform steps in."
        ),
        NoticeTemplate.INTERVENED: (
            "[After-sales] {subject}: the platform has stepped in, and will decide the dispute about {amount}."
        ),
        NoticeTemplate.EVIDENCE_DEMANDED: (
            "[After-sales] {subject}: please give your evidence by {due} {time_zone}. What is wanted: {wanted}."
        ),
        NoticeTemplate.DISPUTE_RULED: (
            "[After-sales] {subject}: the dispute has ended: {verdict}, {fault}; the buyer is to have {amount} in all."
        ),
        NoticeTemplate.COMPENSATION_CLAIMABLE: (
            "[After-sales] {subject}: shipped late; you may claim {amount} until {due} {time_zone}."
        ),
        NoticeTemplate.COMPENSATION_CLAIMED: (
            "[After-sales] {subject}: the buyer claims {amount} for late shipment; prove shipment or an "
            "exemption in time."
        ),
        NoticeTemplate.COMPENSATION_PAID: "[After-sales] {subject}: the compensation of {amount} has been paid.",
        NoticeTemplate.REFUND_SUBMITTED: (
            "[After-sales] {subject}: the refund of {amount} is on its way. It should arrive between "
            "{arrives_from} and {arrives_until} {time_zone}."
        ),
        NoticeTemplate.REFUND_SUCCEEDED: "[After-sales] {subject}: the refund of {amount} has been paid.",
        NoticeTemplate.ALLOWANCE_REFUNDED: (
            "[After-sales] {subject}: {amount} of the refund is back in your shop allowance: "
            "{principal} of principal, {bonus} of bonus."
        ),
        NoticeTemplate.ALLOWANCE_PAID_OUT: (
            "[After-sales] {subject}: {amount} was paid with a shop allowance that has been paid out or has expired. "
            "Its principal, {principal}, goes back to where it came from; the bonus, {bonus}, is lost."
        ),
        NoticeTemplate.PAYMENT_REDUCED: (
            "[After-sales] {subject}: of {asked} this case pays {amount}; other cases have paid or are paying the rest."
        ),
        NoticeTemplate.CASE_CLOSED: "[After-sales] {subject}: the case is closed: {outcome}.",
        NoticeTemplate.STAGE_CHANGED: (
            "[After-sales] {subject}: the case has moved on: {stage}. Until {due} {time_zone}; then {on_silence}."
        ),
        NoticeTemplate.RETURN_SENT: (
            "[After-sales] {subject}: the goods are coming back with {carrier}, {tracking_no}."
        ),
        NoticeTemplate.EVIDENCE_GIVEN: (
            "[After-sales] {subject}: the other side has given evidence; please look at it."
        ),
        NoticeTemplate.RETENTION_ASKED: (
            "[After-sales] {subject}: the merchant asks you to keep the allowance. If you agree, withdraw the "
            "request; if you do not, it goes on."
        ),
        NoticeTemplate.CONVERSION_WANTED: (
            "[After-sales] {subject}: the other side wants a refund instead of the goods. If you agree, say so; if you "
            "do not, the case goes on as it is."
        ),
        NoticeTemplate.ATTENTION_RAISED: "[After-sales] {subject}: the case needs a person: {attention}.",
    },
    silences={
        Silence.REFUND: "the refund is approved automatically",
        Silence.PAY_PRINCIPAL: "the principal is paid back automatically",
        Silence.APPROVE: "the request is approved automatically",
        Silence.CLOSE_AS_REJECTED: "the case closes as rejected",
        Silence.CLOSE_UNDECIDED: "the case closes undecided",
        Silence.ESCALATE: "an operator of the platform takes over",
        Silence.ASK_GATEWAY: "the payment provider is asked for the result",
        Silence.RAISE_ATTENTION: "a person follows it up",
        Silence.AGREE_TO_RETURN: "the return is agreed to automatically",
        Silence.CLOSE_NOT_RETURNED: "the case closes as not returned",
        Silence.OFFER_EXTENSION: "the receipt may be extended",
        Silence.ASK_CARRIER: "the carrier is asked",
        Silence.ASK_AGAIN: "you are asked again",
        Silence.RIGHT_TO_INTERVENTION: "the buyer may ask the platform to intervene",
        Silence.CLOSE_AS_EXCHANGED: "the exchange counts as completed",
        Silence.AGREE_TO_REPAIR: "the repair is agreed to automatically",
        Silence.CLOSE_AS_REPAIRED: "the repair counts as completed",
        Silence.AGREE_TO_RESEND: "it is agreed automatically to send it again",
        Silence.CLOSE_AS_RESENT: "what was sent again counts as received",
        Silence.GO_TO_PLATFORM: "the platform steps in",
        Silence.UPHOLD: "the buyer's request is upheld",
        Silence.RULE_AS_IT_STANDS: "the platform rules on what is there",
        Silence.PROPOSE_FAULT: "the merchant's fault is proposed",
        Silence.CLOSE_UNCLAIMED: "the claim lapses",
        Silence.PAY_COMPENSATION: "the compensation is paid automatically",
        Silence.NOTHING: "the case goes on waiting",
    },
    outcomes={
        OutcomeKind.REFUNDED: "refunded",
        OutcomeKind.PAID_BY_PLATFORM: "paid in advance by the platform",
        OutcomeKind.PAID_MANUALLY: "paid by hand",
        OutcomeKind.WITHDRAWN: "withdrawn by the buyer",
        OutcomeKind.RETAINED: "retained: the buyer keeps the allowance",
        OutcomeKind.REJECTED: "rejected",
        OutcomeKind.UNDECIDED: "closed: nobody has decided",
        OutcomeKind.NOTHING_LEFT: "other cases had paid back all that was asked for; this one has paid nothing",
        OutcomeKind.NOTHING_TO_PAY: "done; nothing was to be paid",
        OutcomeKind.HANDED_OVER: "handled by another case",
        OutcomeKind.CLOSED_BY_OFFICER: "closed by the platform's staff",
        OutcomeKind.NOT_RETURNED: "closed: the goods were not sent back",
        OutcomeKind.EXCHANGED: "exchanged",
        OutcomeKind.REPAIRED: "repaired",
        OutcomeKind.RESENT: "sent again",
        OutcomeKind.RESOLVED: "resolved by the parties, nobody at fault",
        OutcomeKind.SETTLED: "settled by the parties",
        OutcomeKind.RULED: "ruled on by the platform",
        OutcomeKind.DISMISSED: "dismissed: nothing is to be paid",
        OutcomeKind.COVERED: "what is owed had been paid before",
        OutcomeKind.COMPENSATED: "compensated",
        OutcomeKind.SHIPPED_IN_TIME: "shipped in time",
        OutcomeKind.EXEMPT: "the merchant is exempt",
        OutcomeKind.UNCLAIMED: "not claimed",
        OutcomeKind.REFUSED: "the request could not be accepted",
    },
    attentions={
        Attention.ADDRESS_MISSING: "a return address is missing",
        Attention.ACCOUNT_MISSING: "the buyer has named no account for the refund",
        Attention.RETURN_OVERDUE: "the return has not been signed for in time",
        Attention.RETURN_REFUSED: "the goods were refused, or went back to who sent them",
        Attention.GOODS_HELD: "goods that were rejected have not gone back to the buyer",
        Attention.RESHIP_FAILED: "the goods of the exchange have not reached the buyer",
        Attention.RESHIP_OVERDUE: "the exchange has not been shipped in time",
        Attention.REPAIR_OVERDUE: "what was to be repaired has not been sent back in time",
        Attention.REPAIR_FAILED: "what was repaired has not reached the buyer",
        Attention.RESEND_OVERDUE: "what was to be sent again has not been sent in time",
        Attention.RESEND_FAILED: "what was sent again has not reached the buyer",
        Attention.RULING_OVERDUE: "the ruling is overdue",
        Attention.DISPUTE_BROKEN_OFF: "the dispute was stopped from outside",
        Attention.REVIEW_OVERDUE: "the review is overdue",
        Attention.INTERCEPT_OVERDUE: "the intercepted parcel is not back in time",
        Attention.GOODS_CONTRADICTED: "the carrier says both that the parcel was refused and that it was signed for",
        Attention.REFUND_DECLINED: "the payment provider declined the refund",
        Attention.REFUND_RETURNED: "the refund had arrived and came back",
        Attention.MONEY_STRANDED: "the buyer's card or account takes no money, and the payment provider holds it",
        Attention.NUMBER_CONFLICT: "the payment provider has another refund under this refund's number",
        Attention.REFUND_LOST: "the payment provider had taken the refund, and does not know it any more",
        Attention.MERCHANT_ACCOUNT_SHORT: "the merchant's account is short",
        Attention.ARRIVAL_OVERDUE: "the refund has not arrived in time",
        Attention.OUTCOME_UNKNOWN: "the result of the refund is not known",
        Attention.BOOK_BEHIND: "the case book lacks steps that were taken",
        Attention.ROOM_OVERDUE: "payments in flight have held what is left for too long",
    },
    reject_reasons={
        RejectReason.GOODS_SHIPPED: "the goods have shipped",
        RejectReason.GOODS_RECEIVED_AS_DESCRIBED: "the goods were received as described",
        RejectReason.NO_FAULT_SHOWN: "no fault of the goods is shown",
        RejectReason.AMOUNT_TOO_HIGH: "the amount is too high",
        RejectReason.OUT_OF_TERMS: "it is outside the terms of sale",
        RejectReason.OTHER: "another reason, see the case",
    },
    sides={
        Role.BUYER: "the buyer",
        Role.MERCHANT: "the merchant",
        Role.PLATFORM: "the platform",
        Role.CARRIER: "the carrier",
        Role.GATEWAY: "the payment provider",
        Role.CLOCK: "the system",
    },
    proposals={
        ProposalKind.AMOUNT: "another amount",
        ProposalKind.COMPENSATION: "another compensation",
        ProposalKind.RETURN: "a refund once the goods are back",
        ProposalKind.REFUND: "a refund without the goods coming back",
        ProposalKind.KEEP_GOODS: "to keep the goods for a part of the money",
        ProposalKind.SEND_AGAIN: "to send the goods, or a missing part, again",
        ProposalKind.MORE_PROOF: "to be shown more proof",
    },
    proposal_ends={
        ProposalEnd.ACCEPTED: "has been accepted",
        ProposalEnd.DECLINED: "has been declined",
        ProposalEnd.WITHDRAWN: "has been taken back",
        ProposalEnd.LAPSED: "has lapsed",
        ProposalEnd.CLOSED: "has ended, because the case was decided or amended",
    },
    verdicts={
        Verdict.RESOLVED: "resolved by the parties",
        Verdict.SETTLED: "settled by the parties",
        Verdict.UPHELD: "upheld, since the merchant gave no evidence",
        Verdict.RULED: "ruled on by the platform",
    },
    faults={
        Fault.BUYER: "the buyer is at fault",
        Fault.MERCHANT: "the merchant is at fault",
        Fault.BOTH: "both are at fault",
        Fault.NOBODY: "nobody is at fault",
    },
    clauses={
        ReturnClause.NO_FREIGHT_COLLECT: "parcels sent freight collect are not taken in",
        ReturnClause.NO_EMS: "parcels sent by EMS are not taken in",
        ReturnClause.NO_SF_EXPRESS: "parcels sent by SF Express are not taken in",
        ReturnClause.NO_POSTAL_PARCEL: "parcels sent by postal parcel service are not taken in",
    },
    stages={name: said(stage.title, Language.EN) for name, stage in STAGES.items()},
)
