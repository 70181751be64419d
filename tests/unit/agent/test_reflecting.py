"""A reflector's cluster ID and clients, while what they become has to wait."""

from dataclasses import replace

import pytest

from felixbgp.agent.draining import SETTLING_NS
from felixbgp.agent.reflecting import Reflecting
from felixbgp.bgp.config import PeerConfig, PeerId, SpeakerConfig
from felixbgp.net import IPV4, Address

SECOND = 1_000_000_000
LONGEST_NS = 60 * SECOND
PEER = PeerId(Address.parse("10.0.0.2"))
OTHER = PeerConfig(peer=PEER, name="two", families=(IPV4,), local_as=64512, remote_as=64512)
CLIENT = replace(OTHER, route_reflector_client=True)
NODE = SpeakerConfig(bgp_identifier=Address.parse("10.0.0.1"), local_as=64512)
REFLECTOR = replace(NODE, cluster_id=Address.parse("244.0.0.1"))
ANOTHER = replace(NODE, cluster_id=Address.parse("244.0.0.2"))


@pytest.fixture
def reflecting() -> Reflecting:
    return Reflecting(LONGEST_NS)


def become(reflecting: Reflecting, before: SpeakerConfig | None, wanted: SpeakerConfig | None) -> None:
    reflecting.follow(before, wanted, {}, {}, now=0)


def over(reflecting: Reflecting, now: int, *, complete: bool = True) -> bool:
    return reflecting.take_over(has_all_tables=complete, now=now)


class TestClusterId:
    def test_of_the_start_counts_at_once(self, reflecting: Reflecting) -> None:
        become(reflecting, None, REFLECTOR)
        assert reflecting.speaker(REFLECTOR) == REFLECTOR
        assert not reflecting.is_waiting

    def test_waits_until_all_tables_have_been_there_for_a_while(self, reflecting: Reflecting) -> None:
        become(reflecting, NODE, REFLECTOR)
        assert (reflecting.speaker(REFLECTOR), reflecting.next_deadline()) == (NODE, LONGEST_NS)
        assert not over(reflecting, SECOND)
        assert reflecting.next_deadline() == SECOND + SETTLING_NS
        assert not over(reflecting, 2 * SECOND, complete=False)
        assert not over(reflecting, 3 * SECOND)
        assert not over(reflecting, 2 * SECOND + SETTLING_NS)
        assert over(reflecting, 3 * SECOND + SETTLING_NS)
        assert reflecting.speaker(REFLECTOR) == REFLECTOR
        assert (reflecting.is_waiting, reflecting.next_deadline()) == (False, None)

    def test_counts_in_the_end_whoever_is_missing(self, reflecting: Reflecting) -> None:
        become(reflecting, NODE, REFLECTOR)
        assert not over(reflecting, LONGEST_NS - 1, complete=False)
        assert over(reflecting, LONGEST_NS, complete=False)

    def test_that_changes_twice_waits_from_the_first_time_on(self, reflecting: Reflecting) -> None:
        become(reflecting, NODE, REFLECTOR)
        reflecting.follow(REFLECTOR, ANOTHER, {}, {}, now=SECOND)
        assert (reflecting.speaker(ANOTHER), reflecting.next_deadline()) == (NODE, LONGEST_NS)

    def test_that_is_the_former_again_waits_for_nothing(self, reflecting: Reflecting) -> None:
        become(reflecting, NODE, REFLECTOR)
        become(reflecting, REFLECTOR, NODE)
        assert not reflecting.is_waiting

    def test_of_a_node_that_leaves_is_forgotten(self, reflecting: Reflecting) -> None:
        become(reflecting, NODE, REFLECTOR)
        become(reflecting, REFLECTOR, None)
        assert not reflecting.is_waiting


def leave(reflecting: Reflecting, config: PeerConfig | None = OTHER) -> None:
    reflecting.follow(NODE, NODE, {PEER: CLIENT}, {PEER: config}, now=0)


class TestClient:
    def test_stays_one_for_the_longest_time(self, reflecting: Reflecting) -> None:
        leave(reflecting)
        assert reflecting.clients({PEER: OTHER}) == {PEER: CLIENT}
        assert reflecting.next_deadline() == LONGEST_NS
        assert not over(reflecting, LONGEST_NS - 1)
        assert over(reflecting, LONGEST_NS)
        assert reflecting.clients({PEER: OTHER}) == {}

    def test_has_what_else_the_intent_says(self, reflecting: Reflecting) -> None:
        leave(reflecting)
        assert reflecting.clients({PEER: replace(OTHER, name="new")}) == {PEER: replace(CLIENT, name="new")}

    @pytest.mark.parametrize(
        "config",
        [
            pytest.param(CLIENT, id="one again"),
            pytest.param(None, id="no peer any more"),
            pytest.param(replace(OTHER, remote_as=64999), id="of another AS"),
        ],
    )
    def test_is_none_that_waits(self, reflecting: Reflecting, config: PeerConfig | None) -> None:
        leave(reflecting)
        leave(reflecting, config)
        assert not reflecting.is_waiting

    def test_that_was_none_is_none(self, reflecting: Reflecting) -> None:
        reflecting.follow(NODE, NODE, {PEER: OTHER}, {PEER: replace(OTHER, name="new")}, now=0)
        assert not reflecting.is_waiting


def test_where_nobody_is_drained_nothing_waits() -> None:
    reflecting = Reflecting(0)
    reflecting.follow(NODE, REFLECTOR, {PEER: CLIENT}, {PEER: OTHER}, now=0)
    assert not reflecting.is_waiting
    assert reflecting.speaker(REFLECTOR) == REFLECTOR
