"""The verbs that read, against a real etcd."""

import gzip
import json
import os
import pty
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import yaml
from click.shell_completion import ShellComplete

from felixbgp.bgp.config import PeerId
from felixbgp.cli import completion
from felixbgp.cli.main import cli
from felixbgp.cli.version import felixbgp_version
from felixbgp.lab.etcd import EtcdServer
from felixbgp.net import IPV4, Address
from felixbgp.runtime.etcd.client import open_client
from felixbgp.runtime.etcd.settings import EtcdSettings
from felixbgp.runtime.sockets import TCP_MD5SIG, md5_key
from felixbgp.status.document import AgentAlive, encode, encode_alive
from felixbgp.status.keys import alive_key, status_key
from felixbgp.status.node_status import DatastoreCondition, DatastoreState, NodeStatus, PeerStatus
from tests.support.command import run_command as run

pytestmark = pytest.mark.etcd

RESOURCES = "/calico/resources/v3/projectcalico.org/"
MISSING = "resource does not exist: {} with error: <nil>"
PATIENCE_SECONDS = 30.0
"""For etcd to answer who completes a name: with a second, as it is, a busy machine may have none."""
PROGRAM = [sys.executable, "-c", "from felixbgp.cli.main import main; main()"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdServer]:
    with EtcdServer.on_free_ports(tmp_path_factory.mktemp("etcd")) as started:
        yield started


@pytest.fixture(autouse=True)
def _empty_store(server: EtcdServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ETCD_ENDPOINTS", server.endpoint)
    monkeypatch.setenv("NODENAME", "node-1")
    monkeypatch.setenv("HOME", str(tmp_path))

    async def empty() -> None:
        async with open_client(EtcdSettings(endpoints=(server.endpoint,))) as client:
            await client.delete_prefix("/")

    trio.run(empty)


def put(server: EtcdServer, *pairs: tuple[str, bytes]) -> None:
    async def write() -> None:
        async with open_client(EtcdSettings(endpoints=(server.endpoint,))) as client:
            for key, value in pairs:
                await client.put(key, value)

    trio.run(write)


def stored(plural: str, name: str, spec: object, **more: object) -> tuple[str, bytes]:
    """A resource as calicoctl stores it; `name` may have a namespace before a slash."""
    kinds = {
        "bgppeers": "BGPPeer",
        "nodes": "Node",
        "bgpconfigurations": "BGPConfiguration",
        "workloadendpoints": "WorkloadEndpoint",
    }
    namespace, _, bare = name.rpartition("/")
    metadata = {"name": bare, **({"namespace": namespace} if namespace else {}), "uid": "u"}
    value = {
        "kind": kinds[plural],
        "apiVersion": "projectcalico.org/v3",
        "metadata": metadata,
        "spec": spec,
        **more,
    }
    return f"{RESOURCES}{plural}/{name}", json.dumps(value).encode()


def endpoint(name: str) -> tuple[str, bytes]:
    return stored(
        "workloadendpoints",
        f"{name}/n-k8s-web-eth0",
        {
            "orchestrator": "k8s",
            "node": "n",
            "pod": "web",
            "endpoint": "eth0",
            "ipNetworks": ["10.65.0.2/32"],
        },
    )


def completed(*words: str) -> list[str]:
    *before, last = words
    return [item.value for item in ShellComplete(cli, {}, "felixbgp", "_X").get_completions(before, last)]


def test_names_give_a_table_each_and_an_array(server: EtcdServer) -> None:
    put(
        server,
        stored("bgppeers", "a", {"peerIP": "10.0.0.1", "asNumber": 64512}),
        stored("bgppeers", "b", {"peerIP": "10.0.0.2", "asNumber": 64512, "fromTheFuture": True}),
    )
    both = run("get", "bp", "a", "b")
    assert both.stdout == (
        "NAME   PEERIP     NODE       ASN     \n"
        "a      10.0.0.1   (global)   64512   \n"
        "\n"
        "NAME   PEERIP     NODE       ASN     \n"
        "b      10.0.0.2   (global)   64512   \n"
        "\n"
    )
    # What is stored is shown, whether we know the field or not; what agents make of it is told beside.
    assert both.exit_code == 0
    assert both.stderr == (
        f"warning: {RESOURCES}bgppeers/b: spec.fromTheFuture: is not known to this version and is ignored\n"
    )
    printed = json.loads(run("get", "bp", "b", "a", "-o", "json").stdout)
    assert [entry["metadata"]["name"] for entry in printed] == ["b", "a"]
    assert printed[0]["spec"]["fromTheFuture"] is True
    one = yaml.safe_load(run("get", "bp", "a", "-o", "yaml").stdout)
    listed = yaml.safe_load(run("get", "bp", "-o", "yaml").stdout)
    assert (one["kind"], listed["kind"]) == ("BGPPeer", "BGPPeerList")
    assert listed["items"][0] == one
    assert int(listed["metadata"]["resourceVersion"]) > int(one["metadata"]["resourceVersion"])


def test_what_is_missing_is_told_behind_what_is_there(server: EtcdServer) -> None:
    put(server, stored("nodes", "b", {}))
    result = run("get", "node", "a", "b", "c")
    assert result.exit_code == 1
    assert result.stdout == "NAME   \nb      \n\n"
    assert result.stderr == f"error: {MISSING.format('Node(a)')}\nerror: {MISSING.format('Node(c)')}\n"
    nothing = run("get", "node", "a", "-o", "json")
    assert (nothing.exit_code, nothing.stdout) == (1, "[]\n")


def test_what_files_name_is_shown(server: EtcdServer, tmp_path: Path) -> None:
    file = tmp_path / "wanted.yaml"
    file.write_text(
        "{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: a}}\n---\n"
        "{apiVersion: projectcalico.org/v3, kind: WorkloadEndpoint, metadata: {name: n-k8s-web-eth0, "
        "namespace: shop}, spec: {orchestrator: k8s, node: n, pod: web, endpoint: eth0}}\n"
    )
    put(server, stored("nodes", "a", {"bgp": {"ipv4Address": "10.0.0.1/24"}}), endpoint("shop"))
    result = run("get", "-f", str(file), "-o", "json")
    assert [entry["metadata"]["name"] for entry in json.loads(result.stdout)] == ["a", "n-k8s-web-eth0"]
    assert run("get", "-f", "-", "-o", "wide", given=file.read_text().split("---")[0]).stdout == (
        "NAME   ASN       IPV4          IPV6   \na      (64512)   10.0.0.1/24          \n\n"
    )
    # The whole of it can be read back in as it was printed.
    assert run("get", "-f", "-", "-o", "json", given=result.stdout).stdout == result.stdout


def test_folders_of_folders_are_looked_into_on_demand(server: EtcdServer, tmp_path: Path) -> None:
    below = tmp_path / "manifests" / "below"
    below.mkdir(parents=True)
    (below / "a.yaml").write_text("{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: a}}")
    put(server, stored("nodes", "a", {}))
    folder = str(tmp_path / "manifests")
    assert run("get", "-f", folder).stderr == f"error: No resources specified in directory {folder}\n"
    skipped = run("get", "-f", folder, "--skip-empty")
    assert (skipped.exit_code, skipped.output) == (0, "")
    assert run("get", "-f", folder, "-R").stdout == "NAME   \na      \n\n"


def test_nodes_without_an_as_number_have_the_clusters(server: EtcdServer) -> None:
    put(
        server,
        stored("nodes", "a", {"bgp": {"ipv4Address": "10.0.0.1/24"}}),
        stored("bgpconfigurations", "default", {"asNumber": 63400}),
    )
    assert run("get", "nodes", "-o", "custom-columns=ASN").stdout == "ASN       \n(63400)   \n\n"


def test_namespaces(server: EtcdServer) -> None:
    put(server, endpoint("default"), endpoint("shop"))
    header = "WORKLOAD   NODE   NETWORKS       INTERFACE   \n"
    row = "web        n      10.65.0.2/32               \n"
    assert run("get", "wep").stdout == f"{header}{row}\n"
    assert run("get", "wep", "-n", "shop").stdout == f"NAMESPACE   {header}shop        {row}\n"
    for flag in ("-A", "-a", "--all-namespaces"):
        every = run("get", "wep", flag).stdout
        assert every == f"NAMESPACE   {header}default     {row}shop        {row}\n"
    assert "namespace: shop\n" in run("get", "wep", "n-k8s-web-eth0", "-n", "shop", "-o", "yaml").stdout
    exported = yaml.safe_load(
        run("get", "wep", "n-k8s-web-eth0", "-n", "shop", "-o", "yaml", "--export").stdout
    )
    assert exported["metadata"] == {"name": "n-k8s-web-eth0", "creationTimestamp": None}
    missing = MISSING.format("WorkloadEndpoint(lost/x)")
    assert run("get", "wep", "x", "-n", "lost").stderr == f"error: {missing}\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("pod",), 2, "Failed to get resources: resource type 'pod' is not supported; there are: BGPConf"),
        (("nodes", "-n", "a"), 2, "Node is not namespaced"),
        (("nodes", "-A"), 2, "Node is not namespaced"),
        (
            ("wep", "-A", "-n", "a"),
            2,
            "cannot use both --namespace and --all-namespaces flags at the same time",
        ),
        (("wep", "x", "-A"), 2, "cannot use --all-namespace flag for getting a single resource"),
        (
            ("nodes", "-o", "custom-columns=X"),
            2,
            "Unknown heading X, valid values are: NAME, ASN, IPV4, IPV6",
        ),
        (
            ("nodes", "-o", "go-template={{.}}"),
            2,
            "go-template would need Go's template engine; use jsonpath",
        ),
        (("nodes", "--context", "x"), 1, "--context: no context 'x'; there is none in "),
        ((), 2, "give KIND, or -f FILE"),
        (("nodes", "-f", "x"), 2, "give KIND, or -f FILE"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_got_says_why(arguments: Sequence[str], code: int, message: str) -> None:
    result = run("get", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith(f"error: {message}")


def test_a_namespace_in_a_file_must_be_the_one_that_is_asked_for() -> None:
    given = (
        "{apiVersion: projectcalico.org/v3, kind: WorkloadEndpoint, metadata: {name: n-k8s-web-eth0, "
        "namespace: shop}, spec: {orchestrator: k8s, node: n, pod: web, endpoint: eth0}}\n"
    )
    result = run("get", "-f", "-", "-n", "other", given=given)
    assert result.stderr.startswith(
        "error: resource namespace does not match client namespace. shop != other\n"
    )


def test_a_context_and_calicoctls_file_lead_to_etcd(
    server: EtcdServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completion, "PATIENCE_SECONDS", PATIENCE_SECONDS)
    put(server, stored("nodes", "a", {}))
    monkeypatch.setenv("ETCD_ENDPOINTS", "http://127.0.0.1:1")
    folder = tmp_path / ".config" / "felixbgp"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(f"[contexts.lab]\nendpoints = '{server.endpoint}'\n")
    assert run("get", "nodes", "--context", "lab").stdout == "NAME   \na      \n\n"
    assert completed("get", "--context", "lab", "nodes", "") == ["a"]
    monkeypatch.delenv("ETCD_ENDPOINTS")
    calicoctls = tmp_path / "calicoctl.cfg"
    calicoctls.write_text(
        "apiVersion: projectcalico.org/v3\nkind: CalicoAPIConfig\n"
        f"spec: {{datastoreType: etcdv3, etcdEndpoints: '{server.endpoint}'}}\n"
    )
    assert run("get", "nodes", "-c", str(calicoctls)).exit_code == 0


def test_names_are_completed_from_etcd(server: EtcdServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "PATIENCE_SECONDS", PATIENCE_SECONDS)
    put(server, *(stored("nodes", name, {}) for name in ("node-1", "node-2", "other")), endpoint("shop"))
    assert completed("get", "nodes", "") == ["node-1", "node-2", "other"]
    assert completed("get", "no", "node-1", "node") == ["node-2"]
    assert completed("get", "-n", "shop", "wep", "n") == ["n-k8s-web-eth0"]
    put(server, (status_key("node-7"), b"{}"), (alive_key("node-7"), b"{}"))
    assert completed("node", "status", "") == ["node-7"]


def test_an_etcd_that_does_not_answer_is_not_waited_for_when_completing(server: EtcdServer) -> None:
    put(server, stored("nodes", "a", {}))
    server.pause()
    try:
        assert completed("get", "nodes", "") == []
    finally:
        server.resume()


NOW_NS = time.time_ns()
STATUS = NodeStatus(
    node="node-1",
    version="0.1.0",
    datastore=DatastoreState(DatastoreCondition.IN_SYNC, since=0),
    peers=(
        PeerStatus(
            peer=PeerId(Address.parse("10.0.0.2"), 179),
            name="peer",
            scope="mesh",
            resource="",
            families=(IPV4,),
            local_as=64512,
            remote_as=64512,
            state="Established",
            since=0,
        ),
    ),
)


def test_versions_of_client_cluster_and_agents(server: EtcdServer) -> None:
    own = felixbgp_version()
    first = run("version")
    assert first.exit_code == 0
    assert first.stdout.splitlines()[3:] == [
        "Cluster Version:   unknown",
        "Cluster Type:      unknown",
        "Agent Version:     no agent is running",
    ]
    information = {"spec": {"calicoVersion": "v3.28.5", "clusterType": "k8s,bgp"}}
    put(
        server,
        (f"{RESOURCES}clusterinformations/default", json.dumps(information).encode()),
        *((alive_key(f"node-{number}"), encode_alive(AgentAlive(own, NOW_NS))) for number in range(7)),
        (status_key("node-8"), b"not alive"),
    )
    second = run("version")
    assert (second.exit_code, second.stderr) == (0, "")
    assert second.stdout.splitlines()[3:] == [
        "Cluster Version:   v3.28.5",
        "Cluster Type:      k8s,bgp",
        f"Agent Version:     {own} on node-0, node-1, node-2, node-3, node-4 and 2 more",
    ]
    put(server, (alive_key("node-0"), encode_alive(AgentAlive("9.9", NOW_NS))), (alive_key("node-1"), b"?"))
    third = run("version")
    assert third.exit_code == 0
    assert third.stdout.splitlines()[-2:] == [
        "Agent Version:     9.9 on node-0",
        "Agent Version:     unknown on node-1",
    ]
    assert third.stderr == f"warning: agents run that are not of this client's version, {own}\n"
    assert run("version", "--allow-version-mismatch").stderr == ""


def test_without_etcd_the_client_still_tells_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETCD_ENDPOINTS", "http://127.0.0.1:1")
    result = run("version")
    assert result.exit_code == 1
    assert result.stdout.startswith(f"Client Version:    {felixbgp_version()}\n")
    assert result.stderr.startswith(
        "error: Unable to retrieve Cluster Version or Type: etcd cannot be reached: "
    )
    assert run("version", "--client").exit_code == 0


def test_diags_have_what_stands_in_etcd_but_no_secrets(server: EtcdServer, tmp_path: Path) -> None:
    secret = b"password of a session"
    put(
        server,
        stored("nodes", "node-1", {}),
        (f"{RESOURCES}bgppeers/broken", b"\xff{"),
        ("/calico/ipam/v2/host/node-1/ipv4/block/10.65.0.0-26", b'{"state":"confirmed"}'),
        (status_key("node-1"), encode(STATUS, NOW_NS)),
        (alive_key("node-2"), encode_alive(AgentAlive("0.1.0", NOW_NS))),
        ("/felixbgp/v1/secrets/kube-system/bgp-secrets/rr-password", secret),
    )
    assert run("node", "diags", "--output-dir", str(tmp_path / "out")).exit_code == 0
    (path,) = (tmp_path / "out").iterdir()
    with tarfile.open(path) as archive:
        files = {
            entry.name.partition("/")[2]: file.read()
            for entry in archive
            if (file := archive.extractfile(entry)) is not None
        }
    assert not any(secret in content for content in files.values())

    def keys(name: str) -> list[str]:
        return [json.loads(line)["key"] for line in files[f"etcd/{name}.jsonl"].splitlines()]

    assert keys("nodes") == [f"{RESOURCES}nodes/node-1"]
    assert json.loads(files["etcd/bgppeers.jsonl"])["value"] == "\\xff{"
    assert keys("block-affinities") == ["/calico/ipam/v2/host/node-1/ipv4/block/10.65.0.0-26"]
    assert keys("status") == [status_key("node-1"), alive_key("node-2")]


@pytest.mark.root
def test_diags_have_no_keys_of_tcp_md5(tmp_path: Path) -> None:
    """`ss --info` shows them to root, so that diags do without it."""
    secret = b"sesame-open"
    key = md5_key(Address.parse("127.0.0.1"), secret)
    with socket.socket() as listener, socket.socket() as dialling:
        for each in (listener, dialling):
            each.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, key)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        dialling.connect(listener.getsockname())
        shown = subprocess.run(["ss", "--tcp", "--all", "--info"], capture_output=True, check=True).stdout
        assert run("node", "diags", "--output-dir", str(tmp_path / "out")).exit_code == 0
        port = str(listener.getsockname()[1]).encode()
    assert secret in shown
    (path,) = (tmp_path / "out").iterdir()
    unpacked = gzip.decompress(path.read_bytes())
    assert port in unpacked
    assert secret not in unpacked


def on_a_terminal(*arguments: str, **environ: str) -> str:
    """What a command prints on a terminal of its own."""
    own_end, its_end = pty.openpty()
    with subprocess.Popen(
        [*PROGRAM, *arguments],
        stdout=its_end,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm", **environ},
    ) as process:
        os.close(its_end)
        printed = b""
        while True:
            try:
                piece = os.read(own_end, 65_536)
            except OSError:  # how a terminal says that nobody writes to it any more
                break
            if not piece:
                break
            printed += piece
        process.wait()
    os.close(own_end)
    return printed.decode().replace("\r\n", "\n")


def test_colours_are_for_terminals_alone(server: EtcdServer) -> None:
    put(
        server,
        (alive_key("node-1"), encode_alive(AgentAlive("0.1.0", NOW_NS))),
        (status_key("node-1"), encode(replace(STATUS), NOW_NS)),
        stored("nodes", "a\x9b", {}),
    )
    piped = run("node", "status").output
    assert "\x1b" not in piped
    coloured = on_a_terminal("node", "status")
    assert "\x1b[32mEstablished\x1b[0m" in coloured
    assert on_a_terminal("node", "status", NO_COLOR="1") == piped
    # Tables of `get` have no states; and what could steer a terminal never reaches one.
    assert on_a_terminal("get", "nodes") == "NAME   \na      \n\n"
    assert on_a_terminal("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}") == "a "
    assert run("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}").stdout == "a\x9b"
