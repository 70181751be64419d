"""Capabilities: what we write to the octet, and what those of a peer say."""

import pytest

from felixbgp.bgp.wire.capabilities import (
    ENHANCED_ROUTE_REFRESH,
    EXTENDED_MESSAGE,
    LONG_LIVED_STALE_TIME_S_MAX,
    RESTART_TIME_S_MAX,
    ROUTE_REFRESH,
    AddPath,
    CapabilityCode,
    Role,
    add_path,
    extended_next_hop,
    four_octet_as,
    graceful_restart,
    is_well_formed,
    long_lived,
    multiprotocol,
    read_add_path,
    read_extended_next_hop,
    read_families,
    read_four_octet_as,
    read_graceful_restart,
    read_long_lived,
    read_roles,
    role,
)
from felixbgp.bgp.wire.messages import Capability, PeerRestart
from felixbgp.net import IPV4, IPV6, Family

HELPER = graceful_restart(0, (), restarting=False, notification=False)
"""RFC 4724 §3: without families, the sender helps others but keeps nothing itself."""


@pytest.mark.parametrize(
    ("capability", "code", "value"),
    [
        pytest.param(multiprotocol(IPV6), 1, "0002 00 01", id="RFC 4760 §8"),
        pytest.param(ROUTE_REFRESH, 2, "", id="RFC 2918 §2"),
        pytest.param(extended_next_hop((IPV4,)), 5, "0001 0001 0002", id="RFC 8950 §4"),
        pytest.param(EXTENDED_MESSAGE, 6, "", id="RFC 8654 §3"),
        pytest.param(role(Role.CUSTOMER), 9, "03", id="RFC 9234 §4.1"),
        pytest.param(HELPER, 64, "0000", id="RFC 4724 §3, no families"),
        pytest.param(
            graceful_restart(120, ((IPV4, True), (IPV6, False)), restarting=True, notification=True),
            64,
            "c078 0001 01 80 0002 01 00",
            id="RFC 4724 §3, RFC 8538 §2",
        ),
        pytest.param(
            graceful_restart(4095, ((IPV4, False),), restarting=False, notification=True),
            64,
            "4fff 0001 01 00",
            id="RFC 8538 §2, the N bit alone",
        ),
        pytest.param(four_octet_as(70000), 65, "00011170", id="RFC 6793 §3"),
        pytest.param(
            add_path(((IPV4, True, True), (IPV6, True, False), (Family(1, 2), False, True))),
            69,
            "0001 01 03 0002 01 01 0001 02 02",
            id="RFC 7911 §4",
        ),
        pytest.param(
            add_path(((IPV4, False, False), (IPV6, False, True))), 69, "0002 01 02", id="RFC 7911 §4, neither"
        ),
        pytest.param(ENHANCED_ROUTE_REFRESH, 70, "", id="RFC 7313 §3.1"),
        pytest.param(
            long_lived(((IPV4, True, 3600), (IPV6, False, 0xFFFFFF))),
            71,
            "0001 01 80 000e10 0002 01 00 ffffff",
            id="RFC 9494 §3.1",
        ),
    ],
)
def test_what_we_say_to_the_octet(capability: Capability, code: int, value: str) -> None:
    assert (capability.code, capability.value) == (code, bytes.fromhex(value))
    assert is_well_formed(capability)


def test_roles_have_the_numbers_of_their_registry() -> None:
    """RFC 9234 §4.1, Table 1."""
    assert [one.name for one in sorted(Role)] == [
        "PROVIDER",
        "ROUTE_SERVER",
        "ROUTE_SERVER_CLIENT",
        "CUSTOMER",
        "PEER",
    ]
    assert [int(one) for one in sorted(Role)] == [0, 1, 2, 3, 4]


def test_times_that_their_fields_cannot_hold_are_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="restart time of 4096"):
        graceful_restart(RESTART_TIME_S_MAX + 1, (), restarting=False, notification=False)
    with pytest.raises(ValueError, match="stale time of 16777216"):
        long_lived(((IPV4, False, LONG_LIVED_STALE_TIME_S_MAX + 1),))


@pytest.mark.parametrize(
    ("code", "lengths"),
    [
        (CapabilityCode.MULTIPROTOCOL, {4}),
        (CapabilityCode.EXTENDED_NEXT_HOP, {0, 6, 12}),
        (CapabilityCode.ROLE, {1}),
        (CapabilityCode.GRACEFUL_RESTART, {2, 6, 10, 14}),
        (CapabilityCode.FOUR_OCTET_AS, {4}),
        (CapabilityCode.ADD_PATH, {0, 4, 8, 12}),
        (CapabilityCode.LONG_LIVED_GRACEFUL_RESTART, {0, 7, 14}),
        (CapabilityCode.FQDN, set(range(15))),
    ],
)
def test_a_value_has_the_length_of_its_form(code: CapabilityCode, lengths: set[int]) -> None:
    assert {size for size in range(15) if is_well_formed(Capability(code, bytes(size)))} == lengths


def test_what_is_malformed_is_read_as_if_it_were_not_there() -> None:
    codes = [one for one in CapabilityCode if not is_well_formed(Capability(one, bytes(3)))]
    assert len(codes) == 7
    malformed = tuple(Capability(one, bytes(3)) for one in codes)
    assert read_families(malformed) == ()
    assert read_four_octet_as(malformed) is None
    assert read_extended_next_hop(malformed) == ()
    assert read_roles(malformed) == ()
    assert read_graceful_restart(malformed) is None
    assert read_add_path(malformed) == {}
    assert read_long_lived((HELPER, *malformed)) == ()


def test_families_keep_their_order_and_come_once() -> None:
    found = read_families((multiprotocol(IPV6), multiprotocol(IPV4), multiprotocol(IPV6)))
    assert found == (IPV6, IPV4)


def test_only_ipv4_families_with_ipv6_next_hops_are_ours() -> None:
    """RFC 8950 §4: other triples may come, and are for others."""
    ours, others = "0001 0001 0002  0001 0080 0002", "0002 0001 0002  0002 0001 0001  0001 0002 0001"
    value = bytes.fromhex(f"{ours} {others} {ours}")
    found = read_extended_next_hop((Capability(CapabilityCode.EXTENDED_NEXT_HOP, value),))
    assert found == (IPV4, Family(1, 128))


@pytest.mark.parametrize(
    ("values", "roles"),
    [
        pytest.param((), (), id="none"),
        pytest.param((3,), (3,), id="one"),
        pytest.param((3, 3), (3,), id="twice the same"),
        pytest.param((3, 4, 3), (3, 4), id="two that differ"),
        pytest.param((200,), (200,), id="one that nobody knows"),
    ],
)
def test_roles_are_told_once_each(values: tuple[int, ...], roles: tuple[int, ...]) -> None:
    """RFC 9234 §4.2."""
    assert read_roles(tuple(role(one) for one in values)) == roles


def test_reserved_bits_of_graceful_restart_are_overlooked() -> None:
    """RFC 4724 §3: both kinds."""
    value = bytes.fromhex("3fff 0001 01 7f 0002 01 ff")
    assert read_graceful_restart((Capability(64, value),)) == PeerRestart(
        restarting=False, notification=False, restart_time_s=4095, families=((IPV4, False), (IPV6, True))
    )


def test_the_last_instance_of_graceful_restart_counts() -> None:
    """RFC 4724 §3."""
    first = graceful_restart(1, ((IPV4, True),), restarting=True, notification=True)
    last = graceful_restart(2, ((IPV6, True),), restarting=False, notification=False)
    assert read_graceful_restart((first, last)) == PeerRestart(
        restarting=False, notification=False, restart_time_s=2, families=((IPV6, True),)
    )


def test_a_helper_has_graceful_restart_without_families() -> None:
    found = read_graceful_restart((HELPER,))
    assert found is not None
    assert found.families == ()


def test_long_lived_restart_goes_with_graceful_restart_only() -> None:
    """RFC 9494 §4.1: else it must be disregarded."""
    told = ((IPV4, True, 3600), (IPV6, False, 0xFFFFFF))
    assert read_long_lived((long_lived(told), HELPER)) == told
    assert read_long_lived((long_lived(told),)) == ()
    assert read_long_lived((HELPER,)) == ()


def test_the_last_instance_of_long_lived_restart_counts() -> None:
    first, last = long_lived(((IPV4, True, 1),)), long_lived(((IPV6, True, 2),))
    assert read_long_lived((HELPER, first, last)) == ((IPV6, True, 2),)


def test_a_family_told_twice_is_as_it_was_told_last() -> None:
    assert read_long_lived((HELPER, long_lived(((IPV4, True, 1), (IPV4, False, 2))))) == ((IPV4, False, 2),)
    assert read_add_path((add_path(((IPV4, True, True), (IPV4, True, False))),)) == {
        IPV4: AddPath(receive=True, send=False)
    }


def test_add_path_says_what_its_sender_can_do() -> None:
    found = read_add_path((add_path(((IPV4, True, False), (IPV6, False, True))), add_path(())))
    assert found == {IPV4: AddPath(receive=True, send=False), IPV6: AddPath(receive=False, send=True)}


@pytest.mark.parametrize("meaningless", [0, 4, 255])
def test_add_path_with_a_meaningless_field_is_ignored_as_a_whole(meaningless: int) -> None:
    """RFC 7911 §4."""
    value = b"\0\1\1\3\0\2\1" + bytes((meaningless,))
    assert read_add_path((Capability(CapabilityCode.ADD_PATH, value),)) == {}
