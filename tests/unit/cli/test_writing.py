"""How many objects go into one transaction, and in which order."""

import pytest

from felixbgp.cli.apply import Application
from felixbgp.cli.drafting import Draft, draft
from felixbgp.cli.files import Given
from felixbgp.cli.writing import BATCH_BYTES_MAX, OPERATIONS_MAX, _batches, _needed, _once_and_again, _rank
from felixbgp.resources import validate
from tests.support.documents import document


def made(kind: str, name: str, spec: dict[str, object], **metadata: object) -> Draft:
    stated = document(kind, spec, name, **metadata)
    resource = validate(stated)
    assert not isinstance(resource, list), resource
    return draft(Application(Given("", resource, stated)), None)


def peer(name: str, *filters: str, **metadata: object) -> Draft:
    spec = {"peerIP": "192.0.2.1", "asNumber": 1, "filters": list(filters)}
    return made("BGPPeer", name, spec, **metadata)


PLAIN = [peer(f"p{number}") for number in range(300)]


def test_a_transaction_has_as_many_objects_as_etcd_takes() -> None:
    batches = list(_batches(PLAIN))
    assert [each for batch in batches for each in batch] == PLAIN
    assert {len(batch) for batch in batches[:-1]} == {OPERATIONS_MAX}
    assert list(_batches([])) == []


def test_conditions_count_as_well() -> None:
    batches = list(_batches(peer(f"p{number}", f"f{number}") for number in range(200)))
    assert max(len(batch) + len(_needed(batch)) for batch in batches) <= OPERATIONS_MAX
    assert sum(map(len, batches)) == 200


def test_one_that_names_more_filters_than_a_transaction_has_room_goes_alone() -> None:
    greedy = peer("greedy", *(f"f{number}" for number in range(200)))
    assert [len(batch) for batch in _batches([PLAIN[0], greedy, PLAIN[1]])] == [1, 1, 1]
    assert len(_needed([greedy])) == OPERATIONS_MAX - 1


def test_a_transaction_is_not_larger_than_etcd_takes() -> None:
    large = [peer(f"p{number}", annotations={"a": "x" * 250_000}) for number in range(9)]
    batches = list(_batches(large))
    assert len(batches) > 1
    assert all(sum(len(each.value) for each in batch) <= BATCH_BYTES_MAX for batch in batches)


def test_filters_go_first_and_all_else_as_it_is_given() -> None:
    given = [peer("b", "f"), made("Node", "n", {}), made("BGPFilter", "f", {}), peer("a")]
    assert [each.key.name for each in sorted(given, key=_rank)] == ["f", "b", "n", "a"]


def test_what_the_same_transaction_writes_needs_not_be_there_before() -> None:
    assert _needed([peer("a", "f", "g"), made("BGPFilter", "f", {})]) == {
        "/calico/resources/v3/projectcalico.org/bgpfilters/g"
    }


@pytest.mark.parametrize(
    ("names", "once", "again"), [("abc", "abc", ""), ("aba", "ab", "a"), ("aaa", "a", "aa")]
)
def test_what_comes_again_is_written_again(names: str, once: str, again: str) -> None:
    first, others = _once_and_again(peer(name) for name in names)
    assert ("".join(each.key.name for each in first), "".join(each.key.name for each in others)) == (
        once,
        again,
    )
