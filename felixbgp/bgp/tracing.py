"""A prefix in the exchange with one peer, for who wants to know why it is where it is, or is not."""

from felixbgp.bgp.advertising import Advertising
from felixbgp.bgp.peering import Peering
from felixbgp.bgp.rib.adj_rib_in import AdjRibIn
from felixbgp.bgp.rib.trace import PeerTrace, ToldTrace
from felixbgp.net import Family, Nlri


def peer_trace(peering: Peering, advertising: Advertising, family: Family, nlri: Nlri) -> PeerTrace:
    """What a peer said of a prefix, be it in a session that is over, and what it is told of it."""
    exchange = peering.exchange
    ribs: list[AdjRibIn] = []
    told: list[ToldTrace] = []
    if exchange is None:
        ribs += peering.retention.ribs_of(family)
    else:
        ribs += [rib for known, rib in exchange.ribs.items() if known == family]
        view = exchange.views.get(family)
        if view is not None:
            # Rules that do the same may be called otherwise by now, which changes no view.
            configured = peering.config.export_policy
            names = configured if configured == view.policy else view.policy
            told += advertising.trace(view, peering.config.peer, nlri, names)
    received = [route for rib in ribs for route in rib.trace(nlri)]
    local = None if exchange is None else exchange.local
    return PeerTrace(peering.config, peering.session.state, local, received, told)
