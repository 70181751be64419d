"""What the causes mean, what to do about each, and which of them it is where the resources know better."""

from typing import Final, NamedTuple

from felixbgp.bgp.cause import Cause


class Explanation(NamedTuple):
    """One line each: what a cause says of the session, and what to do."""

    text: str
    remedy: str


EXPLANATIONS: Final[dict[Cause, Explanation]] = {
    Cause.STARTING: Explanation(
        "no attempt has ended yet, or it is the peer that dials and it has not",
        "wait some seconds; then look at the peer's own status, which may say why it does not dial",
    ),
    Cause.REFUSED: Explanation(
        "the peer's host refuses the connection: nothing listens there",
        "start the peer's BGP speaker; compare its port with the one here; look for a firewall",
    ),
    Cause.UNREACHABLE: Explanation(
        "there is no way to the peer's host, or it is dead",
        "check that the host runs, its link, and the route to it (ip route get ADDRESS)",
    ),
    Cause.TIMED_OUT: Explanation(
        "nobody answers: packets are lost, or the TCP MD5 keys differ, or one side has none",
        "compare the passwords of both sides; then look for a firewall or a dead host",
    ),
    Cause.DIAL_FAILED: Explanation(
        "this host's system did not open the connection",
        "read the error beside it: a password of more than 80 octets, a firewall of this host, ...",
    ),
    Cause.CONNECTION_CLOSED: Explanation(
        "the connection ended without a NOTIFICATION",
        "read the peer's log; many speakers close so where we are no neighbour of theirs",
    ),
    Cause.WRONG_AS: Explanation(
        "one side is of another AS than the other side expects",
        "make asNumber of the BGPPeer, or of the Node, what the other side has",
    ),
    Cause.WRONG_IDENTIFIER: Explanation(
        "the BGP identifier of one side is zero, or both sides have the same",
        "give each speaker one of its own: a node has its IPv4 address, or its router ID",
    ),
    Cause.HOLD_TIMER: Explanation(
        "nothing was heard of the peer, or nothing taken by it, for the hold time",
        "look whether it is stopped or overloaded, and whether the link loses packets (large ones: MTU)",
    ),
    Cause.NOTIFICATION_RECEIVED: Explanation(
        "the peer ended the session with a NOTIFICATION",
        "read it, and what the peer's operator wrote in it; then the peer's log",
    ),
    Cause.NOTIFICATION_SENT: Explanation(
        "we ended the session with a NOTIFICATION: the peer sent what is not allowed, or too much",
        "read it: it names what the peer's speaker or its configuration does wrong",
    ),
    Cause.NOT_LISTED: Explanation(
        "the peer does not have us as a peer",
        "write a BGPPeer for it, or see reversePeering, asNumber and port of the one there is",
    ),
    Cause.CONFIGURATION_MISSING: Explanation(
        "a BGPFilter or a secret is missing without which the session must stay down",
        "write what is missing, or take its name out of the BGPPeer or the BGPConfiguration",
    ),
    Cause.RESTARTING: Explanation(
        "the peer restarts; its routes are kept meanwhile (RFC 4724)",
        "wait for the restart time; if it stays away, start its agent again",
    ),
    Cause.DRAINING: Explanation(
        "the peering is wanted no more, or the peer's node is drained",
        "nothing; where it was drained by mistake: felixbgp node undrain NODE",
    ),
    Cause.ADDRESS_NOT_LOCAL: Explanation(
        "this host does not have the address from which the session is to be opened",
        "make the address in spec.bgp of this Node one of the host's, or give it to an interface",
    ),
    Cause.MAXIMUM_PREFIXES: Explanation(
        "one side announced more prefixes than the other one takes",
        "announce less (a BGPFilter, larger blocks), or raise the limit of the other side",
    ),
    Cause.SHUT_DOWN: Explanation(
        "an operator has shut the session down on this side",
        "nothing; take the shutdown away when the session is wanted again",
    ),
}
"""Every cause is here (tests/unit/status/test_cause.py)."""

_OF_DRAINED: Final = frozenset(
    {
        Cause.STARTING,
        Cause.REFUSED,
        Cause.UNREACHABLE,
        Cause.TIMED_OUT,
        Cause.CONNECTION_CLOSED,
        Cause.NOTIFICATION_RECEIVED,
        Cause.RESTARTING,
    }
)
"""As which a node that is drained may be seen when it is stopped, which is what it was drained for."""
OF_UNLISTED: Final = frozenset(
    {
        Cause.STARTING,
        Cause.TIMED_OUT,
        Cause.CONNECTION_CLOSED,
        Cause.NOTIFICATION_RECEIVED,
    }
)
"""As which a session may be seen that the other node does not know of: it has no key for us, either."""


def judged(cause: Cause | None, *, held_down: bool, drained: bool, unlisted: bool) -> Cause | None:
    """The cause in the light of the resources; None while the session is Established, whatever they say.

    `held_down`: something is missing without which there shall be no session; `drained`: the peer's node is;
    `unlisted`: by the same resources the peer's node does not have us as a peer.
    """
    if cause is None:
        return None
    if held_down:
        return Cause.CONFIGURATION_MISSING
    if drained and cause in _OF_DRAINED:
        return Cause.DRAINING
    if unlisted and cause in OF_UNLISTED:
        return Cause.NOT_LISTED
    return cause
