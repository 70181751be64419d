"""What is said of every cause, and where the resources know better than the session."""

import pytest

from felixbgp.bgp.cause import Cause
from felixbgp.status.cause import EXPLANATIONS, judged

LINE_MAX = 100


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_says_in_one_line_each_what_it_is_and_what_to_do(cause: Cause) -> None:
    for line in EXPLANATIONS[cause]:
        assert 0 < len(line) <= LINE_MAX
        assert line.isprintable()


def test_no_two_causes_have_the_same_words() -> None:
    assert len({explanation.text for explanation in EXPLANATIONS.values()}) == len(Cause)


@pytest.mark.parametrize(
    ("cause", "known", "wanted"),
    [
        (None, {"held_down": True, "drained": True, "unlisted": True}, None),
        (Cause.REFUSED, {}, Cause.REFUSED),
        (Cause.REFUSED, {"held_down": True, "drained": True}, Cause.CONFIGURATION_MISSING),
        (Cause.REFUSED, {"drained": True, "unlisted": True}, Cause.DRAINING),
        (Cause.RESTARTING, {"drained": True}, Cause.DRAINING),
        # Who is drained may be wrong about something else, which a drain does not explain.
        (Cause.WRONG_AS, {"drained": True}, Cause.WRONG_AS),
        (Cause.ADDRESS_NOT_LOCAL, {"drained": True}, Cause.ADDRESS_NOT_LOCAL),
        # Without a peer there is no key for it: a signed dial is not answered.
        (Cause.TIMED_OUT, {"unlisted": True}, Cause.NOT_LISTED),
        (Cause.STARTING, {"unlisted": True}, Cause.NOT_LISTED),
        (Cause.CONNECTION_CLOSED, {"unlisted": True}, Cause.NOT_LISTED),
        # Nobody is there to list us, which is to be mended first.
        (Cause.REFUSED, {"unlisted": True}, Cause.REFUSED),
        (Cause.UNREACHABLE, {"unlisted": True}, Cause.UNREACHABLE),
    ],
)
def test_what_the_resources_know_better(
    cause: Cause | None, known: dict[str, bool], wanted: Cause | None
) -> None:
    nothing = {"held_down": False, "drained": False, "unlisted": False}
    assert judged(cause, **(nothing | known)) is wanted
