"""What of resources has no effect on any node, told for the person who wrote them.

The rules and the words are those by which agents report it.
"""

from collections.abc import Iterable

from felixbgp.bgp.config import BGP_PORT, PeerId
from felixbgp.intent.claims import already_a_peer
from felixbgp.intent.findings import Findings
from felixbgp.intent.peers import NAMES_NO_PEER
from felixbgp.intent.remotes import is_global, names_no_peer
from felixbgp.intent.reports import IGNORED_NAME, is_ignored, report_unused
from felixbgp.resources import AnyResource, BgpConfiguration, BgpPeer
from felixbgp.resources.errors import FieldError


def why_without_effect(resource: AnyResource) -> FieldError | None:
    """Why no agent does anything by a resource, whatever else there is; None where that is not certain."""
    if isinstance(resource, BgpPeer) and names_no_peer(resource.spec):
        return FieldError("spec", "", NAMES_NO_PEER)
    if isinstance(resource, BgpConfiguration) and is_ignored(resource.name):
        return FieldError("", "", IGNORED_NAME)
    return None


def unused_fields(configuration: BgpConfiguration) -> list[FieldError]:
    """Fields without effect, or with half of it."""
    findings = Findings()
    if not is_ignored(configuration.name):
        report_unused(configuration.name, configuration.spec, findings)
    return [FieldError(problem.field, "", problem.reason) for problem in findings.problems()]


def overruled(peers: Iterable[BgpPeer]) -> dict[str, FieldError]:
    """By name, the BGPPeers whose `peerIP` is a peer of all their nodes by another one, which comes first.

    Which nodes a selector means is not known here: only those for every node and for one are looked at.
    """
    first: dict[tuple[PeerId, str | None], str] = {}
    found: dict[str, FieldError] = {}
    for one in sorted(peers, key=lambda one: (not is_global(one.spec), one.name)):
        spec = one.spec
        if spec.peer_ip is None or spec.node_selector is not None:
            continue
        peer = PeerId(spec.peer_ip.address, spec.peer_ip.port or BGP_PORT)
        winner = first.get((peer, None)) or first.setdefault((peer, spec.node), one.name)
        if winner != one.name:
            found[one.name] = FieldError("spec.peerIP", "", already_a_peer(peer, winner))
    return found
