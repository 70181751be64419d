"""What sets of attributes take in memory, held against the interpreter's own count."""

import tracemalloc

import pytest

from felixbgp.bgp.rib.memory import SET_OCTETS, octets_of
from felixbgp.bgp.rib.path import Path
from felixbgp.bgp.wire.attribute_encoding import encode_attributes
from felixbgp.bgp.wire.attributes import decode_attributes
from felixbgp.bgp.wire.messages import PathAttributes, Segment, UnknownAttribute
from tests.support.paths import path_peer, sequence

SETS = 200
NUMBERS = range(70_000, 70_100)
PEER = path_peer()


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param({}, id="next to nothing"),
        pytest.param({"as_path": sequence(*NUMBERS)}, id="long AS_PATH"),
        pytest.param({"as_path": tuple(Segment(1, (one,)) for one in NUMBERS)}, id="many segments"),
        pytest.param({"communities": tuple(NUMBERS)}, id="communities"),
        pytest.param(
            {"extended_communities": tuple(one.to_bytes(8, "big") for one in NUMBERS)}, id="extended"
        ),
        pytest.param({"large_communities": tuple((one, one + 1, one + 2) for one in NUMBERS)}, id="large"),
        pytest.param({"cluster_list": tuple(one.to_bytes(4, "big") for one in NUMBERS)}, id="reflectors"),
        pytest.param({"unknown": (UnknownAttribute(0xE0, 99, bytes(5000)),)}, id="a long unknown attribute"),
        pytest.param(
            {"unknown": tuple(UnknownAttribute(0xE0, one, b"") for one in range(99, 199))}, id="many unknown"
        ),
    ],
)
def test_the_estimate_is_not_far_from_the_truth(attributes: dict[str, object]) -> None:
    """Octets as they come from a peer, decoded and made a path of, each set by itself."""
    encoded = [
        encode_attributes(
            PathAttributes(next_hop=b"\12\0\0\2", med=90_000 + number, **attributes),  # type: ignore[arg-type]
            four_octet_as=True,
            with_next_hop=True,
        )
        for number in range(SETS)
    ]
    tracemalloc.start()
    try:
        kept = {}
        for octets in encoded:
            found = decode_attributes(octets, four_octet_as=True, ebgp=False).attributes
            kept[found, b""] = Path(found, PEER)
        taken = tracemalloc.get_traced_memory()[0] / SETS
    finally:
        tracemalloc.stop()
    (estimate,) = {octets_of(found) for found, _ in kept}
    assert estimate / 2 < taken < 2 * estimate + 2 * len(encoded[0])
    assert (estimate == SET_OCTETS) is (not attributes)
