"""Golden messages of an IPIP pool's routes, octet by octet, beside those that `ip route` sends.

Always sends every block through `tunl0`; CrossSubnet sends the blocks of nodes in the own subnet as plain
routes, as a pool without encapsulation does. The tunnel is one device without a fixed other end: the gateway
names the node to wrap packets for, and `onlink` keeps the kernel from looking for it on a link.

Numbers are in the byte order of the machine, here a little-endian one; addresses in network order. The
header is of netlink(7), `rtmsg` and the attributes of rtnetlink(7); values are of linux/netlink.h and
linux/rtnetlink.h.
"""

import re
import sys

import pytest

from felixbgp.fib.types import NextHop, Route, RouteKind
from felixbgp.net import Address, Prefix
from felixbgp.runtime.netlink.encode import RouteEncoder
from felixbgp.runtime.netlink.messages import HEADER, read_attributes, split_messages

BLOCK = Prefix.parse("10.65.2.0/26")
NODE = Address.parse("172.30.1.2")
THROUGH_TUNNEL = Route(RouteKind.UNICAST, (NextHop(NODE, "tunl0", onlink=True),))
PLAIN = Route(RouteKind.UNICAST, (NextHop(NODE),))
BLACKHOLE = Route(RouteKind.BLACKHOLE)

HEAD = """
18 00         nlmsg_type    RTM_NEWROUTE (24)
{flags}         nlmsg_flags   {words}
07 00 00 00   nlmsg_seq     7: the answer names it
00 00 00 00   nlmsg_pid     0: the kernel fills in the sender's port
"""
CREATE = HEAD.format(flags="01 06", words="NLM_F_REQUEST (1), NLM_F_CREATE (0x400), NLM_F_EXCL (0x200)")
REPLACE = HEAD.format(flags="01 01", words="NLM_F_REQUEST (1), NLM_F_REPLACE (0x100); never created by it")
LENGTH_TUNNEL = "3c 00 00 00   nlmsg_len     60 octets"
TUNNEL = """
02            rtm_family    AF_INET
1a            rtm_dst_len   26
00            rtm_src_len   0: from anywhere
00            rtm_tos       0: of any kind
fe            rtm_table     RT_TABLE_MAIN (254)
b3            rtm_protocol  179: ours
00            rtm_scope     RT_SCOPE_UNIVERSE: not on this link
01            rtm_type      RTN_UNICAST
04 00 00 00   rtm_flags     RTNH_F_ONLINK (4): with one next hop its flags are here
08 00 01 00   rta_len 8, RTA_DST (1)
0a 41 02 00                 10.65.2.0
08 00 06 00   rta_len 8, RTA_PRIORITY (6)
00 04 00 00                 metric 1024
08 00 05 00   rta_len 8, RTA_GATEWAY (5)
ac 1e 01 02                 172.30.1.2: the node, from the BGP NEXT_HOP
08 00 04 00   rta_len 8, RTA_OIF (4)
03 00 00 00                 interface 3, which is tunl0 here
"""
LENGTH_PLAIN = "34 00 00 00   nlmsg_len     52 octets"
PLAIN_BODY = """
02 1a 00 00   rtm_family    AF_INET, 26 bits, from anywhere, of any kind
fe b3 00 01   rtm_table     main, protocol 179, RT_SCOPE_UNIVERSE, RTN_UNICAST
00 00 00 00   rtm_flags     the gateway must be on a link
08 00 01 00   RTA_DST
0a 41 02 00                 10.65.2.0
08 00 06 00   RTA_PRIORITY
00 04 00 00                 metric 1024
08 00 05 00   RTA_GATEWAY
ac 1e 01 02                 172.30.1.2; no RTA_OIF: the kernel finds the link
"""
LENGTH_BLACKHOLE = "2c 00 00 00   nlmsg_len     44 octets"
BLACKHOLE_BODY = """
02 1a 00 00   rtm_family    AF_INET, 26 bits, from anywhere, of any kind
fe b3 00 06   rtm_table     main, protocol 179, RT_SCOPE_UNIVERSE, RTN_BLACKHOLE (6)
00 00 00 00   rtm_flags
08 00 01 00   RTA_DST
0a 41 02 00                 10.65.2.0
08 00 06 00   RTA_PRIORITY
00 04 00 00                 metric 1024
"""

IP_TUNNEL = """
3c 00 00 00 18 00 05 06  89 36 07 6b 00 00 00 00
02 1a 00 00 fe b3 00 01  04 00 00 00 08 00 01 00
0a 41 02 00 08 00 05 00  ac 1e 01 02 08 00 06 00
00 04 00 00 08 00 04 00  03 00 00 00
"""
"""iproute2 6.1.0: ip route add 10.65.2.0/26 via 172.30.1.2 dev tunl0 onlink proto 179 metric 1024"""
IP_TUNNEL_REPLACE = IP_TUNNEL.replace("05 06", "05 05").replace("89 36", "8a 36")
"""The same with `ip route replace`, which also creates."""
IP_PLAIN = """
34 00 00 00 18 00 05 06  8a 36 07 6b 00 00 00 00
02 1a 00 00 fe b3 00 01  00 00 00 00 08 00 01 00
0a 41 02 00 08 00 05 00  ac 1e 01 02 08 00 06 00
00 04 00 00
"""
"""ip route add 10.65.2.0/26 via 172.30.1.2 proto 179 metric 1024"""


def octets(annotated: str) -> bytes:
    """The octets at the beginning of each line, up to what is said about them."""
    lines = (
        re.match(r"(?:[0-9a-f]{2} {1,2})*(?:[0-9a-f]{2})?", f"{line}  ") for line in annotated.splitlines()
    )
    return bytes.fromhex("".join(line[0] for line in lines if line))


def written(route: Route, *, exclusive: bool) -> bytes:
    indices = {"eth0": 2, "tunl0": 3}
    return bytes(RouteEncoder(179, 254, indices.get).replace(BLOCK, route, 7, exclusive=exclusive))


def test_the_golden_octets_are_of_a_little_endian_machine() -> None:
    assert sys.byteorder == "little"


@pytest.mark.parametrize(
    ("route", "exclusive", "golden"),
    [
        pytest.param(THROUGH_TUNNEL, True, (LENGTH_TUNNEL, CREATE, TUNNEL), id="Always, a new block"),
        pytest.param(THROUGH_TUNNEL, False, (LENGTH_TUNNEL, REPLACE, TUNNEL), id="Always, another node"),
        pytest.param(PLAIN, True, (LENGTH_PLAIN, CREATE, PLAIN_BODY), id="CrossSubnet, a node in our subnet"),
        pytest.param(
            THROUGH_TUNNEL, True, (LENGTH_TUNNEL, CREATE, TUNNEL), id="CrossSubnet, a node in another one"
        ),
        pytest.param(
            PLAIN, False, (LENGTH_PLAIN, REPLACE, PLAIN_BODY), id="CrossSubnet, moved into our subnet"
        ),
        pytest.param(
            BLACKHOLE, True, (LENGTH_BLACKHOLE, CREATE, BLACKHOLE_BODY), id="a block of our own, in any pool"
        ),
    ],
)
def test_golden(route: Route, exclusive: bool, golden: tuple[str, ...]) -> None:
    assert written(route, exclusive=exclusive) == octets("\n".join(golden))


@pytest.mark.parametrize(
    ("route", "exclusive", "by_ip"),
    [
        pytest.param(THROUGH_TUNNEL, True, IP_TUNNEL, id="through the tunnel, created"),
        pytest.param(THROUGH_TUNNEL, False, IP_TUNNEL_REPLACE, id="through the tunnel, replaced"),
        pytest.param(PLAIN, True, IP_PLAIN, id="plain, created"),
    ],
)
def test_ip_route_says_the_same(route: Route, exclusive: bool, by_ip: str) -> None:
    """But for the order of attributes; and it asks for every answer, and has `replace` create as well."""
    (ours,) = split_messages(written(route, exclusive=exclusive))
    (theirs,) = split_messages(octets(by_ip))
    assert ours.type == theirs.type
    own_flags = 0x004 | (0 if exclusive else 0x400)  # NLM_F_ACK, NLM_F_CREATE
    assert ours.flags | own_flags == theirs.flags
    rtmsg_octets = 12
    assert ours.body[:rtmsg_octets] == theirs.body[:rtmsg_octets]
    assert read_attributes(ours.body[rtmsg_octets:]) == read_attributes(theirs.body[rtmsg_octets:])
    assert len(ours.body) == len(theirs.body)


def test_the_length_stands_at_the_beginning() -> None:
    for golden in ((LENGTH_TUNNEL, CREATE, TUNNEL), (LENGTH_PLAIN, CREATE, PLAIN_BODY)):
        message = octets("\n".join(golden))
        assert HEADER.unpack_from(message)[0] == len(message)
