"""OPEN: what goes in comes out, and what two of them agree on."""

from dataclasses import replace

import pytest

from felixbgp.bgp.wire.capabilities import (
    ENHANCED_ROUTE_REFRESH,
    EXTENDED_MESSAGE,
    ROUTE_REFRESH,
    CapabilityCode,
    Role,
    add_path,
    extended_next_hop,
    four_octet_as,
    graceful_restart,
    long_lived,
    multiprotocol,
    role,
)
from felixbgp.bgp.wire.errors import WireError
from felixbgp.bgp.wire.messages import Capability, Negotiated, OpenMessage, PeerRestart
from felixbgp.bgp.wire.open import (
    as_number_of,
    decode_open,
    encode_open,
    families_of,
    has_capability,
    make_open,
    negotiate,
    validate_open,
)
from felixbgp.net import IPV4, IPV6, Address, Family

IDENTIFIER = Address.parse("192.0.2.1")
OTHER = Address.parse("192.0.2.2")


def an_open(*capabilities: Capability, my_as: int = 64512, hold_time_s: int = 90) -> OpenMessage:
    return OpenMessage(my_as=my_as, hold_time_s=hold_time_s, bgp_identifier=OTHER, capabilities=capabilities)


def body_of(parameters: bytes, version: int = 4) -> bytes:
    return bytes((version,)) + b"\xfc\x00\x00\x5a" + OTHER + parameters


def test_our_own_open_to_the_octet() -> None:
    message = make_open(local_as=4200000000, hold_time_s=90, bgp_identifier=IDENTIFIER, families=(IPV4, IPV6))
    assert encode_open(message)[19:] == (
        b"\x04\x5b\xa0\x00\x5a\xc0\x00\x02\x01"
        b"\x1a\x02\x18"
        b"\x01\x04\x00\x01\x00\x01"
        b"\x01\x04\x00\x02\x00\x01"
        b"\x41\x04\xfa\x56\xea\x00"
        b"\x02\x00\x46\x00\x06\x00"
    )
    assert decode_open(encode_open(message)[19:]) == message


def test_a_small_as_number_stands_in_both_places() -> None:
    message = make_open(local_as=64512, hold_time_s=9, bgp_identifier=IDENTIFIER, families=(IPV4,), extra=())
    assert message.my_as == as_number_of(message) == 64512
    assert not has_capability(message, CapabilityCode.ROUTE_REFRESH)


@pytest.mark.parametrize("octets", [0, 1, 250, 251, 252, 253, 254, 255])
def test_capabilities_of_any_size_come_back(octets: int) -> None:
    """RFC 9072 §2: beyond 255 octets of parameters the lengths get wider."""
    message = an_open(Capability(200, b"x" * octets))
    encoded = encode_open(message)
    assert decode_open(encoded[19:]) == message
    assert (encoded[28:30] == b"\xff\xff") == (octets + 4 > 255)


def test_many_capabilities_come_back() -> None:
    message = an_open(*(Capability(number, b"x" * 200) for number in range(20)))
    assert decode_open(encode_open(message)[19:]) == message


def test_an_open_without_parameters() -> None:
    message = an_open()
    assert encode_open(message)[19:] == body_of(b"\0")
    assert decode_open(body_of(b"\0")) == message


@pytest.mark.parametrize(
    "capabilities",
    [
        pytest.param((Capability(1, bytes(256)),), id="one too long"),
        pytest.param(tuple(Capability(1, bytes(255)) for _ in range(16)), id="all too long"),
    ],
)
def test_what_does_not_fit_is_our_own_mistake(capabilities: tuple[Capability, ...]) -> None:
    with pytest.raises(ValueError, match=r"cannot be sent|do not fit"):
        encode_open(an_open(*capabilities))


@pytest.mark.parametrize(
    ("parameters", "capabilities"),
    [
        pytest.param(b"\x08\x02\x02\x02\x00\x02\x02\x46\x00", (2, 70), id="one parameter each"),
        pytest.param(b"\x06\x02\x04\x02\x00\x46\x00", (2, 70), id="one parameter for both"),
        pytest.param(b"\x02\x02\x00", (), id="an empty parameter"),
        pytest.param(b"\xff\xff\x00\x05\x02\x00\x02\x02\x00", (2,), id="extended though short"),
        pytest.param(b"\x01\xff\x00\x05\x02\x00\x02\x02\x00", (2,), id="extended, first length ignored"),
        pytest.param(b"\xff\xff\x00\x00", (), id="extended and empty"),
        pytest.param(b"\x04\x02\x02\x80\x00", (128,), id="Cisco's route refresh"),
    ],
)
def test_forms_of_optional_parameters(parameters: bytes, capabilities: tuple[int, ...]) -> None:
    found = decode_open(body_of(parameters))
    assert tuple(one.code for one in found.capabilities) == capabilities


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param(b"\x01", id="length beyond the message"),
        pytest.param(b"\x00\x02", id="octets beyond the length"),
        pytest.param(b"\x01\x02", id="no parameter length"),
        pytest.param(b"\x02\x02\x01", id="parameter beyond its field"),
        pytest.param(b"\x03\x02\x01\x02", id="no capability length"),
        pytest.param(b"\x04\x02\x02\x02\x01", id="capability beyond its parameter"),
        pytest.param(b"\xff\xff", id="extended without a length"),
        pytest.param(b"\xff\xff\x00\x01\x02", id="extended without parameter length"),
        pytest.param(b"\xff\xff\x00\x02\x02\x00", id="extended with half a parameter length"),
        pytest.param(b"\xff\xff\x00\x03\x02\x00\x01", id="extended parameter beyond its field"),
    ],
)
def test_malformed_parameters_are_unspecific(parameters: bytes) -> None:
    with pytest.raises(WireError) as caught:
        decode_open(body_of(parameters))
    assert (caught.value.code, caught.value.subcode, caught.value.data) == (2, 0, b"")


def test_another_version_is_not_read_further() -> None:
    assert decode_open(body_of(b"\x63nonsense", version=5)).version == 5


def test_a_short_body_is_a_bad_length() -> None:
    with pytest.raises(WireError) as caught:
        decode_open(bytes(9))
    assert (caught.value.code, caught.value.subcode, caught.value.data) == (1, 2, b"\0\x1c")


def test_families_keep_their_order_and_come_once() -> None:
    message = an_open(multiprotocol(IPV6), multiprotocol(IPV4), multiprotocol(IPV6))
    assert families_of(message) == (IPV6, IPV4)


@pytest.mark.parametrize("capabilities", [(), (Capability(1, b"\0"),)])
def test_no_multiprotocol_capability_means_ipv4(capabilities: tuple[Capability, ...]) -> None:
    assert families_of(an_open(*capabilities)) == (IPV4,)


def test_the_as_number_is_that_of_the_capability() -> None:
    assert as_number_of(an_open(four_octet_as(70000), my_as=23456)) == 70000
    assert as_number_of(an_open(Capability(65, b"\0"), my_as=23456)) == 23456


def test_a_valid_open_is_let_through() -> None:
    message = an_open(multiprotocol(IPV4), four_octet_as(64512), Capability(99, b"?"), hold_time_s=0)
    validate_open(message, expected_as=64512, local_as=64513, local_identifier=IDENTIFIER)


def test_our_identifier_is_fine_for_an_external_peer() -> None:
    """RFC 6286 §2.2: identifiers are unique within an AS only."""
    validate_open(an_open(), expected_as=64512, local_as=64513, local_identifier=OTHER)


@pytest.mark.parametrize(
    ("message", "subcode", "data"),
    [
        pytest.param(
            OpenMessage(version=3, my_as=1, hold_time_s=9, bgp_identifier=OTHER), 1, b"\0\4", id="version"
        ),
        pytest.param(an_open(my_as=64999), 2, b"", id="another AS"),
        pytest.param(an_open(four_octet_as(64512), my_as=0), 2, b"", id="RFC 7607 two octets"),
        pytest.param(an_open(four_octet_as(0)), 2, b"", id="RFC 7607 four octets"),
        pytest.param(an_open(hold_time_s=1), 6, b"", id="hold time 1"),
        pytest.param(an_open(hold_time_s=2), 6, b"", id="hold time 2"),
        pytest.param(replace(an_open(), bgp_identifier=bytes(4)), 3, b"", id="identifier 0"),
        pytest.param(replace(an_open(), bgp_identifier=IDENTIFIER), 3, b"", id="our identifier"),
    ],
)
def test_an_open_that_we_cannot_accept(message: OpenMessage, subcode: int, data: bytes) -> None:
    with pytest.raises(WireError) as caught:
        validate_open(message, expected_as=64512, local_as=64512, local_identifier=IDENTIFIER)
    assert (caught.value.code, caught.value.subcode, caught.value.data) == (2, subcode, data)


def test_a_parameter_that_nobody_knows() -> None:
    with pytest.raises(WireError) as caught:
        decode_open(body_of(b"\x02\x01\x00"))
    assert (caught.value.code, caught.value.subcode, caught.value.data) == (2, 4, b"")


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(Capability(CapabilityCode.MULTIPROTOCOL, bytes(3)), id="RFC 4760"),
        pytest.param(Capability(CapabilityCode.EXTENDED_NEXT_HOP, bytes(5)), id="RFC 8950"),
        pytest.param(Capability(CapabilityCode.ROLE, bytes(2)), id="RFC 9234"),
        pytest.param(Capability(CapabilityCode.GRACEFUL_RESTART, bytes(3)), id="RFC 4724"),
        pytest.param(Capability(CapabilityCode.FOUR_OCTET_AS, bytes(5)), id="RFC 6793"),
        pytest.param(Capability(CapabilityCode.LONG_LIVED_GRACEFUL_RESTART, bytes(6)), id="RFC 9494"),
    ],
)
def test_a_capability_of_the_wrong_length_is_malformed(bad: Capability) -> None:
    """RFC 4271 §6.2."""
    with pytest.raises(WireError) as caught:
        validate_open(an_open(bad), expected_as=64512, local_as=64513, local_identifier=IDENTIFIER)
    assert (caught.value.code, caught.value.subcode) == (2, 0)


@pytest.mark.parametrize("value", [b"\0", b"\0\1\1\0"])
def test_malformed_add_path_is_no_error(value: bytes) -> None:
    """RFC 7911 §4: it is as if it were not there."""
    message = an_open(Capability(CapabilityCode.ADD_PATH, value))
    validate_open(message, expected_as=64512, local_as=64513, local_identifier=IDENTIFIER)
    assert negotiate(replace(LOCAL, capabilities=message.capabilities), message).add_path_receive == ()


def judge_role(ours: Role | None, *theirs: int, strict: bool = False, internal: bool = False) -> None:
    validate_open(
        an_open(four_octet_as(64512), *(role(one) for one in theirs)),
        expected_as=64512,
        local_as=64512 if internal else 64513,
        local_identifier=IDENTIFIER,
        role=ours,
        role_strict=strict,
    )


def role_mismatch(ours: Role | None, *theirs: int, strict: bool = False) -> str:
    with pytest.raises(WireError) as caught:
        judge_role(ours, *theirs, strict=strict)
    assert (caught.value.code, caught.value.subcode, caught.value.data) == (2, 11, b"")
    return caught.value.text


# RFC 9234 §4.2, Table 2.
PAIRS = {
    (Role.PROVIDER, Role.CUSTOMER),
    (Role.CUSTOMER, Role.PROVIDER),
    (Role.ROUTE_SERVER, Role.ROUTE_SERVER_CLIENT),
    (Role.ROUTE_SERVER_CLIENT, Role.ROUTE_SERVER),
    (Role.PEER, Role.PEER),
}


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("theirs", [*range(6), 255])
@pytest.mark.parametrize("ours", Role)
def test_roles_must_go_with_each_other(ours: Role, theirs: int, strict: bool) -> None:
    if (ours, theirs) in PAIRS:
        judge_role(ours, theirs, strict=strict)
    else:
        assert "does not go with" in role_mismatch(ours, theirs, strict=strict)


def test_a_role_that_one_side_keeps_to_itself_is_no_mismatch() -> None:
    """RFC 9234 §4.2, backward compatibility."""
    judge_role(None)
    judge_role(None, Role.PROVIDER)
    judge_role(None, strict=True)
    judge_role(Role.PEER)


def test_a_strict_operator_wants_to_be_told() -> None:
    assert role_mismatch(Role.PEER, strict=True) == "the peer tells no role"


def test_one_role_may_be_told_twice_but_not_two() -> None:
    judge_role(Role.PEER, Role.PEER, Role.PEER)
    assert role_mismatch(Role.PEER, 4, 0) == "the peer has several roles: 4, 0"
    assert role_mismatch(None, 4, 0) == "the peer has several roles: 4, 0"


def test_internal_peers_have_no_roles() -> None:
    judge_role(Role.PEER, 4, 0, strict=True, internal=True)


LOCAL = make_open(local_as=64512, hold_time_s=90, bgp_identifier=IDENTIFIER, families=(IPV4, IPV6))


def test_two_of_ours_agree_on_everything() -> None:
    agreed = negotiate(LOCAL, LOCAL)
    assert agreed.families == (IPV4, IPV6)
    assert agreed.four_octet_as
    assert agreed.route_refresh
    assert agreed.enhanced_route_refresh
    assert agreed.extended_message
    assert agreed.hold_time_ns == 90_000_000_000
    assert agreed.keepalive_ns == 30_000_000_000
    assert (agreed.peer_as, agreed.peer_identifier) == (64512, IDENTIFIER)
    assert agreed.capabilities == LOCAL.capabilities


def test_a_bare_peer_gets_bare_bgp() -> None:
    agreed = negotiate(LOCAL, an_open(my_as=64513))
    assert agreed.families == (IPV4,)
    assert (agreed.peer_as, agreed.peer_identifier) == (64513, OTHER)
    assert not agreed.four_octet_as
    assert not agreed.route_refresh
    assert not agreed.enhanced_route_refresh
    assert not agreed.extended_message


@pytest.mark.parametrize(
    ("ours", "theirs", "hold_s"), [(90, 30, 30), (30, 90, 30), (0, 90, 0), (90, 0, 0), (3, 3, 3)]
)
def test_the_smaller_hold_time_holds(ours: int, theirs: int, hold_s: int) -> None:
    agreed = negotiate(an_open(hold_time_s=ours), an_open(hold_time_s=theirs))
    assert agreed.hold_time_ns == hold_s * 1_000_000_000
    assert agreed.keepalive_ns == agreed.hold_time_ns // 3


def test_the_old_route_refresh_counts() -> None:
    peer = an_open(Capability(CapabilityCode.ROUTE_REFRESH_CISCO))
    assert negotiate(LOCAL, peer).route_refresh


@pytest.mark.parametrize("one", [ROUTE_REFRESH, ENHANCED_ROUTE_REFRESH, EXTENDED_MESSAGE])
def test_what_only_the_peer_has_does_not_count(one: Capability) -> None:
    agreed = negotiate(an_open(), an_open(one))
    assert not agreed.route_refresh
    assert not agreed.enhanced_route_refresh
    assert not agreed.extended_message


def test_by_default_nothing_more_is_agreed() -> None:
    agreed = negotiate(LOCAL, LOCAL)
    assert agreed.add_path_receive == agreed.add_path_send == agreed.extended_next_hop == ()
    assert (agreed.graceful_restart, agreed.long_lived, agreed.peer_role) == (None, (), None)


def agree(ours: Capability, *theirs: Capability, families: tuple[Family, ...] = (IPV4, IPV6)) -> Negotiated:
    offered = tuple(multiprotocol(one) for one in families)
    return negotiate(an_open(multiprotocol(IPV4), multiprotocol(IPV6), ours), an_open(*offered, *theirs))


RECEIVE, SEND, BOTH_WAYS = (True, False), (False, True), (True, True)


@pytest.mark.parametrize(
    ("ours", "theirs", "receive", "send"),
    [
        pytest.param(BOTH_WAYS, BOTH_WAYS, True, True, id="both can do both"),
        pytest.param(RECEIVE, SEND, True, False, id="they send to us"),
        pytest.param(SEND, RECEIVE, False, True, id="we send to them"),
        pytest.param(RECEIVE, RECEIVE, False, False, id="nobody sends"),
        pytest.param(SEND, SEND, False, False, id="nobody takes"),
        pytest.param(BOTH_WAYS, RECEIVE, False, True, id="they only take"),
    ],
)
def test_identifiers_flow_where_one_sends_and_the_other_takes(
    ours: tuple[bool, bool], theirs: tuple[bool, bool], receive: bool, send: bool
) -> None:
    """RFC 7911 §5."""
    agreed = agree(add_path(((IPV4, *ours),)), add_path(((IPV4, *theirs), (IPV6, True, True))))
    assert agreed.add_path_receive == ((IPV4,) if receive else ())
    assert agreed.add_path_send == ((IPV4,) if send else ())


def test_identifiers_need_a_family_of_the_session() -> None:
    both = add_path(((IPV4, True, True), (IPV6, True, True)))
    agreed = agree(both, both, families=(IPV6,))
    assert agreed.add_path_receive == agreed.add_path_send == (IPV6,)


def test_ipv6_next_hops_need_both_sides_and_the_family() -> None:
    """RFC 8950 §4."""
    offer = extended_next_hop((IPV4,))
    assert agree(offer, offer).extended_next_hop == (IPV4,)
    assert agree(offer).extended_next_hop == ()
    assert agree(ROUTE_REFRESH, offer).extended_next_hop == ()
    assert agree(offer, offer, families=(IPV6,)).extended_next_hop == ()


@pytest.mark.parametrize(
    ("ours", "theirs"), [(True, True), (True, False), (False, True), (False, False), (None, True)]
)
def test_notifications_keep_routes_only_where_both_sides_say_so(ours: bool | None, theirs: bool) -> None:
    """RFC 8538 §2."""
    families = ((IPV4, True), (IPV6, False))
    local = ROUTE_REFRESH if ours is None else graceful_restart(9, (), restarting=False, notification=ours)
    agreed = agree(local, graceful_restart(120, families, restarting=True, notification=theirs))
    assert agreed.graceful_restart == PeerRestart(
        restarting=True, notification=bool(ours) and theirs, restart_time_s=120, families=families
    )


def test_what_the_peer_says_of_long_restarts_and_of_its_role_is_handed_on() -> None:
    helper = graceful_restart(0, (), restarting=False, notification=False)
    agreed = agree(ROUTE_REFRESH, helper, long_lived(((IPV4, True, 3600),)), role(Role.CUSTOMER))
    assert agreed.long_lived == ((IPV4, True, 3600),)
    assert agreed.peer_role == Role.CUSTOMER


def test_no_common_family_names_the_ones_we_need() -> None:
    with pytest.raises(WireError) as caught:
        negotiate(LOCAL, an_open(multiprotocol(Family(25, 70))))
    error = caught.value
    assert (error.code, error.subcode) == (2, 7)
    assert error.data == b"\x01\x04\x00\x01\x00\x01\x01\x04\x00\x02\x00\x01"


def test_opens_that_say_the_same_share_what_they_say() -> None:
    ours = [
        make_open(local_as=64512, hold_time_s=90, bgp_identifier=IDENTIFIER, families=(IPV4, IPV6))
        for _ in range(2)
    ]
    assert ours[0] is ours[1]
    theirs = [
        decode_open(encode_open(replace(ours[0], bgp_identifier=bytes((10, 0, 0, number))))[19:])
        for number in (1, 2)
    ]
    assert theirs[0].capabilities is theirs[1].capabilities
    assert theirs[0].bgp_identifier != theirs[1].bgp_identifier
