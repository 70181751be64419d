"""What drains make of sessions: those of the node that is drained, and those of others with it (RFC 8326).

                on the drained node                        on the others, towards it
    Announce    what it tells has GRACEFUL_SHUTDOWN and    no import filter gives it another LOCAL_PREF;
                LOCAL_PREF 0, but for its own blocks       what is needed from it is counted
    Withdraw    it tells nothing, and learns on            the same

LOCAL_PREF 0 travels with a route that is reflected, and the community to other AS, so that all judge it
alike: a preference of one session over another would have two reflectors each prefer what the other has from
the drained node. A block nobody else has. To mark it would bring no other path, and cost packets where nodes
hear of each other by way of several routers in other AS: each would try the path by the other, until that is
marked as well.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from felixbgp.bgp.config import PeerConfig
from felixbgp.bgp.policy.types import (
    DEFAULT_RULE,
    Action,
    AddCommunity,
    Match,
    Operation,
    Policy,
    PrefixMatch,
    Rule,
    SetLocalPref,
)
from felixbgp.bgp.wire.communities import GRACEFUL_SHUTDOWN
from felixbgp.cluster.drains import Drain, DrainPhase
from felixbgp.intent.claims import Claim
from felixbgp.intent.members import Members
from felixbgp.intent.types import PeerOrigin
from felixbgp.net import Address, Prefix

MARKED: Final[tuple[Operation, ...]] = (AddCommunity(GRACEFUL_SHUTDOWN), SetLocalPref(0))
"""RFC 8326 §4.1: the lowest value that there is; only iBGP carries it."""
KEPT_MAX: Final = 64
"""Policies of one node: as many as it has sets of filters; what was edited since is forgotten in the end."""
NOTHING: Final = Policy(
    (Rule("this node is drained", Match(), Action.REJECT, origin="Drain"),), Action.REJECT
)


class Drains:
    """The drains of now as node `local` sees them; policies that were changed once are kept."""

    def __init__(
        self,
        local: str,
        drains: Mapping[str, Drain],
        members: Members,
        blocks: Callable[[], Iterable[Prefix]],
    ) -> None:
        """`drains` is by node, and follows the state by itself, as `members` does; `blocks` gives our own."""
        self._local = local
        self._blocks = blocks
        self._drains = drains
        self._members = members
        self._announcing: dict[Policy, Policy] = {}
        self._unpreferred: dict[Policy, Policy] = {}

    @property
    def own(self) -> Drain | None:
        """That of the local node."""
        return self._drains.get(self._local)

    def of(self, address: Address) -> Drain | None:
        """That of the node which has this BGP address."""
        if not self._drains:
            return None
        for member in self._members.at(address):
            drain = self._drains.get(member.name)
            if drain is not None and member.name != self._local:
                return drain
        return None

    def applied(self, claim: Claim) -> tuple[PeerConfig | None, PeerOrigin | None]:
        """The session as the drains make it, and what it comes from; None for one that must stay down."""
        config, origin, own = claim.config, claim.origin, self.own
        if config is None:
            return None, None
        if own is not None:
            exports = NOTHING
            if own.phase is DrainPhase.ANNOUNCE:
                exports = _kept(self._announcing, config.export_policy, self._announced)
            config = replace(config, export_policy=exports)
        drain = self.of(config.peer.address)
        if drain is not None:
            imports = _kept(self._unpreferred, config.import_policy, unpreferred)
            config = replace(config, import_policy=imports, counted=True)
            origin = replace(origin, drain=drain.id)
        return config, origin

    def _announced(self, policy: Policy) -> Policy:
        return announcing(policy, self._blocks())


def announcing(policy: Policy, blocks: Iterable[Prefix] = ()) -> Policy:
    """The same routes, with GRACEFUL_SHUTDOWN and LOCAL_PREF 0 after all else (RFC 8326 §4.2).

    Rules about one of these blocks alone are left as they are.
    """
    spared = frozenset(Match(PrefixMatch.equal(block)) for block in blocks)
    rules = tuple(
        replace(rule, operations=(*rule.operations, *MARKED))
        if rule.action is Action.ACCEPT and rule.match not in spared
        else rule
        for rule in policy.rules
    )
    if policy.default is Action.ACCEPT:
        rules = (*rules, Rule(DEFAULT_RULE, Match(), Action.ACCEPT, MARKED))
    return Policy(rules, policy.default)


def unpreferred(policy: Policy) -> Policy:
    """The same routes, each with the LOCAL_PREF that it came with."""
    rules = tuple(
        replace(rule, operations=tuple(one for one in rule.operations if not isinstance(one, SetLocalPref)))
        for rule in policy.rules
    )
    return Policy(rules, policy.default)


def _kept(known: dict[Policy, Policy], policy: Policy, make: Callable[[Policy], Policy]) -> Policy:
    if policy not in known:
        if len(known) >= KEPT_MAX:
            known.clear()
        known[policy] = make(policy)
    return known[policy]
