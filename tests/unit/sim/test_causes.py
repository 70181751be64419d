"""Why there is no session, as the status documents of a cluster on a virtual clock have it."""

import pytest

from felixbgp.bgp.cause import Cause
from felixbgp.cluster.drains import Drain, DrainPhase, drain_key
from felixbgp.cluster.secrets import SecretId
from felixbgp.net import Address
from felixbgp.sim.links import Trouble
from felixbgp.sim.world import SECOND, World
from felixbgp.status import drain_document
from felixbgp.status.node_status import PeerStatus
from tests.support.cluster import mesh, put_resource

KEY = "/felixbgp/v1/secrets/bgp-secrets/mesh"
REFERENCE = {"secretKeyRef": {"name": "bgp-secrets", "key": "mesh"}}
SOON_NS = 30 * SECOND
ONE, TWO = "172.30.0.1", "172.30.0.2"


def configure(world: World, **spec: object) -> None:
    put_resource(world, "BGPConfiguration", "bgpconfigurations", "default", spec)


def put_peer(world: World, name: str, **spec: object) -> None:
    put_resource(world, "BGPPeer", "bgppeers", name, spec)


def peer(world: World, node: str, address: str) -> PeerStatus | None:
    """What a node says of a peer."""
    status = world.nodes[node].status
    wanted = Address.parse(address)
    return next((one for one in status.peers if one.peer.address == wanted), None) if status else None


def comes_to(
    world: World, node: str, address: str, cause: Cause | None, limit_ns: int = SOON_NS
) -> PeerStatus:
    """Wait until the node says this of its peer."""

    def is_told() -> bool:
        found = peer(world, node, address)
        return (
            found is not None and found.cause is cause and (found.state == "Established") is (cause is None)
        )

    try:
        world.run_until(is_told, limit_ns=limit_ns)
    except AssertionError as error:
        raise AssertionError(f"{error}: {peer(world, node, address)}") from error
    found = peer(world, node, address)
    assert found is not None
    return found


def a_mesh(size: int = 2) -> World:
    """Whose sessions stand; the lower address waits to be dialled."""
    world = mesh(size, seed=1, draining_seconds=0)
    world.run_until(lambda: world.established() == size * (size - 1), limit_ns=60 * SECOND)
    world.run_for(5 * SECOND)
    return world


def test_established_has_no_cause() -> None:
    comes_to(a_mesh(), "node-1", TWO, None)


def test_restarting_while_its_routes_are_kept_and_refused_afterwards() -> None:
    world = a_mesh()
    world.nodes["node-1"].kill()
    assert comes_to(world, "node-2", ONE, Cause.RESTARTING).prefixes_stale == 1
    found = comes_to(world, "node-2", ONE, Cause.REFUSED, limit_ns=200 * SECOND)
    assert (found.last_error, found.prefixes_stale) == ("Connection refused", 0)


def test_unreachable() -> None:
    world = a_mesh()
    world.network.links.begin(Trouble.UNREACHABLE, "node-2", "node-1")
    world.network.reset("node-1", "node-2")
    comes_to(world, "node-2", ONE, Cause.UNREACHABLE)


def test_timed_out_for_another_password() -> None:
    world = mesh(2, seed=1, draining_seconds=0)
    world.store.put(KEY, b"one")
    configure(world, nodeMeshPassword=REFERENCE)
    world.run_until(lambda: world.established() == 2, limit_ns=60 * SECOND)
    world.nodes["node-1"].write_secret(SecretId("bgp-secrets", "mesh"), b"two")
    comes_to(world, "node-2", ONE, Cause.TIMED_OUT, limit_ns=60 * SECOND)
    # The other side hears nothing at all.
    comes_to(world, "node-1", TWO, Cause.STARTING)


def test_wrong_as() -> None:
    world = a_mesh()
    put_peer(world, "wrong", node="node-1", peerIP=TWO, asNumber=65001)
    found = comes_to(world, "node-1", TWO, Cause.WRONG_AS)
    assert found.last_error == "OPEN Message Error: Bad Peer AS: the peer says it is AS 64512, not AS 65001"
    comes_to(world, "node-2", ONE, Cause.WRONG_AS)


def test_hold_timer() -> None:
    world = a_mesh()
    world.network.cut("node-1", "node-2")
    world.network.cut("node-2", "node-1")
    comes_to(world, "node-1", TWO, Cause.HOLD_TIMER, limit_ns=200 * SECOND)


@pytest.mark.parametrize("spec", [{"reversePeering": "Manual"}, {"asNumber": 65001}])
def test_a_node_that_does_not_list_us(spec: dict[str, object]) -> None:
    world = mesh(2, seed=1, draining_seconds=0)
    configure(world, nodeToNodeMeshEnabled=False)
    put_peer(world, "forward", **{"node": "node-1", "peerIP": TWO, "asNumber": 64512, **spec})
    comes_to(world, "node-1", TWO, Cause.NOT_LISTED)
    put_peer(world, "back", node="node-2", peerIP=ONE, asNumber=64512)
    comes_to(world, "node-1", TWO, Cause.WRONG_AS if "asNumber" in spec else None)


def test_a_node_that_does_not_list_us_and_has_no_password_for_us() -> None:
    world = mesh(2, seed=1, draining_seconds=0)
    world.store.put(KEY, b"secret")
    configure(world, nodeToNodeMeshEnabled=False)
    put_peer(
        world,
        "forward",
        node="node-1",
        peerIP=TWO,
        asNumber=64512,
        reversePeering="Manual",
        password=REFERENCE,
    )
    comes_to(world, "node-1", TWO, Cause.NOT_LISTED)


class TestHeldDown:
    def test_by_a_filter_that_is_missing(self) -> None:
        world = mesh(2, seed=1, draining_seconds=0)
        put_peer(world, "strict", nodeSelector="all()", peerSelector="all()", filters=["absent"])
        found = comes_to(world, "node-1", TWO, Cause.CONFIGURATION_MISSING)
        assert (found.state, found.scope, found.resource) == ("Idle", "global", "strict") or found.scope
        assert found.last_error == "BGPFilter absent does not exist or is invalid; the session stays down"
        put_resource(world, "BGPFilter", "bgpfilters", "absent", {})
        comes_to(world, "node-1", TWO, None)

    def test_by_the_password_of_the_mesh(self) -> None:
        world = mesh(2, seed=1, draining_seconds=0)
        configure(world, nodeMeshPassword=REFERENCE)
        found = comes_to(world, "node-1", TWO, Cause.CONFIGURATION_MISSING)
        assert (found.scope, found.resource) == ("mesh", "")
        assert "there is neither a file" in (found.last_error or "")
        since = found.since
        world.run_for(5 * SECOND)
        put_peer(world, "other", node="node-2", peerIP="172.30.0.9", asNumber=64512)
        world.run_for(5 * SECOND)
        again = peer(world, "node-1", TWO)
        assert again is not None
        assert again.since == since

    def test_a_session_that_goes_on_for_a_while_is_established(self) -> None:
        world = a_mesh()
        configure(world, nodeMeshPassword=REFERENCE)
        world.run_for(3 * SECOND)
        found = peer(world, "node-1", TWO)
        assert found is not None
        assert (found.state, found.cause) == ("Established", None)
        comes_to(world, "node-1", TWO, Cause.CONFIGURATION_MISSING)


def test_draining_when_a_drained_node_is_stopped() -> None:
    world = a_mesh(3)
    drain = Drain("x", DrainPhase.WITHDRAW, 1, "somebody")
    world.store.put(drain_key("node-2"), drain_document.encode(drain))
    world.run_for(5 * SECOND)
    comes_to(world, "node-1", TWO, None)
    world.nodes["node-2"].stop()
    comes_to(world, "node-1", TWO, Cause.DRAINING)
    comes_to(world, "node-1", "172.30.0.3", None)
