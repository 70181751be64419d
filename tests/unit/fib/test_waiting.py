"""The first are taken first, whoever left or came back meanwhile."""

from hypothesis import given
from hypothesis import strategies as st

from felixbgp.fib.waiting import Waiting

NLRIS = [bytes((8, octet)) for octet in range(6)]


def waiting(*nlris: bytes) -> Waiting:
    made = Waiting()
    for nlri in nlris:
        made.add(nlri)
    return made


def test_the_first_are_taken_in_the_order_in_which_they_came() -> None:
    made = waiting(*NLRIS)
    assert (made.take(2), made.take(3), made.take(3), made.take(3)) == (NLRIS[:2], NLRIS[2:5], NLRIS[5:], [])


def test_who_left_is_not_taken_and_who_came_later_is() -> None:
    made = waiting(*NLRIS[:4])
    assert made.take(1) == NLRIS[:1]
    made.discard(NLRIS[1])
    made.discard(NLRIS[5])
    made.add(NLRIS[4])
    assert (len(made), NLRIS[1] in made, NLRIS[4] in made) == (3, False, True)
    assert made.copy() == dict.fromkeys(NLRIS[2:5])
    assert made.take(2) == NLRIS[2:4]
    assert made.take(9) == NLRIS[4:5]


def test_after_clearing_nobody_is_taken() -> None:
    made = waiting(*NLRIS)
    made.take(1)
    made.clear()
    made.add(NLRIS[0])
    assert (made.take(9), len(made)) == (NLRIS[:1], 0)


@given(st.lists(st.tuples(st.sampled_from(["add", "discard", "take"]), st.integers(0, 5))))
def test_everybody_is_taken_once_and_nobody_else(steps: list[tuple[str, int]]) -> None:
    made, model = Waiting(), dict[bytes, None]()
    for what, number in steps:
        if what == "add":
            made.add(NLRIS[number])
            model[NLRIS[number]] = None
        elif what == "discard":
            made.discard(NLRIS[number])
            model.pop(NLRIS[number], None)
        else:
            taken = made.take(number)
            assert len(taken) == len(set(taken)) == min(number, len(model))
            for nlri in taken:
                del model[nlri]
        assert made.copy().keys() == model.keys()
