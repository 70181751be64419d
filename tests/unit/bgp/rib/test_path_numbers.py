"""Path identifiers of ours (RFC 7911 §2), of which a peer can ask for ever more."""

from collections.abc import Iterable

from felixbgp.bgp.rib.path import Path
from felixbgp.bgp.rib.path_numbers import NUMBERS_SWEEP_FIRST, PathNumbers
from felixbgp.bgp.wire.messages import PathAttributes
from felixbgp.net import Nlri
from felixbgp.net.table import PART_MAX, Table, Walk
from tests.support.paths import own_path, path_peer

PEER = path_peer()
EVERYTHING = 10 * NUMBERS_SWEEP_FIRST


def a_path(number: int) -> Path:
    return Path(PathAttributes(next_hop=b"\12\0\0\2"), PEER, path_id=number.to_bytes(4, "big"))


def is_large(numbers: PathNumbers) -> bool:
    return numbers.are_many


def wanted(used: Iterable[bytes]) -> Table[tuple[Nlri, ...]]:
    """A group's keys, one for each of these identifiers."""
    keys: Table[tuple[Nlri, ...]] = Table()
    for at, number in enumerate(used):
        nlri = b"\x20\x0a" + at.to_bytes(3, "big")
        keys.put(nlri, (number + nlri,))
    return keys


def sweep(numbers: PathNumbers, used: Iterable[bytes]) -> None:
    numbers.begin_sweep([Walk(wanted(used))])
    numbers.sweep(EVERYTHING)
    assert not numbers.is_sweeping


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
    sweep(numbers, [kept])
    assert not is_large(numbers)
    given = {numbers.identifier(a_path(number)) for number in range(10_000, 9_999 + NUMBERS_SWEEP_FIRST)}
    everything = {number.to_bytes(4, "big") for number in range(1, NUMBERS_SWEEP_FIRST + 1)}
    assert given == everything - {kept}
    assert numbers.identifier(a_path(5)) == kept
    assert int.from_bytes(numbers.identifier(a_path(99)), "big") == NUMBERS_SWEEP_FIRST + 1


def test_the_next_look_is_due_when_twice_as_many_are_in_use() -> None:
    numbers = PathNumbers()
    used = [numbers.identifier(a_path(number)) for number in range(NUMBERS_SWEEP_FIRST)]
    sweep(numbers, used)
    assert not is_large(numbers)
    for number in range(NUMBERS_SWEEP_FIRST, 2 * NUMBERS_SWEEP_FIRST):
        numbers.identifier(a_path(number))
    assert is_large(numbers)


def test_a_sweep_goes_part_by_part_and_keeps_what_is_asked_for_meanwhile() -> None:
    numbers = PathNumbers()
    used = [numbers.identifier(a_path(number)) for number in range(2 * PART_MAX)]
    before = [numbers.identifier(a_path(number)) for number in (-5 % 2**32, -6 % 2**32)]
    numbers.begin_sweep([Walk(wanted(used)), Walk(wanted([]))])
    assert not is_large(numbers)
    steps = 0
    later = b""
    while numbers.is_sweeping:
        numbers.sweep(1)
        steps += 1
        if steps == 2:
            assert numbers.identifier(a_path(-5 % 2**32)) == before[0]
            later = numbers.identifier(a_path(-7 % 2**32))
    assert steps > 20
    assert [numbers.identifier(a_path(number)) for number in range(2 * PART_MAX)] == used
    assert numbers.identifier(a_path(-5 % 2**32)) == before[0]
    assert numbers.identifier(a_path(-7 % 2**32)) == later
    # The one nobody used or asked for is free.
    assert numbers.identifier(a_path(-8 % 2**32)) == before[1]
