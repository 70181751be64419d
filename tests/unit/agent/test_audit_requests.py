"""Which keys of the store count as requests, once each."""

from felixbgp.agent.audit_requests import ANSWERED_MAX, COMPLAINT_INTERVAL_NS, WAITING_MAX, AuditRequests
from felixbgp.cluster.facts import InvalidValue
from felixbgp.cluster.inputs import KeyDeleted, KeyPut, PrefixRefused, SnapshotReceived, StoredValue
from felixbgp.status.audit_document import encode_request
from felixbgp.status.keys import audit_request_key, audit_requests_prefix

PREFIX = audit_requests_prefix("node-1")


def asked(request: str, revision: int = 1) -> StoredValue:
    return StoredValue(audit_request_key("node-1", request), encode_request(f"who asks {request}"), revision)


def test_only_keys_of_this_node_s_requests_are_of_concern() -> None:
    requests = AuditRequests("node-1")
    assert requests.concerns(KeyPut(asked("one")))
    assert requests.concerns(KeyDeleted(PREFIX + "one", 2))
    assert requests.concerns(SnapshotReceived(PREFIX, 1, ()))
    assert not requests.concerns(
        KeyPut(asked("one")._replace(key="/felixbgp/v1/nodes/node-2/audit-requests/one"))
    )
    assert not requests.concerns(SnapshotReceived("/felixbgp/", 1, ()))
    assert not requests.concerns(PrefixRefused("/calico/", "no"))


def test_a_request_waits_until_it_is_taken_and_is_not_taken_again() -> None:
    requests = AuditRequests("node-1")
    requests.feed(KeyPut(asked("one")), 0)
    requests.feed(KeyPut(asked("two")), 0)
    requests.feed(KeyPut(asked("one", 2)), 0)
    assert requests.waiting
    assert requests.take() == {"one": "who asks one", "two": "who asks two"}
    requests.feed(KeyPut(asked("one", 3)), 0)
    requests.feed(SnapshotReceived(PREFIX, 4, (asked("one"), asked("two"), asked("three"))), 0)
    assert requests.take() == {"three": "who asks three"}
    assert not requests.waiting


def test_a_request_that_is_taken_back_waits_no_more() -> None:
    requests = AuditRequests("node-1")
    requests.feed(KeyPut(asked("one")), 0)
    requests.feed(KeyDeleted(asked("one").key, 2), 0)
    requests.feed(KeyPut(asked("two")), 0)
    requests.feed(SnapshotReceived(PREFIX, 4, ()), 0)
    assert not requests.waiting


def test_no_more_wait_than_there_is_room_for_and_one_complaint_a_second_is_enough() -> None:
    requests = AuditRequests("node-1")
    for number in range(WAITING_MAX + 10):
        requests.feed(KeyPut(asked(f"r{number}")), 0)
    (fact,) = requests.take_facts()
    assert isinstance(fact, InvalidValue)
    assert "64 others wait" in str(fact.errors[0])
    assert len(requests.take()) == WAITING_MAX
    requests.feed(KeyPut(asked("no way!")), COMPLAINT_INTERVAL_NS)
    assert len(requests.take_facts()) == 1


def test_answered_requests_are_forgotten_oldest_first() -> None:
    requests = AuditRequests("node-1")
    for number in range(ANSWERED_MAX + 1):
        requests.feed(KeyPut(asked(f"r{number}")), 0)
        requests.take()
    requests.feed(KeyPut(asked("r1")), 0)
    assert not requests.waiting
    requests.feed(KeyPut(asked("r0")), 0)
    assert requests.waiting


def test_a_refusal_is_told_once_until_the_keys_could_be_read() -> None:
    requests = AuditRequests("node-1")
    for _ in range(2):
        requests.feed(PrefixRefused(PREFIX, "permission denied"), 0)
    assert len(requests.take_facts()) == 1
    requests.feed(SnapshotReceived(PREFIX, 4, ()), 0)
    requests.feed(PrefixRefused(PREFIX, "permission denied"), 0)
    assert len(requests.take_facts()) == 1
