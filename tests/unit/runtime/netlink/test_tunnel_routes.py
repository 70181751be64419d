"""Golden messages of the routes to a pool's blocks, octet by octet, beside those that `ip route` sends.

From Calico's stored IPPool and a peer's UPDATE to the kernel: Always sends every block through `tunl0`,
CrossSubnet those of nodes in other subnets, a pool without encapsulation none. The tunnel is one device
without a fixed other end: the gateway names the node to wrap packets for, and `onlink` keeps the kernel from
looking for it on a link.

Numbers are in the byte order of the machine, here a little-endian one; addresses in network order. The
header is of netlink(7), `rtmsg` and the attributes of rtnetlink(7); values are of linux/netlink.h and
linux/rtnetlink.h.
"""

import re
import sys

import pytest

from felixbgp.agent.config import ROUTE_PROTOCOL, ROUTE_TABLE
from felixbgp.cluster.inputs import SnapshotReceived, StoredValue
from felixbgp.cluster.state import ClusterState, watched_prefixes
from felixbgp.fib.types import KernelRoute, NextHop, Route, RouteKind
from felixbgp.intent.derive import derive
from felixbgp.lab import calico
from felixbgp.lab.plan import LabPlan
from felixbgp.net import Address, Prefix
from felixbgp.runtime.netlink.encode import RouteEncoder
from felixbgp.runtime.netlink.messages import HEADER, read_attributes, split_messages
from tests.support.routers import Router

BLOCK = "10.65.2.0/26"
NEAR, FAR, ROUTER = "172.30.1.2", "172.31.1.2", "172.30.0.1"
"""A node in our subnet 172.30.0.0/16 and one in another, and the router between them: our default route."""
LOCAL_PREF = 2_147_482_623
"""What nodes announce their blocks with, as of Calico v3.32; it stands for the metric 1024."""
INTERFACES = {"eth0": 2, "tunl0": 3}

LENGTH = "3c 00 00 00   nlmsg_len     60 octets"
HEAD = """
18 00         nlmsg_type    RTM_NEWROUTE (24)
{flags}         nlmsg_flags   {words}
07 00 00 00   nlmsg_seq     7: the answer names it
00 00 00 00   nlmsg_pid     0: the kernel fills in the sender's port
"""
CREATE = HEAD.format(flags="01 06", words="NLM_F_REQUEST (1), NLM_F_CREATE (0x400), NLM_F_EXCL (0x200)")
REPLACE = HEAD.format(flags="01 01", words="NLM_F_REQUEST (1), NLM_F_REPLACE (0x100); never created by it")
BODY = """
02            rtm_family    AF_INET
1a            rtm_dst_len   26
00            rtm_src_len   0: from anywhere
00            rtm_tos       0: of any kind
fe            rtm_table     RT_TABLE_MAIN (254)
b3            rtm_protocol  179: ours
00            rtm_scope     RT_SCOPE_UNIVERSE: not on this link
01            rtm_type      RTN_UNICAST
{flags}   rtm_flags     {flags_word}: with one next hop its flags are here
08 00 01 00   rta_len 8, RTA_DST (1)
0a 41 02 00                 10.65.2.0
08 00 06 00   rta_len 8, RTA_PRIORITY (6)
00 04 00 00                 metric 1024
08 00 05 00   rta_len 8, RTA_GATEWAY (5)
{gateway}                 {gateway_word}
08 00 04 00   rta_len 8, RTA_OIF (4)
{interface}
"""
ONLINK = {"flags": "04 00 00 00", "flags_word": "RTNH_F_ONLINK (4)"}
ON_A_LINK = {"flags": "00 00 00 00", "flags_word": "none, the gateway must be on the link"}
TUNL0 = {"interface": "03 00 00 00                 interface 3, which is tunl0 here"}
ETH0 = {"interface": "02 00 00 00                 interface 2, which is eth0 here"}
VIA_NEAR = {"gateway": "ac 1e 01 02", "gateway_word": "172.30.1.2: the node, from the BGP NEXT_HOP"}
VIA_FAR = {"gateway": "ac 1f 01 02", "gateway_word": "172.31.1.2: the node, from the BGP NEXT_HOP"}
VIA_ROUTER = {"gateway": "ac 1e 00 01", "gateway_word": "172.30.0.1: by which 172.31.1.2 is reached"}
NEAR_IN_TUNNEL = BODY.format(**ONLINK, **VIA_NEAR, **TUNL0)
FAR_IN_TUNNEL = BODY.format(**ONLINK, **VIA_FAR, **TUNL0)
NEAR_PLAIN = BODY.format(**ON_A_LINK, **VIA_NEAR, **ETH0)
FAR_PLAIN = BODY.format(**ON_A_LINK, **VIA_ROUTER, **ETH0)

IP_TUNNEL = """
3c 00 00 00 18 00 05 06  89 36 07 6b 00 00 00 00
02 1a 00 00 fe b3 00 01  04 00 00 00 08 00 01 00
0a 41 02 00 08 00 05 00  ac 1e 01 02 08 00 06 00
00 04 00 00 08 00 04 00  03 00 00 00
"""
"""iproute2 6.1.0: ip route add 10.65.2.0/26 via 172.30.1.2 dev tunl0 onlink proto 179 metric 1024"""
IP_TUNNEL_REPLACE = IP_TUNNEL.replace("05 06", "05 05").replace("89 36", "8a 36")
"""The same with `ip route replace`, which also creates."""
IP_PLAIN = IP_TUNNEL.replace("04 00 00 00", "00 00 00 00").replace("03 00 00 00", "02 00 00 00")
"""ip route add 10.65.2.0/26 via 172.30.1.2 dev eth0 proto 179 metric 1024"""


def octets(annotated: str) -> bytes:
    """The octets at the beginning of each line, up to what is said about them."""
    lines = (
        re.match(r"(?:[0-9a-f]{2} {1,2})*(?:[0-9a-f]{2})?", f"{line}  ") for line in annotated.splitlines()
    )
    return bytes.fromhex("".join(line[0] for line in lines if line))


def decided(ipip_mode: str, node: str) -> Route:
    """The route that an agent wants once that node announced the block, with a pool of that mode stored."""
    plan = LabPlan(node_count=1, tor_count=0)
    stored = calico.cluster_resources(plan) | calico.pool_resource(4, ipip_mode)
    state = ClusterState("node-1")
    for below in watched_prefixes("node-1"):
        values = [
            StoredValue(key, value.encode(), 1) for key, value in stored.items() if key.startswith(below)
        ]
        state.feed(SnapshotReceived(below, 1, tuple(values)))
    router = Router(node, connected=("172.30.0.0/16",), tunnels=derive(state, "node-1").tunnels)
    default = Route(RouteKind.UNICAST, (NextHop(Address.parse(ROUTER), "eth0"),), 0)
    router.kernel_changed(KernelRoute(Prefix.parse("0.0.0.0/0"), default, 3), present=True)
    router.announce(node, BLOCK, local_pref=LOCAL_PREF)
    return router.routes()[BLOCK]


def written(route: Route, *, exclusive: bool) -> bytes:
    encoder = RouteEncoder(ROUTE_PROTOCOL, ROUTE_TABLE, INTERFACES.get)
    return bytes(encoder.replace(Prefix.parse(BLOCK), route, 7, exclusive=exclusive))


def test_the_golden_octets_are_of_a_little_endian_machine() -> None:
    assert sys.byteorder == "little"


@pytest.mark.parametrize(("exclusive", "head"), [(True, CREATE), (False, REPLACE)], ids=["new", "changed"])
@pytest.mark.parametrize(
    ("ipip_mode", "node", "body"),
    [
        pytest.param("Always", NEAR, NEAR_IN_TUNNEL, id="Always, a node in our subnet"),
        pytest.param("Always", FAR, FAR_IN_TUNNEL, id="Always, a node in another one"),
        pytest.param("CrossSubnet", NEAR, NEAR_PLAIN, id="CrossSubnet, a node in our subnet"),
        pytest.param("CrossSubnet", FAR, FAR_IN_TUNNEL, id="CrossSubnet, a node in another one"),
        pytest.param("Never", NEAR, NEAR_PLAIN, id="no encapsulation, a node in our subnet"),
        pytest.param("Never", FAR, FAR_PLAIN, id="no encapsulation, a node in another one"),
    ],
)
def test_golden(ipip_mode: str, node: str, body: str, exclusive: bool, head: str) -> None:
    message = written(decided(ipip_mode, node), exclusive=exclusive)
    assert message == octets(f"{LENGTH}\n{head}\n{body}")
    assert HEADER.unpack_from(message)[0] == len(message)


@pytest.mark.parametrize(
    ("ipip_mode", "exclusive", "by_ip"),
    [
        pytest.param("Always", True, IP_TUNNEL, id="through the tunnel, new"),
        pytest.param("Always", False, IP_TUNNEL_REPLACE, id="through the tunnel, changed"),
        pytest.param("CrossSubnet", True, IP_PLAIN, id="plain, new"),
    ],
)
def test_ip_route_says_the_same(ipip_mode: str, exclusive: bool, by_ip: str) -> None:
    """But for the order of attributes; and it asks for every answer, and has `replace` create as well."""
    (ours,) = split_messages(written(decided(ipip_mode, NEAR), exclusive=exclusive))
    (theirs,) = split_messages(octets(by_ip))
    assert ours.type == theirs.type
    own_flags = 0x004 | (0 if exclusive else 0x400)  # NLM_F_ACK, NLM_F_CREATE
    assert ours.flags | own_flags == theirs.flags
    rtmsg_octets = 12
    assert ours.body[:rtmsg_octets] == theirs.body[:rtmsg_octets]
    assert read_attributes(ours.body[rtmsg_octets:]) == read_attributes(theirs.body[rtmsg_octets:])
    assert len(ours.body) == len(theirs.body)
