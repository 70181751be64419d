"""How a dictionary in parts grows: what is moved at once stays little."""

from felixbgp.net.index import PARTS, WHOLE_MAX, Index


class Counted:
    """A key that tells how often anybody asked for its hash."""

    asked = 0

    def __init__(self, number: int) -> None:
        self.number = number

    def __hash__(self) -> int:
        Counted.asked += 1
        return hash(self.number)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Counted) and other.number == self.number


def test_to_add_one_entry_moves_no_more_than_a_small_one_has() -> None:
    index: Index[Counted, int] = Index()
    most = 0
    for number in range(20 * WHOLE_MAX):
        before = Counted.asked
        index.put(Counted(number), number)
        most = max(most, Counted.asked - before)
    # Each is hashed to be judged, and once more to be put down.
    assert WHOLE_MAX < most <= 2 * WHOLE_MAX + 10
    assert len(index) == 20 * WHOLE_MAX


def test_what_is_many_lies_in_parts_of_about_the_same_size() -> None:
    index: Index[bytes, int] = Index()
    for number in range(20 * WHOLE_MAX):
        index.put(b"%d" % number, number)
    parts = index._parts
    assert parts is not None
    assert len(parts) == PARTS
    assert max(map(len, parts)) < 1.5 * len(index) / PARTS


def test_all_that_was_put_is_found_whatever_the_size() -> None:
    index: Index[int, int] = Index()
    for number in range(9 * WHOLE_MAX):
        index.put(number * 1_000_003, number)
    assert all(index.get(number * 1_000_003) == number for number in range(9 * WHOLE_MAX))
    assert all(index.pop(number * 1_000_003) == number for number in range(9 * WHOLE_MAX))
    assert len(index) == 0
    assert index.get(0) is None
