"""A prefix in the exchange with one peer, for who wants to know why it is where it is, or is not."""

from felixbgp.bgp.peering import Peering
from felixbgp.bgp.rib.adj_rib_in import AdjRibIn
from felixbgp.bgp.rib.export import ExportView
from felixbgp.bgp.rib.trace import PeerTrace, ToldTrace
from felixbgp.net import Family, Nlri


def peer_trace(
    peering: Peering, told: tuple[ExportView, list[ToldTrace]] | None, family: Family, nlri: Nlri
) -> PeerTrace:
    """What a peer said of a prefix, be it in a session that is over, and what it is `told` of it.

    Of one that is moving from one view to another it is not known what it will be told.
    """
    exchange, policy = peering.exchange, peering.export_policy
    ribs: list[AdjRibIn] = []
    if exchange is None:
        ribs += peering.retention.ribs_of(family)
    else:
        ribs += [rib for known, rib in exchange.ribs.items() if known == family]
    return PeerTrace(
        config=peering.config,
        export_policy=policy,
        state=peering.session.state,
        local=None if exchange is None else exchange.local,
        received=[route for rib in ribs for route in rib.trace(nlri)],
        told=told[1] if told is not None and told[0].policy == policy else [],
    )
