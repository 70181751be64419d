"""Path identifiers of ours (RFC 7911 §2), of which a peer can ask for ever more."""

from felixbgp.bgp.rib.path import Path
from felixbgp.bgp.rib.path_numbers import NUMBERS_SWEEP_FIRST, PathNumbers
from felixbgp.bgp.wire.messages import PathAttributes
from tests.support.paths import own_path, path_peer

PEER = path_peer()


def a_path(number: int) -> Path:
    return Path(PathAttributes(next_hop=b"\12\0\0\2"), PEER, path_id=number.to_bytes(4, "big"))


def is_large(numbers: PathNumbers) -> bool:
    return numbers.are_many


def test_a_source_keeps_its_number() -> None:
    numbers = PathNumbers()
    first, second, own = (numbers.identifier(one) for one in (a_path(7), a_path(8), own_path()))
    assert [first, second, own] == [bytes((0, 0, 0, number)) for number in (1, 2, 3)]
    assert numbers.identifier(a_path(7)) == first


def test_numbers_whose_paths_are_gone_are_given_out_again() -> None:
    numbers = PathNumbers()
    for number in range(NUMBERS_SWEEP_FIRST):
        assert not is_large(numbers)
        numbers.identifier(a_path(number))
    assert is_large(numbers)
    kept = numbers.identifier(a_path(5))
    numbers.sweep({kept})
    assert not is_large(numbers)
    given = {numbers.identifier(a_path(number)) for number in range(10_000, 9_999 + NUMBERS_SWEEP_FIRST)}
    everything = {number.to_bytes(4, "big") for number in range(1, NUMBERS_SWEEP_FIRST + 1)}
    assert given == everything - {kept}
    assert numbers.identifier(a_path(5)) == kept
    assert int.from_bytes(numbers.identifier(a_path(99)), "big") == NUMBERS_SWEEP_FIRST + 1


def test_the_next_look_is_due_when_twice_as_many_are_in_use() -> None:
    numbers = PathNumbers()
    used = {numbers.identifier(a_path(number)) for number in range(NUMBERS_SWEEP_FIRST)}
    numbers.sweep(used)
    assert not is_large(numbers)
    for number in range(NUMBERS_SWEEP_FIRST, 2 * NUMBERS_SWEEP_FIRST):
        numbers.identifier(a_path(number))
    assert is_large(numbers)
