"""Connected networks: addresses and links come and go, in any order."""

import pytest

from felixbgp.agent.connected import ConnectedNetworks
from felixbgp.fib.types import AddressChanged, AddressSnapshot, InterfaceAddress, LinkChanged
from felixbgp.net import Address, Prefix


def at(interface: str, text: str) -> InterfaceAddress:
    address, _, length = text.partition("/")
    return InterfaceAddress(interface, Address.parse(address), int(length))


def link(
    index: int, name: str, *, up: bool = True, carrier: bool = True, present: bool = True
) -> LinkChanged:
    return LinkChanged(index, name, up=up, present=present, carrier=carrier)


def changes(connected: ConnectedNetworks) -> dict[str, str | None]:
    return {str(network): connected.interface(network) for network in connected.take_changes()}


def connected_by(*addresses: InterfaceAddress, links: tuple[LinkChanged, ...] = ()) -> ConnectedNetworks:
    connected = ConnectedNetworks()
    for one in links or (link(1, "lo"), link(2, "eth0"), link(3, "eth1")):
        connected.feed(one)
    connected.feed(AddressSnapshot(addresses))
    return connected


@pytest.mark.parametrize(
    ("interface", "address", "network"),
    [
        pytest.param("eth0", "10.0.0.1/24", "10.0.0.0/24", id="a network"),
        pytest.param("eth0", "10.0.0.1/31", "10.0.0.0/31", id="a point-to-point network"),
        pytest.param("lo", "192.0.2.1/32", "192.0.2.1/32", id="a single address on the loopback interface"),
        pytest.param("lo", "2001:db8::1/128", "2001:db8::1/128", id="the same in IPv6"),
        pytest.param("eth0", "fd00:1::2/64", "fd00:1::/64", id="an IPv6 network"),
        pytest.param("lo", "127.0.0.1/8", None, id="loopback"),
        pytest.param("lo", "::1/128", None, id="IPv6 loopback"),
        pytest.param("eth0", "fe80::2/64", None, id="link-local"),
        pytest.param("eth0", "169.254.1.1/16", None, id="IPv4 link-local"),
    ],
)
def test_which_addresses_count(interface: str, address: str, network: str | None) -> None:
    found = changes(connected_by(at(interface, address)))
    assert found == ({} if network is None else {network: interface})


@pytest.mark.parametrize(
    ("pattern", "name", "counts"),
    [
        ("cali*", "cali12ab", False),
        ("cali*", "eth0", True),
        ("kube-ipvs*", "kube-ipvs0", False),
        ("eth0", "eth0", False),
        ("eth0", "eth01", True),
        ("*.100", "eth0.100", False),
    ],
)
def test_interfaces_that_are_ignored(pattern: str, name: str, counts: bool) -> None:
    connected = connected_by(at(name, "10.0.0.1/24"), links=(link(2, name),))
    connected.ignore((pattern,))
    assert changes(connected) == ({"10.0.0.0/24": name} if counts else {})
    connected.ignore(())
    assert changes(connected) == ({} if counts else {"10.0.0.0/24": name})
    connected.ignore((pattern,))
    assert changes(connected) == ({} if counts else {"10.0.0.0/24": None})


@pytest.mark.parametrize(
    "down",
    [
        pytest.param(link(2, "eth0", up=False), id="taken down"),
        pytest.param(link(2, "eth0", carrier=False), id="nobody at the other end"),
        pytest.param(link(2, "eth0", present=False), id="gone"),
    ],
)
def test_an_interface_that_leads_nowhere(down: LinkChanged) -> None:
    connected = connected_by(at("eth0", "10.0.0.1/24"))
    assert changes(connected) == {"10.0.0.0/24": "eth0"}
    connected.feed(down)
    assert changes(connected) == {"10.0.0.0/24": None}
    connected.feed(link(2, "eth0"))
    assert changes(connected) == ({"10.0.0.0/24": "eth0"} if down.present else {})


def test_an_address_before_its_link_counts_once_that_is_up() -> None:
    connected = ConnectedNetworks()
    connected.feed(AddressChanged(at("eth0", "10.0.0.1/24"), present=True))
    assert changes(connected) == {}
    connected.feed(link(2, "eth0"))
    assert changes(connected) == {"10.0.0.0/24": "eth0"}


def test_a_network_stays_as_long_as_one_address_in_it() -> None:
    one, two = at("eth0", "10.0.0.1/24"), at("eth0", "10.0.0.2/24")
    connected = connected_by(one, two)
    changes(connected)
    connected.feed(AddressChanged(one, present=False))
    assert changes(connected) == {}
    connected.feed(AddressChanged(two, present=False))
    assert changes(connected) == {"10.0.0.0/24": None}
    connected.feed(AddressChanged(two, present=False))
    assert changes(connected) == {}


def test_of_two_interfaces_the_first_by_name_until_it_goes() -> None:
    links = (link(3, "eth1"), link(2, "eth0"))
    connected = connected_by(at("eth1", "10.0.0.2/24"), at("eth0", "10.0.0.1/24"), links=links)
    assert changes(connected) == {"10.0.0.0/24": "eth0"}
    connected.feed(link(2, "eth0", up=False))
    assert changes(connected) == {"10.0.0.0/24": "eth1"}


def test_a_link_keeps_its_addresses_under_another_name() -> None:
    connected = connected_by(at("eth0", "10.0.0.1/24"))
    changes(connected)
    connected.feed(link(2, "wan0"))
    assert changes(connected) == {"10.0.0.0/24": "wan0"}
    connected.feed(AddressChanged(at("wan0", "10.0.0.1/24"), present=False))
    assert changes(connected) == {"10.0.0.0/24": None}


def test_another_link_of_the_same_name_has_none_of_the_addresses() -> None:
    connected = connected_by(at("eth0", "10.0.0.1/24"))
    changes(connected)
    connected.feed(link(2, "eth0", present=False))
    connected.feed(link(9, "eth0"))
    assert changes(connected) == {"10.0.0.0/24": None}


def test_a_snapshot_replaces_what_was_known() -> None:
    connected = connected_by(at("eth0", "10.0.0.1/24"), at("eth0", "10.1.0.1/24"))
    changes(connected)
    connected.feed(AddressSnapshot((at("eth0", "10.1.0.1/24"), at("eth1", "10.2.0.1/24"))))
    assert changes(connected) == {"10.0.0.0/24": None, "10.2.0.0/24": "eth1"}


def test_nothing_is_told_twice() -> None:
    connected = connected_by(at("eth0", "10.0.0.1/24"))
    assert connected.has_changes()
    changes(connected)
    assert not connected.has_changes()
    assert connected.take_changes() == []
    connected.feed(link(2, "eth0"))
    assert changes(connected) == {}
    assert connected.interface(Prefix.parse("10.0.0.0/24")) == "eth0"
