"""What the decision asks of a path (RFC 4271 §9.1.2.2)."""

import pytest

from felixbgp.bgp.rib.path import as_path_length
from felixbgp.bgp.wire.messages import Segment, SegmentType
from tests.support.paths import as_set, sequence


@pytest.mark.parametrize(
    ("as_path", "length"),
    [
        pytest.param((), 0, id="empty"),
        pytest.param(sequence(1, 2, 2), 3, id="a sequence counts every number"),
        pytest.param((*sequence(1), as_set(2, 3)), 2, id="a set counts once"),
        pytest.param(
            (
                Segment(SegmentType.AS_CONFED_SEQUENCE, (1, 2)),
                Segment(SegmentType.AS_CONFED_SET, (3,)),
                *sequence(4),
            ),
            1,
            id="confederations do not count",
        ),
    ],
)
def test_as_path_length(as_path: tuple[Segment, ...], length: int) -> None:
    assert as_path_length(as_path) == length
