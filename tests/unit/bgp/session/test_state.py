from felixbgp.bgp.session.state import SessionState


def test_states_are_the_words_of_the_standard_in_order_of_progress() -> None:
    words = ["Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established"]
    assert [str(state) for state in sorted(SessionState, key=lambda state: state.rank)] == words
