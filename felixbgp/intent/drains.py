"""What drains make of sessions: those of the node that is drained, and those of others with it (RFC 8326).

                on the drained node                        on the others, towards it
    Announce    what it tells has GRACEFUL_SHUTDOWN and    what it tells gets LOCAL_PREF 0, whatever an
                LOCAL_PREF 0, which only iBGP carries      import filter says; who needs it is counted
    Withdraw    it tells nothing, and learns on            the same

LOCAL_PREF 0 travels with a route that is reflected, so that all of an AS judge it alike: a preference of one
session over another would have two reflectors each prefer what the other has from the drained node.
"""

from collections.abc import Callable, Mapping
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
    Rule,
    SetLocalPref,
)
from felixbgp.bgp.wire.communities import GRACEFUL_SHUTDOWN
from felixbgp.cluster.drains import Drain, DrainPhase
from felixbgp.intent.claims import Claim
from felixbgp.intent.members import Members
from felixbgp.intent.types import PeerOrigin
from felixbgp.net import Address

LAST_RESORT: Final = SetLocalPref(0)
"""RFC 8326 §4.1: the lowest value that there is."""
KEPT_MAX: Final = 64
"""Policies of one node: as many as it has sets of filters; what was edited since is forgotten in the end."""
NOTHING: Final = Policy((Rule("this node is drained", Match(), Action.REJECT),), Action.REJECT)


class Drains:
    """The drains of now as node `local` sees them; policies that were changed once are kept."""

    def __init__(self, local: str, drains: Mapping[str, Drain], members: Members) -> None:
        """`drains` is by node, and follows the state by itself, as `members` does."""
        self._local = local
        self._drains = drains
        self._members = members
        self._announcing: dict[Policy, Policy] = {}
        self._last_resort: dict[Policy, Policy] = {}

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
                exports = _kept(self._announcing, config.export_policy, announcing)
            config = replace(config, export_policy=exports)
        drain = self.of(config.peer.address)
        if drain is not None:
            imports = _kept(self._last_resort, config.import_policy, last_resort)
            config = replace(config, import_policy=imports, counted=True)
            origin = replace(origin, drain=drain.id)
        return config, origin


def announcing(policy: Policy) -> Policy:
    """The same routes, with GRACEFUL_SHUTDOWN and LOCAL_PREF 0 (RFC 8326 §4.2)."""
    return _with_last_word(policy, (AddCommunity(GRACEFUL_SHUTDOWN), LAST_RESORT))


def last_resort(policy: Policy) -> Policy:
    """The same routes, with LOCAL_PREF 0."""
    return _with_last_word(policy, (LAST_RESORT,))


def _with_last_word(policy: Policy, operations: tuple[Operation, ...]) -> Policy:
    """Do this to whatever a policy accepts, after everything else."""
    rules = tuple(
        replace(rule, operations=(*rule.operations, *operations)) if rule.action is Action.ACCEPT else rule
        for rule in policy.rules
    )
    if policy.default is Action.ACCEPT:
        rules = (*rules, Rule(DEFAULT_RULE, Match(), Action.ACCEPT, operations))
    return Policy(rules, policy.default)


def _kept(known: dict[Policy, Policy], policy: Policy, make: Callable[[Policy], Policy]) -> Policy:
    if policy not in known:
        if len(known) >= KEPT_MAX:
            known.clear()
        known[policy] = make(policy)
    return known[policy]
