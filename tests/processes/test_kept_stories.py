"""What is drawn is what happens: stories take all arrows, and no story takes one that is not drawn.

N6: each move is told to a side of the case, and the page says so.
"""

from functools import cache

from tests.processes import told_to
from tests.processes.exploring import Arrow, drawn, kept, name, observed
from tests.processes.told_to import PARTIES, Told
from workflows.kinds.stage import INTERNAL, STAGES
from workflows.messages.actors import Role
from workflows.messages.cases import NoticeTemplate
from workflows.rules.silence import BY_PROFILE


@cache
def told() -> tuple[frozenset[Arrow], tuple[Told, ...]]:
    """The arrows that the kept stories take, and what is told in them."""
    with observed() as taken:
        heard = told_to.told_in(kept())
    return frozenset(taken), tuple(heard)


def heard() -> tuple[Told, ...]:
    return told()[1]


def test_stories_take_the_arrows_that_are_drawn_and_no_others() -> None:
    taken, _ = told()

    assert sorted(map(name, taken - drawn())) == [], "a story makes a move that is not drawn"
    assert sorted(map(name, drawn() - taken)) == [], "no story takes it: tests/processes/exploring.py looks for one"


def test_no_move_leaves_both_sides_untold() -> None:  # N6
    moves = [each for each in heard() if each.moved and each.to not in INTERNAL]
    untold = {each for each in moves if not any(role in PARTIES for _, role in each.notices)}

    assert sorted(f"{each.kind}: {each.come_from} --{each.event}--> {each.to}" for each in untold) == []


def test_neither_side_is_told_that_payments_wait_for_each_other() -> None:  # N6, R8
    inside = [each for each in heard() if each.moved and each.to in INTERNAL]

    assert {each.to for each in inside} == INTERNAL, "the stories come there"
    assert {notice for each in inside for notice in each.notices if notice[0] is NoticeTemplate.STAGE_CHANGED} == set()


def test_a_notice_says_what_silence_does_in_the_stage_that_the_case_is_in() -> None:  # N6, G3
    said = {(each.to, silence) for each in heard() for silence in each.silences}
    where_all_profiles_agree = {(to, silence) for to, silence in said if to not in BY_PROFILE}

    assert len(where_all_profiles_agree) > 20
    assert {(to, silence) for to, silence in where_all_profiles_agree if silence is not STAGES[to].silence} == set()


def test_what_one_side_does_the_other_side_is_told() -> None:  # N6, T3, T9, A3, R5
    told = {(each.event, *notice) for each in heard() for notice in each.notices}

    assert {
        ("tracking_entered", NoticeTemplate.RETURN_SENT, Role.MERCHANT),
        ("evidence_submitted", NoticeTemplate.EVIDENCE_GIVEN, Role.BUYER),
        ("retention_offered", NoticeTemplate.RETENTION_ASKED, Role.BUYER),
        ("refund_wanted", NoticeTemplate.CONVERSION_WANTED, Role.MERCHANT),
        ("rejected", NoticeTemplate.REQUEST_REJECTED, Role.BUYER),
        ("rejected", NoticeTemplate.RECEIPT_REJECTED, Role.BUYER),
        ("refund_submitted", NoticeTemplate.REFUND_SUBMITTED, Role.BUYER),
    } <= told
    own = {("evidence_submitted", NoticeTemplate.EVIDENCE_GIVEN, Role.PLATFORM)}
    assert not own & told


def test_the_page_is_what_the_kinds_do() -> None:  # N6
    assert told_to.PAGE.read_text(encoding="utf-8") == told_to.page(list(heard())), "`make docs` writes it anew"
