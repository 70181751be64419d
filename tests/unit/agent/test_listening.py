from felixbgp.agent.effects import Listen
from felixbgp.agent.inputs import ListenFailed, Listening
from felixbgp.agent.listening import RETRY_NS, Listener
from felixbgp.bgp.inputs import Endpoint
from felixbgp.net import Address, Prefix

V4 = Endpoint(Address.parse("0.0.0.0"), 179)
V6 = Endpoint(Address.parse("::"), 179)


def test_the_wanted_set_is_asked_for_once_and_again_when_it_changes() -> None:
    listener = Listener()
    assert listener.take(0) == []
    listener.want((V4, V6))
    assert listener.next_deadline() == 0
    assert listener.take(0) == [Listen((V4, V6))]
    listener.want((V4, V6))
    assert listener.take(1) == []
    listener.want((V4,))
    assert listener.take(2) == [Listen((V4,))]


def test_an_endpoint_that_fails_is_a_problem_and_tried_again() -> None:
    listener = Listener()
    listener.want((V4, V6))
    listener.take(0)
    listener.feed(Listening(V4), 1)
    listener.feed(ListenFailed(V6, "Address already in use"), 1)
    assert listener.problems() == {":: port 179": "Address already in use"}
    assert listener.next_deadline() == 1 + RETRY_NS
    assert listener.take(RETRY_NS) == []
    assert listener.take(1 + RETRY_NS) == [Listen((V4, V6))]
    listener.feed(Listening(V6), 2 + RETRY_NS)
    assert listener.problems() == {}
    assert listener.next_deadline() is None


def test_a_failure_that_is_no_longer_of_interest_causes_no_retry() -> None:
    listener = Listener()
    listener.want((V4, V6))
    listener.take(0)
    listener.want((V4,))
    listener.feed(ListenFailed(V6, "Address already in use"), 1)
    assert listener.problems() == {}
    listener.take(1)
    assert listener.next_deadline() is None


def test_another_password_is_told_to_the_listener() -> None:
    key = (Prefix.parse("192.0.2.1"), b"secret")
    listener = Listener()
    listener.want((V4,), (key,))
    assert listener.take(0) == [Listen((V4,), (key,))]
    listener.want((V4,), (key,))
    assert listener.take(1) == []
    listener.want((V4,))
    assert listener.take(2) == [Listen((V4,))]
