"""What is read on demand: however demands came and went, the view is that of who reads the store now."""

import json

from hypothesis import given
from hypothesis import strategies as st

from felixbgp.cluster.inputs import KeyDeleted, KeyPut, SecretFilesRead, SnapshotReceived, StoredValue
from felixbgp.cluster.secrets import SECRETS, SecretFile, SecretId
from felixbgp.cluster.state import ClusterState, watched_prefixes

R = "/calico/resources/v3/projectcalico.org/"
SECRET = SecretId("s", "k")
REQUIRED = watched_prefixes("a")


def document(kind: str, name: str, spec: object, **metadata: object) -> bytes:
    value = {
        "kind": kind,
        "apiVersion": "projectcalico.org/v3",
        "metadata": {"name": name, **metadata},
        "spec": spec,
    }
    return json.dumps(value).encode()


def endpoint(node: str, **labels: str) -> bytes:
    spec = {"orchestrator": "o", "node": node, "workload": "w", "endpoint": "e"}
    return document("WorkloadEndpoint", f"{node}-o-w-e", spec, namespace="n", labels=labels)


PASSWORD = {"secretKeyRef": {"name": "s", "key": "k"}}
WORKLOADS = {"localWorkloadSelector": "all()", "asNumber": 1}
VALUES: dict[str, list[bytes]] = {
    f"{R}nodes/a": [document("Node", "a", {}), document("Node", "a", {}, labels={"rack": "1"})],
    f"{R}bgppeers/p": [
        document("BGPPeer", "p", {"peerIP": "10.0.0.2", "asNumber": 1}),
        document("BGPPeer", "p", {"peerIP": "10.0.0.2", "asNumber": 1, "password": PASSWORD}),
        document("BGPPeer", "p", WORKLOADS),
        b"not JSON",
    ],
    f"{R}bgppeers/q": [
        document("BGPPeer", "q", WORKLOADS | {"nodeSelector": "has(rack)", "password": PASSWORD}),
    ],
    f"{SECRETS}s/k": [b"one", b"two", b""],
    f"{SECRETS}s/other": [b"one"],
    f"{R}workloadendpoints/n/a-o-w-e": [endpoint("a"), endpoint("a", bgp="yes"), b"not JSON"],
    f"{R}workloadendpoints/n/b-o-w-e": [endpoint("b"), b"not JSON"],
}
writes = st.sampled_from(sorted(VALUES)).flatmap(
    lambda key: st.tuples(st.just(key), st.one_of(st.none(), st.sampled_from(VALUES[key])))
)


class Shell:
    """A store, and a view of it whose demands are met when `serve` is called."""

    def __init__(self) -> None:
        self.stored: dict[str, StoredValue] = {}
        self.revision = 1
        self.state = ClusterState("a")
        self.followed: tuple[str, ...] = ()

    def start(self) -> None:
        self.followed = REQUIRED
        for prefix in REQUIRED:
            self.list(prefix)

    def list(self, prefix: str) -> None:
        values = tuple(self.stored[key] for key in sorted(self.stored) if key.startswith(prefix))
        self.state.feed(SnapshotReceived(prefix, self.revision, values))

    def write(self, key: str, value: bytes | None) -> None:
        self.revision += 1
        event: KeyPut | KeyDeleted = KeyDeleted(key, self.revision)
        if value is None:
            self.stored.pop(key, None)
        else:
            self.stored[key] = StoredValue(key, value, self.revision)
            event = KeyPut(self.stored[key])
        if key.startswith(self.followed):
            self.state.feed(event)

    def serve(self) -> None:
        demands = self.state.take_demands()
        if demands is None:
            return
        known, self.followed = self.followed, (*REQUIRED, *demands.prefixes)
        for prefix in demands.prefixes:
            if prefix not in known:
                self.list(prefix)
        files = tuple(SecretFile(secret) for secret in demands.secrets)
        self.state.feed(SecretFilesRead("/secrets", files))

    def view(self) -> object:
        state = self.state
        return (
            dict(state.bgp_peers),
            dict(state.workload_endpoints),
            {key: errors for key, errors in state.invalid.items() if key.startswith(self.followed)},
            state.secret(SECRET),
            state.in_sync(),
        )


@given(st.lists(st.tuples(writes, st.booleans()), min_size=10, max_size=25))
def test_the_view_is_that_of_who_reads_the_store_now(
    steps: list[tuple[tuple[str, bytes | None], bool]],
) -> None:
    lived = Shell()
    lived.start()
    for (key, value), served in steps:
        lived.write(key, value)
        if served:
            lived.serve()
    lived.serve()
    fresh = Shell()
    fresh.stored, fresh.revision = lived.stored, lived.revision
    fresh.start()
    fresh.serve()
    assert fresh.state.in_sync()
    assert lived.view() == fresh.view()
    assert lived.state.take_demands() is None
