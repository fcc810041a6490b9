"""A small model of the rules, written from the rulebook's text and not from the code (R1 to N3): its stages.

Each says whom it waits for, how long, what silence does, and which commands are taken from whom. What the rulebook
leaves open is left open here: a stage may be one of several, a command may be one that nothing is said about
(``unsaid``), which the stories then do not send.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from workflows.messages.actors import Role

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
BUYER, MERCHANT, PLATFORM, CARRIER = Role.BUYER, Role.MERCHANT, Role.PLATFORM, Role.CARRIER

ASKED, HALF, PART, NOTHING = "asked", "half", "part", "nothing"
"""What an end pays: all that is asked for, half of it (a proposal), 1.00 (a ruling, a settlement), nothing."""


@dataclass(frozen=True)
class End:
    """How a case ends: by which outcomes it may be known, and what it pays."""

    outcomes: tuple[str, ...]
    pays: str = NOTHING


REFUNDED: Final = End(("refunded",), ASKED)
WITHDRAWN: Final = End(("withdrawn",))


@dataclass(frozen=True)
class Ruled:
    """How a dispute ends, and where that leads the case which it is about (D2, D8)."""

    outcomes: tuple[str, ...]
    case_goes: "To"
    freight_of_merchant: bool = False
    """The merchant bears what sending the goods in has cost (D8, T10)."""


@dataclass(frozen=True)
class Back:
    """The case goes back to where it stood, with the time that was left (D3)."""


@dataclass(frozen=True)
class Stays:
    """What is done changes neither stage nor clock."""


To = str | tuple[str, ...] | End | Ruled | Back | Stays


@dataclass(frozen=True)
class Way:
    """What a command of these roles comes to."""

    by: tuple[Role, ...]
    to: To


@dataclass(frozen=True)
class Stage:
    """A stage: who is waited for, how long, what silence comes to, which commands are taken."""

    whose: Role
    lasts: timedelta | None
    """None where the rulebook names no time."""
    silence: To | None
    """None where the rulebook names no silence."""
    ways: Mapping[str, Way]
    unsaid: frozenset[str] = frozenset()
    """Commands about which the rulebook says nothing here."""
    talks: bool = False
    """Both sides may propose half of what is asked for (N1)."""
    since_goods: bool = False
    """The time runs from the moment at which the goods were received (T8)."""


def stage(whose: Role, lasts: timedelta | None, silence: To | None, unsaid: str = "", /, **ways: Way) -> Stage:
    """A stage with its commands by name."""
    return Stage(whose, lasts, silence, ways, frozenset(unsaid.split()))


def by(role: Role, to: To) -> Way:
    """A way of one role."""
    return Way((role,), to)


PAID_BY_HAND: Final = stage(
    PLATFORM,
    None,
    None,
    "amend withdraw approve open_dispute",
    retry_payment=by(PLATFORM, REFUNDED),
    pay_in_advance=by(PLATFORM, End(("paid_by_platform",), ASKED)),
    record_manual_transfer=by(PLATFORM, End(("paid_manually",), ASKED)),
    close_case=by(PLATFORM, End(("closed_by_officer",))),
)
"""Section 10: the leg is declined; what is promised is released, for the failure is confirmed."""


IN_FLIGHT: Final = stage(
    PLATFORM, None, None, "close_case retry_payment pay_in_advance record_manual_transfer open_dispute"
)
"""Section 11: money is on its way; nothing that the parties say changes that."""

SHIPPED_MEANWHILE: Final = ("shipped_review", "parcel_intercept", "return_review", "awaiting_return")
"""R1, R7: a shipped refund, an intercept or a return, by the profile."""

_EVERYTHING: Final = (
    "approve reject withdraw amend refund_directly agree_return enter_tracking confirm_receipt open_dispute close_case "
    "propose_half accept_proposal decline_proposal send_back reship confirm_exchange convert_to_refund extend_receipt "
    "retry_payment pay_in_advance record_manual_transfer"
)
_ANSWERS: Final = "propose_half accept_proposal decline_proposal"


def _review(silence: To, **more: Way) -> Stage:
    review = stage(
        MERCHANT,
        48 * HOUR,
        silence,
        "amend open_dispute",
        **{"approve": by(MERCHANT, REFUNDED), "withdraw": by(BUYER, WITHDRAWN), **more},
    )
    return replace(review, talks=True)


def _rejected(again: To, dispute: str) -> Stage:
    return stage(
        BUYER,
        7 * DAY,
        End(("rejected",)),
        "withdraw " + _ANSWERS,
        open_dispute=by(BUYER, dispute),
        amend=by(BUYER, again),
    )


OVERDUE: Final = "merchant_overdue"
_AGAIN: Final = ("shipped_review", "return_review")
"""R6: it is applied for again, as what the case is by now."""


def refund(profile: str, *, converts: bool = False) -> dict[str, Stage]:
    """R1, R2, R6, R7, G3. ``converts``: it may become a return, for the goods are shipped meanwhile."""
    dispute = "disputed" if profile == "jd-pop" else "locked"
    return {
        **(returning(profile, exchange=False) if converts else {}),
        "merchant_review": _review(REFUNDED, reject=by(MERCHANT, SHIPPED_MEANWHILE)),
        "parcel_intercept": stage(PLATFORM, None, None, _EVERYTHING),
        "shipped_review": _review(OVERDUE if profile == "jd-pop" else REFUNDED, reject=by(MERCHANT, "rejected")),
        "rejected": _rejected(_AGAIN, dispute),
        OVERDUE: stage(
            BUYER,
            None,
            End(("undecided",)),
            "approve reject amend withdraw refund_directly agree_return " + _ANSWERS,
            open_dispute=by(BUYER, dispute),
        ),
        **_under_dispute(),
    }


def _under_dispute() -> dict[str, Stage]:
    """D2, D3: the merchant may only confirm receipt and look; what the dispute comes to is in ``dispute``."""
    said = "approve refund_directly agree_return reject reship extend_receipt"
    talks = "confirm_receipt withdraw amend enter_tracking convert_to_refund send_back close_case " + _ANSWERS
    return {"disputed": stage(BUYER, None, None, f"{said} {talks}"), "locked": stage(PLATFORM, None, None, talks)}


def returning(profile: str, *, exchange: bool) -> dict[str, Stage]:
    """T1 to T9, T14, T15."""
    dispute = "disputed" if profile == "jd-pop" else "locked"
    agreed: To = "awaiting_return"
    confirmed: To = "reshipment" if exchange else REFUNDED
    confirm = by(MERCHANT, confirmed)
    transit: To = ("return_in_transit", "return_delayed", "return_received")
    enter = Way((BUYER, MERCHANT, PLATFORM), transit)  # T13
    correct = by(BUYER, Stays())  # T3: the same number once more; whether others may correct it is left open
    to_money = {"convert_to_refund": Way((BUYER, MERCHANT), Stays())} if exchange else {}
    unsaid = "withdraw amend open_dispute refund_directly convert_to_refund " + _ANSWERS
    # D2: whether a case stands still while both sides negotiate is left open.
    disputed = {"open_dispute": by(BUYER, dispute)} if dispute == "locked" else {}
    called = stage(
        PLATFORM, None, None,
        _EVERYTHING + " retry_payment " + unsaid,
    )  # fmt: skip
    stages = {
        "return_review": stage(
            MERCHANT,
            48 * HOUR,
            OVERDUE if profile == "jd-pop" else agreed,
            "amend open_dispute convert_to_refund " + _ANSWERS,
            agree_return=by(MERCHANT, agreed),
            refund_directly=by(MERCHANT, REFUNDED),
            reject=by(MERCHANT, "rejected"),
            withdraw=by(BUYER, WITHDRAWN),
        ),
        "rejected": _rejected(_AGAIN, dispute),
        OVERDUE: refund(profile)[OVERDUE],
        "awaiting_return": stage(
            BUYER, 7 * DAY, End(("not_returned",)), unsaid, enter_tracking=enter, confirm_receipt=confirm
        ),
        "return_in_transit": stage(
            MERCHANT, 5 * DAY, "return_delayed", unsaid, enter_tracking=correct, confirm_receipt=confirm,
        ),
        "return_delayed": stage(
            MERCHANT,
            None,
            "return_overdue",
            unsaid,
            enter_tracking=correct,
            confirm_receipt=confirm,
            extend_receipt=by(MERCHANT, "return_extended"),
        ),
        "return_extended": stage(
            MERCHANT, None, "return_overdue", unsaid, enter_tracking=correct, confirm_receipt=confirm
        ),
        "return_received": stage(
            MERCHANT,
            10 * DAY,
            ("reshipment", "return_overdue") if exchange else REFUNDED,
            unsaid,
            confirm_receipt=confirm,
            reject=by(MERCHANT, "receipt_rejected"),
        ),
        "receipt_rejected": stage(
            BUYER,
            None,
            "goods_held",
            "confirm_receipt amend withdraw refund_directly convert_to_refund " + _ANSWERS,
            open_dispute=by(BUYER, dispute),
            send_back=by(MERCHANT, "sent_back"),
        ),
        "sent_back": replace(called, silence=None),
        "goods_held": called,
        "return_refused": called,
        "return_overdue": replace(called, ways=disputed),
        **_under_dispute(),
    }  # fmt: skip
    if exchange:
        reship = by(MERCHANT, "exchange_underway")
        stages |= {
            "reshipment": replace(
                stage(MERCHANT, 72 * HOUR, "reship_overdue", unsaid, reship=reship, **to_money), since_goods=True
            ),
            "reship_overdue": stage(
                BUYER, None, None, "close_case " + unsaid, reship=reship, **disputed
            ),
            "exchange_underway": stage(
                BUYER, None, None, "reship " + unsaid, confirm_exchange=by(BUYER, End(("exchanged",)))
            ),
            "reship_failed": called,
        }  # fmt: skip
    return {name: replace(each, unsaid=each.unsaid - each.ways.keys()) for name, each in stages.items()}


def withdrawal() -> dict[str, Stage]:
    """A3, A5."""
    return {
        "retention": stage(
            MERCHANT,
            48 * HOUR,
            REFUNDED,
            pay_out=by(MERCHANT, REFUNDED),
            retain=by(MERCHANT, Stays()),
            withdraw=by(BUYER, End(("withdrawn", "retained"))),
        )
    }


def merchant_refund() -> dict[str, Stage]:
    """R9."""
    return {
        "officer_review": stage(
            PLATFORM,
            24 * HOUR,
            REFUNDED,
            "withdraw amend",
            approve=by(PLATFORM, REFUNDED),
            reject=by(PLATFORM, End(("rejected",))),
        )
    }


def late_shipment() -> dict[str, Stage]:
    """L1 to L3."""
    owed = End(("compensated",), ASKED)
    return {
        "claimable": stage(
            BUYER, 30 * DAY, End(("unclaimed",)), "approve prove_shipment prove_exemption",
            claim_compensation=by(BUYER, "claim_review"),
        ),
        "claim_review": stage(
            MERCHANT,
            48 * HOUR,
            owed,
            "withdraw claim_compensation open_dispute " + _ANSWERS,
            approve=by(MERCHANT, owed),
            prove_exemption=by(MERCHANT, End(("exempt",))),
        ),
    }  # fmt: skip


def cancellation() -> dict[str, Stage]:
    """R3: silence refunds before outbound; after it an operator is called."""
    withdraw = by(BUYER, WITHDRAWN)
    approve = by(PLATFORM, REFUNDED)
    return {
        "warehouse_review": stage(
            PLATFORM, HOUR / 2, REFUNDED, "reject amend", approve=approve, withdraw=withdraw,
        ),
        "outbound_review": stage(
            PLATFORM, 24 * HOUR, "escalated", "reject amend", approve=approve, withdraw=withdraw,
        ),
        "intercepting": stage(PLATFORM, None, None, "reject withdraw amend approve close_case"),
        "escalated": stage(
            PLATFORM, None, None, "reject withdraw amend close_case open_dispute", approve=approve,
        ),
    }  # fmt: skip


def dispute(profile: str, *, goods_with_merchant: bool, goods_on_the_way: bool) -> dict[str, Stage]:
    """D2 to D8. T15: where nothing is awarded while the merchant has the goods, they go back to the buyer first.

    Goods on their way to the merchant arrive before they do.
    """
    upheld = Ruled(("ruled",), REFUNDED, freight_of_merchant=True)
    keeps: To = Back() if goods_on_the_way else End(("rejected", "dismissed"))
    if goods_with_merchant:
        keeps = ("receipt_rejected", "goods_held", "sent_back")
    rules = {
        "rule_full": by(PLATFORM, Ruled(("ruled",), REFUNDED)),
        "rule_nothing": by(PLATFORM, Ruled(("dismissed", "ruled"), keeps)),
    }
    if not goods_with_merchant:
        rules["rule_partial"] = by(PLATFORM, Ruled(("ruled",), End(("refunded",), PART)))
    unsaid = "resolve offer_settlement accept_settlement demand_evidence submit_final rule_partial confirm_proposal"
    evidence = "evidence" if profile == "douyin" else "evidence_working_hours"
    early = unsaid + " rule_full rule_nothing"
    stages = {
        "negotiation": stage(
            BUYER, 24 * HOUR, evidence, "submit_final demand_evidence rule_full rule_nothing rule_partial",
            resolve=by(BUYER, Ruled(("resolved",), Back())),
            offer_settlement=by(MERCHANT, Stays()),
        ),
        "evidence": stage(MERCHANT, 24 * HOUR, upheld, early, submit_final=by(MERCHANT, "ruling")),  # D4
        "evidence_working_hours": stage(  # D5
            MERCHANT, None, "ruling_proposed", early, submit_final=by(MERCHANT, "ruling")
        ),
        "ruling": stage(PLATFORM, 48 * HOUR, "ruling_overdue", unsaid, **rules),
        "ruling_proposed": stage(
            PLATFORM, None, "ruling_overdue", unsaid, confirm_proposal=by(PLATFORM, upheld), **rules
        ),
        "ruling_overdue": stage(PLATFORM, None, None, unsaid, **rules),
    }  # fmt: skip
    return {name: replace(each, unsaid=each.unsaid - each.ways.keys()) for name, each in stages.items()}


SETTLED: Final = Ruled(("settled",), End(("refunded",), PART))
"""D2: the buyer takes the merchant's offer."""


CARRIERS_WORD: Final[Mapping[tuple[str, str], To]] = {
    ("merchant_review", "shipped"): SHIPPED_MEANWHILE,  # R7
    ("merchant_review", "on_delivery_run"): SHIPPED_MEANWHILE,  # the carrier's first word may be any
    ("merchant_review", "refused"): SHIPPED_MEANWHILE,
    ("merchant_review", "signed"): ("return_review", "awaiting_return"),  # the buyer has them: they come back first
    ("merchant_review", "returned_to_warehouse"): REFUNDED,
    ("return_in_transit", "signed"): ("return_received", "reshipment"),  # T6, T8
    ("return_delayed", "signed"): ("return_received", "reshipment"),
    ("return_extended", "signed"): ("return_received", "reshipment"),
    ("return_overdue", "signed"): ("return_received", "reshipment"),
    ("return_in_transit", "refused"): "return_refused",  # T14
    ("return_delayed", "refused"): "return_refused",
    ("return_extended", "refused"): "return_refused",
    ("exchange_underway", "refused"): "reship_failed",  # T14
    ("warehouse_review", "outbound"): "outbound_review",  # R3
    ("outbound_review", "on_delivery_run"): "intercepting",
    ("intercepting", "returned_to_warehouse"): REFUNDED,
}
"""What the carrier's word comes to, by stage."""

RULED_OUT: Final = "receipt_rejected"
"""T15: where goods that have arrived go back from, once a ruling has given nothing for them."""
