"""Which ends make the next attempt wait, and which take the routes along."""

import pytest

from felixbgp.bgp.cause import Cause
from felixbgp.bgp.session.actions import DownKind
from felixbgp.bgp.session.endings import cause_received, cause_sent, is_lasting, kind_received, to_send
from felixbgp.bgp.wire.errors import encode_hard_reset
from felixbgp.bgp.wire.messages import NotificationMessage

CODES = [(1, 2), (2, 2), (3, 1), (4, 0), (5, 3), (7, 1), (8, 0), (99, 99)]
CEASES = [(6, subcode) for subcode in range(12)]
PASSING = {(4, 0), (8, 0), (6, 4), (6, 5), (6, 6), (6, 7), (6, 10)}
HARD_RESET = (6, 9)


@pytest.mark.parametrize("codes", CODES + CEASES)
def test_an_end_is_lasting_unless_the_peer_is_expected_back(codes: tuple[int, int]) -> None:
    assert is_lasting(NotificationMessage(*codes)) is (codes not in PASSING)


@pytest.mark.parametrize("codes", CODES + CEASES)
def test_a_hard_reset_lasts_as_long_as_what_it_stands_for(codes: tuple[int, int]) -> None:
    wrapped = NotificationMessage(*HARD_RESET, encode_hard_reset(*codes))
    assert is_lasting(wrapped) is (codes not in PASSING)


class TestWithoutTheNBit:
    @pytest.mark.parametrize("codes", CODES + CEASES)
    def test_every_notification_takes_the_routes_along(self, codes: tuple[int, int]) -> None:
        message = NotificationMessage(*codes, b"why")
        assert to_send(message, retains=False) == (message, DownKind.HARD)
        assert kind_received(message, retains=False) is DownKind.HARD


class TestWithTheNBit:
    """RFC 8538 §4 and §5.1."""

    @pytest.mark.parametrize("codes", CODES + CEASES)
    def test_a_received_one_leaves_them_unless_it_is_a_hard_reset(self, codes: tuple[int, int]) -> None:
        kind = DownKind.HARD if codes == HARD_RESET else DownKind.LOST
        assert kind_received(NotificationMessage(*codes), retains=True) is kind

    @pytest.mark.parametrize("codes", [(4, 0), (8, 0), (6, 4), (6, 5), (6, 6), (6, 7), (6, 8), (6, 10)])
    def test_what_will_pass_is_sent_as_it_is(self, codes: tuple[int, int]) -> None:
        message = NotificationMessage(*codes, b"why")
        assert to_send(message, retains=True) == (message, DownKind.LOST)

    @pytest.mark.parametrize("codes", [(1, 2), (3, 1), (5, 3), (7, 1), (6, 1), (6, 2), (6, 3)])
    def test_what_would_repeat_or_is_for_good_is_sent_as_a_hard_reset(self, codes: tuple[int, int]) -> None:
        sent, kind = to_send(NotificationMessage(*codes, b"why"), retains=True)
        assert sent == NotificationMessage(*HARD_RESET, bytes(codes) + b"why")
        assert kind is DownKind.HARD


CAUSES = {
    (2, 2): Cause.WRONG_AS,
    (2, 3): Cause.WRONG_IDENTIFIER,
    (4, 0): Cause.HOLD_TIMER,
    (8, 0): Cause.HOLD_TIMER,
    (6, 1): Cause.MAXIMUM_PREFIXES,
}
CAUSES_RECEIVED = {(6, 3): Cause.NOT_LISTED, (6, 5): Cause.NOT_LISTED}


class TestCauses:
    @pytest.mark.parametrize("codes", CODES + CEASES)
    def test_of_what_we_sent(self, codes: tuple[int, int]) -> None:
        assert cause_sent(NotificationMessage(*codes)) is CAUSES.get(codes, Cause.NOTIFICATION_SENT)

    @pytest.mark.parametrize("codes", CODES + CEASES)
    def test_of_what_was_received_and_of_a_hard_reset_the_one_within(self, codes: tuple[int, int]) -> None:
        wanted = (CAUSES | CAUSES_RECEIVED).get(codes, Cause.NOTIFICATION_RECEIVED)
        assert cause_received(NotificationMessage(*codes)) is wanted
        wrapped = NotificationMessage(*HARD_RESET, encode_hard_reset(*codes))
        assert cause_received(wrapped) is wanted
