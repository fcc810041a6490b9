"""What is drawn is what happens: stories take all arrows, and no story takes one that is not drawn."""

from tests.processes.exploring import drawn, kept, name, told


def test_stories_take_the_arrows_that_are_drawn_and_no_others() -> None:
    taken = {arrow for world, turns in kept() for arrow in told(world, turns)[1]}

    assert sorted(map(name, taken - drawn())) == [], "a story makes a move that is not drawn"
    assert sorted(map(name, drawn() - taken)) == [], "no story takes it: tests/processes/exploring.py looks for one"
