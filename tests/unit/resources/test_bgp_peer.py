"""BGPPeers: every rule that refuses one, with the sentence it is refused in (Calico's table of fields)."""

import json

import pytest

from felixbgp.net import Address
from felixbgp.resources import BgpPeer, encode
from felixbgp.resources.bgp_peer import NextHopMode, ReversePeering, SourceAddress
from tests.support.documents import accepted, refused

PEER: dict[str, object] = {"peerIP": "192.0.2.1", "asNumber": 1}
NO_PEER_IP = "is not an IP address, or IPv4:port, or [IPv6]:port"
NO_DURATION = 'is not a duration; write it as "90s" or "1m30s"'


@pytest.mark.parametrize(
    ("written", "number"),
    [
        (64512, 64512),
        ("64512", 64512),
        ("1.10", 65546),
        ("0.1", 1),
        (1, 1),
        (4294967295, 4294967295),
        ("65535.65535", 4294967295),
    ],
)
def test_as_numbers_may_be_numbers_texts_or_dotted_and_are_written_as_numbers(
    written: object, number: int
) -> None:
    peer = accepted("BGPPeer", PEER | {"asNumber": written, "localASNumber": written})
    assert isinstance(peer, BgpPeer)
    assert peer.spec.as_number == peer.spec.local_as_number == number
    assert json.loads(encode(peer))["spec"]["asNumber"] == number


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        (4294967296, "4294967296 is not between 1 and 4294967295"),
        ("4294967296", '"4294967296" is not between 1 and 4294967295'),
        (0, "0 is not between 1 and 4294967295"),
        ("0.0", '"0.0" is not between 1 and 4294967295'),
        (-1, "-1 is not between 1 and 4294967295"),
        ("-1", '"-1" is not an AS number'),
        ("+1", '"+1" is not an AS number'),
        ("x", '"x" is not an AS number'),
        ("0x10", '"0x10" is not an AS number'),
        ("1e3", '"1e3" is not an AS number'),
        ("1.2.3", '"1.2.3" is not an AS number'),
        ("1.", '"1." is not an AS number'),
        (".1", '".1" is not an AS number'),
        (".", '"." is not an AS number'),
        ("1.65536", '"1.65536" is not an AS number: the parts of high.low go to 65535'),
        ("65536.1", '"65536.1" is not an AS number: the parts of high.low go to 65535'),
        ("¹", '"¹" is not an AS number'),
        (" 1", '" 1" is not an AS number'),
        ("1 ", '"1 " is not an AS number'),
        ("1 .1", '"1 .1" is not an AS number'),
        ("1" * 65, f'"{"1" * 65}" is not an AS number'),
        (1.1, '1.1 is not an AS number; write high.low in quotes: "1.10"'),
        (True, "true is not an AS number"),
        ([], "a list is not an AS number"),
        ({}, "an object is not an AS number"),
        (10**200, "a huge number is not between 1 and 4294967295"),
    ],
)
def test_what_is_no_as_number(written: object, sentence: str) -> None:
    assert refused("BGPPeer", PEER | {"asNumber": written}) == [f"spec.asNumber: {sentence}"]
    assert refused("BGPPeer", PEER | {"localASNumber": written}) == [f"spec.localASNumber: {sentence}"]


@pytest.mark.parametrize("spec", [{"peerSelector": "all()"}, {"node": "a"}, PEER])
def test_an_as_number_of_0_is_refused_though_calico_takes_it_for_none(spec: dict[str, object]) -> None:
    assert refused("BGPPeer", spec | {"asNumber": 0}) == ["spec.asNumber: 0 is not between 1 and 4294967295"]


@pytest.mark.parametrize(
    ("written", "address", "port"),
    [
        ("192.0.2.1", "192.0.2.1", None),
        ("192.0.2.1:166", "192.0.2.1", 166),
        ("192.0.2.1:1", "192.0.2.1", 1),
        ("192.0.2.1:65535", "192.0.2.1", 65535),
        ("2001:db8::1", "2001:db8::1", None),
        ("[2001:db8::1]:166", "2001:db8::1", 166),
        ("2001:DB8:0::1", "2001:db8::1", None),
    ],
)
def test_peer_addresses(written: str, address: str, port: int | None) -> None:
    peer = accepted("BGPPeer", PEER | {"peerIP": written})
    assert isinstance(peer, BgpPeer)
    assert peer.spec.peer_ip == (Address.parse(address), port)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("10.0.0.300", '"10.0.0.300"'),
        ("10.0.0", '"10.0.0"'),
        ("10.0.0.1/32", '"10.0.0.1/32"'),
        ("192.0.2.1:", '"192.0.2.1:"'),
        ("192.0.2.1:x", '"192.0.2.1:x"'),
        ("192.0.2.1:-1", '"192.0.2.1:-1"'),
        ("192.0.2.1:179 ", '"192.0.2.1:179 "'),
        (" 192.0.2.1", '" 192.0.2.1"'),
        ("[2001:db8::1]", '"[2001:db8::1]"'),
        ("[2001:db8::1]:", '"[2001:db8::1]:"'),
        ("[]:179", '"[]:179"'),
        ("[192.0.2.1]:1", '"[192.0.2.1]:1"'),
        (":179", '":179"'),
        ("tor", '"tor"'),
        ("fe80::1%eth0", '"fe80::1%eth0"'),
        (1, "1"),
        (True, "true"),
    ],
)
def test_what_is_no_peer_address(written: object, shown: str) -> None:
    assert refused("BGPPeer", PEER | {"peerIP": written}) == [f"spec.peerIP: {shown} {NO_PEER_IP}"]


@pytest.mark.parametrize(
    "written",
    [
        "0.0.0.0",
        "0.0.0.0:179",
        "::",
        "[::]:179",
        "224.0.0.1",
        "239.255.255.255",
        "ff02::1",
        "[ffff::]:1",
        "255.255.255.255",
    ],
)
def test_an_address_that_no_host_has_is_no_peers(written: str) -> None:
    sentence = f'spec.peerIP: "{written}" is no address of a host: it is unspecified, multicast or broadcast'
    assert refused("BGPPeer", PEER | {"peerIP": written}) == [sentence]


@pytest.mark.parametrize(
    "written", ["127.0.0.2", "::1", "0.0.0.1", "223.255.255.255", "240.0.0.1", "fe80::1"]
)
def test_addresses_that_a_host_may_have_in_a_lab_are_peers(written: str) -> None:
    accepted("BGPPeer", PEER | {"peerIP": written})


@pytest.mark.parametrize("written", ["192.0.2.1:0", "192.0.2.1:65536", "[2001:db8::1]:99999"])
def test_ports_have_a_range(written: str) -> None:
    sentence = f'spec.peerIP: "{written}" has a port that is not between 1 and 65535'
    assert refused("BGPPeer", PEER | {"peerIP": written}) == [sentence]


@pytest.mark.parametrize(
    ("spec", "sentences"),
    [
        pytest.param(
            {"node": "a", "nodeSelector": "all()"},
            ['spec.node: "a" cannot be set together with nodeSelector'],
            id="node and nodeSelector",
        ),
        pytest.param(
            {"peerIP": "192.0.2.1", "asNumber": 1, "peerSelector": "all()"},
            [
                'spec.peerIP: "192.0.2.1" cannot be set together with peerSelector',
                "spec.asNumber: 1 cannot be set together with peerSelector: selected nodes have their own",
            ],
            id="peerIP and peerSelector",
        ),
        pytest.param(
            {"asNumber": 1, "peerSelector": "all()"},
            ["spec.asNumber: 1 cannot be set together with peerSelector: selected nodes have their own"],
            id="asNumber and peerSelector",
        ),
        pytest.param({"peerIP": "192.0.2.1"}, ["spec.asNumber: is missing"], id="peerIP without asNumber"),
        pytest.param(
            {"localWorkloadSelector": "all()"},
            ["spec.asNumber: is missing"],
            id="localWorkloadSelector without asNumber",
        ),
        pytest.param(
            {"localWorkloadSelector": "all()", "peerSelector": "all()"},
            [
                'spec.localWorkloadSelector: "all()" cannot be set together with peerSelector',
                "spec.asNumber: is missing",
            ],
            id="localWorkloadSelector and peerSelector",
        ),
        pytest.param(
            {"localWorkloadSelector": "all()", "peerIP": "192.0.2.1", "asNumber": 1},
            ['spec.localWorkloadSelector: "all()" cannot be set together with peerIP'],
            id="localWorkloadSelector and peerIP",
        ),
        pytest.param(
            PEER | {"keepOriginalNextHop": True, "nextHopMode": "Self"},
            ["spec.keepOriginalNextHop: true cannot be set together with nextHopMode"],
            id="keepOriginalNextHop and nextHopMode",
        ),
        pytest.param(
            {"reachableBy": "192.0.2.1"},
            ['spec.reachableBy: "192.0.2.1" can only be set together with peerIP'],
            id="reachableBy without peerIP",
        ),
        pytest.param(
            PEER | {"reachableBy": "2001:db8::1", "peerIP": "192.0.2.1:5"},
            ['spec.reachableBy: "2001:db8::1" is not of the same family as peerIP'],
            id="reachableBy IPv6 of IPv4",
        ),
        pytest.param(
            PEER | {"reachableBy": "192.0.2.1", "peerIP": "[2001:db8::1]:5"},
            ['spec.reachableBy: "192.0.2.1" is not of the same family as peerIP'],
            id="reachableBy IPv4 of IPv6",
        ),
        pytest.param(
            PEER | {"reachableBy": "192.0.2.1:5"},
            ['spec.reachableBy: "192.0.2.1:5" is not an IP address'],
            id="reachableBy with a port",
        ),
    ],
)
def test_rules_between_fields(spec: object, sentences: list[str]) -> None:
    assert refused("BGPPeer", spec) == sentences


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("node", "a b", '"a b" is not a node name'),
        ("node", "a/b", '"a/b" is not a node name'),
        ("node", "a" * 254, f'"{"a" * 78}… is not a node name'),
        ("node", 1, "1 is not a text"),
        ("nodeSelector", "a", '"a" is not a selector: expected an operator after a at character 2'),
        ("nodeSelector", 1, "1 is not a text"),
        (
            "peerSelector",
            "has(",
            '"has(" is not a selector: expected a label and ) at character 5',
        ),
        (
            "localWorkloadSelector",
            "!",
            '"!" is not a selector: expected a label, has(…), all() or ( at character 2',
        ),
        ("keepOriginalNextHop", "true", '"true" is not true or false'),
        ("nextHopMode", "self", "\"self\" is not 'Auto', 'Self' or 'Keep'"),
        ("reversePeering", "Off", "\"Off\" is not 'Auto' or 'Manual'"),
        ("sourceAddress", "Any", "\"Any\" is not 'UseNodeIP' or 'None'"),
        ("password", "secret", '"secret" is not an object'),
        ("maxRestartTime", 5, "5 is not a text"),
        ("maxRestartTime", "5", f'"5" {NO_DURATION}'),
        ("maxRestartTime", "-5s", f'"-5s" {NO_DURATION}'),
        ("maxRestartTime", "5 s", f'"5 s" {NO_DURATION}'),
        ("keepaliveTime", "soon", f'"soon" {NO_DURATION}'),
        ("keepaliveTime", "1d", f'"1d" {NO_DURATION}'),
        ("numAllowedLocalASNumbers", -1, "-1 is not between 0 and 2147483647"),
        ("numAllowedLocalASNumbers", 2**31, "2147483648 is not between 0 and 2147483647"),
        ("numAllowedLocalASNumbers", "1", '"1" is not a whole number'),
        ("ttlSecurity", 256, "256 is not between 0 and 255"),
        ("ttlSecurity", -1, "-1 is not between 0 and 255"),
        ("ttlSecurity", 1.5, "1.5 is not a whole number"),
        ("ttlSecurity", True, "true is not a whole number"),
        ("filters", "f", '"f" is not a list'),
        ("filters", {"f": 1}, "an object is not a list"),
    ],
)
def test_fields_by_themselves(field: str, value: object, sentence: str) -> None:
    assert refused("BGPPeer", {field: value}) == [f"spec.{field}: {sentence}"]


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"password": {"secretKeyRef": {"name": "s"}}}, "spec.password.secretKeyRef.key: is missing"),
        ({"password": {"secretKeyRef": {"key": "k"}}}, "spec.password.secretKeyRef.name: is missing"),
        (
            {"password": {"secretKeyRef": {"name": "s", "key": 1}}},
            "spec.password.secretKeyRef.key: 1 is not a text",
        ),
        ({"password": {"value": "x"}}, "spec.password.value: is not a field this resource has"),
        ({"filters": ["f", 1]}, "spec.filters[1]: 1 is not a text"),
        ({"peerip": "192.0.2.1"}, "spec.peerip: is not a field this resource has"),
    ],
)
def test_inside_of_fields(spec: object, sentence: str) -> None:
    assert refused("BGPPeer", spec) == [sentence]


def test_a_peer_of_nobody_is_valid() -> None:
    """It is when deriving peers that it says nothing."""
    accepted("BGPPeer", {})


def test_a_peer_with_every_field_that_goes_together() -> None:
    spec: dict[str, object] = {
        "nodeSelector": "all()",
        "peerIP": "192.0.2.1:180",
        "asNumber": 1,
        "localASNumber": 2,
        "keepOriginalNextHop": True,
        "reversePeering": "Manual",
        "password": {"secretKeyRef": {"name": "s", "key": "k", "optional": True}},
        "sourceAddress": "None",
        "maxRestartTime": "1m30s",
        "keepaliveTime": "20s",
        "numAllowedLocalASNumbers": 1,
        "ttlSecurity": 255,
        "reachableBy": "192.0.2.9",
        "filters": ["b", "a"],
    }
    peer = accepted("BGPPeer", spec)
    assert isinstance(peer, BgpPeer)
    assert json.loads(encode(peer))["spec"] == spec
    assert peer.spec.reverse_peering is ReversePeering.MANUAL
    assert peer.spec.source_address is SourceAddress.NONE
    other = accepted(
        "BGPPeer", {"node": "a", "localWorkloadSelector": "has(x)", "asNumber": 1, "nextHopMode": "Keep"}
    )
    assert isinstance(other, BgpPeer)
    assert other.spec.next_hop_mode is NextHopMode.KEEP
