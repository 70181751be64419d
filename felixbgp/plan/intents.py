"""The intents of all nodes: by the store as it is, and then as it would be."""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Final

from felixbgp.agent.origination import Origination
from felixbgp.bgp.routes import LocalRoute
from felixbgp.cluster.demands import WORKLOAD_ENDPOINTS, demands_of
from felixbgp.cluster.drains import DRAINS
from felixbgp.cluster.inputs import KeyDeleted, KeyPut, SecretFilesRead, SnapshotReceived, StoredValue
from felixbgp.cluster.secrets import SecretFile
from felixbgp.cluster.state import ClusterState, required_prefixes
from felixbgp.intent.derivation import Derivation
from felixbgp.intent.findings import STAYS_DOWN
from felixbgp.intent.members import member_of
from felixbgp.intent.mesh import SUBJECT
from felixbgp.intent.types import Intent, Problem
from felixbgp.net import Address, Prefix
from felixbgp.plan.router import Router
from felixbgp.resources.bgp_configuration import DEFAULT_NAME

PREFIXES: Final = (*required_prefixes(), WORKLOAD_ENDPOINTS, DRAINS)
"""What of the store an outcome may depend on. The last two may be missing."""
ROUTES_MAX: Final = 1 << 30
"""Of one node: all."""


class Intents:
    """Follows the store for every node at once. What is read of a value does not depend on the node.

    Passwords are taken to be where they are named, and the same at both ends: what stands for one depends on
    its name alone, so that another name is another password. Where none can be, by its name, none is.
    """

    def __init__(self, values: Iterable[StoredValue]) -> None:
        self._state = ClusterState()
        self._derivations: dict[str, Derivation] = {}
        self._problems: dict[str, tuple[Problem, ...]] = {}
        listed = list(values)
        revision = max((one.revision for one in listed), default=0)
        for prefix in PREFIXES:
            found = tuple(one for one in listed if one.key.startswith(prefix))
            self._state.feed(SnapshotReceived(prefix, revision, found))
        self._find_passwords()
        self._state.take_changes()
        self._routers = {name: self._derived(name) for name in sorted(self._state.nodes)}

    @property
    def routers(self) -> Mapping[str, Router]:
        """Every node that takes part in BGP, by name."""
        return {name: router for name, router in self._routers.items() if router is not None}

    @property
    def invalid(self) -> Mapping[str, str]:
        """The keys whose values count as absent, and why."""
        return {key: str(errors[0]) for key, errors in sorted(self._state.invalid.items())}

    @property
    def problems(self) -> list[Problem]:
        """What the agents will say is to be mended, each once, in order."""
        found = {problem for name in self._state.nodes for problem in self._problems[name]}
        return sorted(found, key=lambda one: (one.subject, one.field, one.reason))

    def change(self, changed: Mapping[str, bytes | None]) -> None:
        """Take these keys as they would be; None for one that is deleted."""
        revision = self._state.revision + 1
        for key, value in changed.items():
            if value is None:
                self._state.feed(KeyDeleted(key, revision))
            else:
                self._state.feed(KeyPut(StoredValue(key, value, revision)))
        self._find_passwords()
        changes = self._state.take_changes()
        routers: dict[str, Router | None] = {}
        for name in sorted(self._state.nodes):
            derivation = self._derivations.get(name)
            if derivation is None:
                routers[name] = self._derived(name)
            else:
                routers[name] = self._router(name, derivation.update(self._state, changes).intent)
        self._routers = routers

    def _derived(self, name: str) -> Router | None:
        derivation = self._derivations[name] = Derivation(name)
        return self._router(name, derivation.update(self._state).intent)

    def _router(self, name: str, intent: Intent) -> Router | None:
        self._problems[name] = intent.problems
        member = member_of(self._state, name)
        if member is None or intent.speaker is None:
            return None
        return Router(
            name=name,
            speaker=intent.speaker,
            addresses={family: one.address for family, one in member.addresses.items()},
            listen_port=intent.listen_port,
            peers=intent.peers,
            scopes={peer: origin.scope for peer, origin in intent.origins.items()},
            routes=own_routes(intent),
            held_down=_held_down(intent),
        )

    def _find_passwords(self) -> None:
        defaults = self._state.bgp_configurations.get(DEFAULT_NAME)
        secrets = demands_of("", None, defaults, self._state.bgp_peers.values()).secrets
        files = (
            SecretFile(one, sha256(f"{one.name}/{one.key}".encode()).hexdigest().encode()) for one in secrets
        )
        self._state.feed(SecretFilesRead("", tuple(files)))


def _held_down(intent: Intent) -> dict[Address, str]:
    """The peers that are to stay down, and why in the words of the status: the first problem about each."""
    reasons: dict[str, str] = {}
    for problem in intent.problems:
        if problem.reason.endswith(STAYS_DOWN):
            reasons.setdefault(problem.subject, problem.reason)
    return {
        peer.address: reasons.get(f"BGPPeer {origin.resource}" if origin.resource else SUBJECT, "")
        for peer, origin in intent.held_down.items()
    }


def own_routes(intent: Intent) -> Mapping[Prefix, LocalRoute]:
    """What a node originates by its intent; what comes of its kernel and its links is not known here."""
    origination = Origination()
    origination.configure(intent)
    changes = origination.take_changes(ROUTES_MAX)
    return {prefix: route for prefix, route in changes if route is not None}
