"""How much a speaker holds and how much waits in it."""

from collections import Counter
from collections.abc import Iterable, Mapping

from felixbgp.bgp.peering import Peering
from felixbgp.bgp.rib.adj_rib_in import AdjRibIn
from felixbgp.bgp.rib.loc_rib import LocRib
from felixbgp.bgp.snapshot import FamilyCounts, SpeakerStatistics
from felixbgp.net import Family


def statistics_of(
    peerings: Iterable[Peering], loc_ribs: Iterable[LocRib], due: Iterable[AdjRibIn], to_send: int
) -> SpeakerStatistics:
    """Sizes and queues; `due` are the Adj-RIBs-In with work of their own, `to_send` the prefixes to tell."""
    known, tables = list(peerings), list(loc_ribs)
    exchanges = [one.exchange for one in known if one.exchange is not None]
    return SpeakerStatistics(
        peers=len(known),
        peers_established=len(exchanges),
        prefixes=sum(map(len, tables)),
        paths=sum(one.path_count for one in tables),
        attributes=sum(rib.attributes_count for one in exchanges for rib in one.ribs.values()),
        updates_waiting=sum(len(one.inbound) for one in exchanges),
        prefixes_to_decide=sum(one.dirty_count for one in tables) + sum([rib.expired_count for rib in due]),
        prefixes_to_send=to_send,
    )


def sessions_by_state(peerings: Iterable[Peering]) -> Counter[str]:
    """How many peers are in which state of RFC 4271 §8.2.2."""
    return Counter(one.session.state for one in peerings)


def counts_by_family(
    peerings: Iterable[Peering], loc_ribs: Mapping[Family, LocRib], advertised: Mapping[Family, int]
) -> dict[Family, FamilyCounts]:
    """How many routes there are at each stage; under a microsecond a peer."""
    received, accepted = Counter[Family](), Counter[Family]()
    for peering in peerings:
        for rib in peering.ribs:
            received[rib.family] += len(rib)
            accepted[rib.family] += rib.accepted_count
    return {
        family: FamilyCounts(
            received=received[family],
            accepted=accepted[family],
            selected=len(loc_rib),
            advertised=advertised.get(family, 0),
        )
        for family, loc_rib in loc_ribs.items()
    }
