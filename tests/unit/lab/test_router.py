import json

from felixbgp.bgp.config import PeerId
from felixbgp.lab.plan import LabPlan
from felixbgp.lab.router import configuration, intent
from felixbgp.net import IPV4, IPV6, Address, Prefix

PLAN = LabPlan(node_count=2, tor_count=2)


def test_a_router_waits_for_every_node_in_each_family() -> None:
    tor = PLAN.tors[1]
    wanted = intent(json.loads(json.dumps(configuration(PLAN, tor))))

    assert wanted.speaker is not None
    assert (str(wanted.speaker.bgp_identifier), wanted.speaker.local_as) == ("172.30.2.2", 64567)
    assert wanted.listen == (Address.parse("172.30.2.2"), Address.parse("fd00:172:30::2:2"))
    assert {str(peer) for peer in wanted.peers} == {
        "172.30.1.1", "172.30.1.2", "fd00:172:30::1:1", "fd00:172:30::1:2",
    }  # fmt: skip
    assert all(peer.passive and peer.remote_as == 64512 for peer in wanted.peers.values())
    assert wanted.origins.keys() == wanted.peers.keys()


def test_a_session_carries_its_own_family_from_its_own_address() -> None:
    wanted = intent(configuration(PLAN, PLAN.tors[0]))
    four = wanted.peers[PeerId(Address.parse("172.30.1.1"))]
    six = wanted.peers[PeerId(Address.parse("fd00:172:30::1:1"))]
    assert (four.families, str(four.transport.local_address)) == ((IPV4,), "172.30.2.1")
    assert (six.families, str(six.transport.local_address)) == ((IPV6,), "fd00:172:30::2:1")


def test_a_router_announces_its_stubs_and_looks_for_no_workloads() -> None:
    wanted = intent(configuration(PLAN, PLAN.tors[0]))
    assert wanted.aggregates == (Prefix.parse("198.18.1.0/24"), Prefix.parse("2001:db8:1::/64"))
    assert wanted.workload_interfaces == ()


def test_a_lab_without_ipv6_has_routers_without_ipv6() -> None:
    plan = LabPlan(ipv6=False)
    wanted = intent(configuration(plan, plan.tors[0]))
    assert {peer.address.family for peer in wanted.peers} == {IPV4}
    assert wanted.aggregates == (Prefix.parse("198.18.1.0/24"),)
