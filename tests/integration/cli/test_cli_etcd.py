"""The verbs against a real etcd."""

import json
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner, Result

import felixbgp.cli.writing
from felixbgp.cli.apply import Application
from felixbgp.cli.files import Given
from felixbgp.cli.main import cli
from felixbgp.cli.store import Put, Store
from felixbgp.cli.writing import ATTEMPTS_MAX, Plan
from felixbgp.lab.etcd import EtcdServer
from felixbgp.resources import validate
from felixbgp.runtime.etcd.client import EtcdClient, open_client
from felixbgp.runtime.etcd.settings import EtcdSettings
from felixbgp.status.document import AgentAlive, encode, encode_alive
from felixbgp.status.keys import alive_key, status_key
from felixbgp.status.node_status import DatastoreCondition, DatastoreState, NodeStatus

pytestmark = pytest.mark.etcd

RESOURCES = "/calico/resources/v3/projectcalico.org/"

SEED_EXAMPLES = """\
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata:
  name: rack1-tor
spec:
  peerIP: 192.20.30.40
  asNumber: 64567
  nodeSelector: rack == 'rack-1'
---
apiVersion: projectcalico.org/v3
kind: BGPFilter
metadata:
  name: my-filter
spec:
  exportV4:
    - action: Accept
      matchOperator: In
      cidr: 77.0.0.0/16
    - action: Reject
      source: RemotePeers
  importV6:
    - action: Accept
      matchOperator: Equal
      cidr: 5000::0/64
    - action: Reject
---
kind: BGPPeer
apiVersion: projectcalico.org/v3
metadata:
  name: peer-with-filter
spec:
  peerSelector: has(filter-bgp)
  filters:
    - my-filter
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdServer]:
    with EtcdServer.on_free_ports(tmp_path_factory.mktemp("etcd")) as started:
        yield started


@pytest.fixture(autouse=True)
def _empty_store(server: EtcdServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETCD_ENDPOINTS", server.endpoint)
    monkeypatch.setenv("NODENAME", "node-1")

    async def empty(client: EtcdClient) -> None:
        await client.delete_prefix("/")

    in_store(server, empty)


def in_store(server: EtcdServer, work: Callable[[EtcdClient], object]) -> None:
    async def run() -> None:
        async with open_client(EtcdSettings(endpoints=(server.endpoint,))) as client:
            await work(client)  # type: ignore[misc]

    trio.run(run)


def put(server: EtcdServer, *pairs: tuple[str, bytes]) -> None:
    async def write(client: EtcdClient) -> None:
        for key, value in pairs:
            await client.put(key, value)

    in_store(server, write)


def stored(server: EtcdServer, prefix: str = RESOURCES) -> dict[str, tuple[dict[str, object], int]]:
    """What stands in etcd: object and revision by key."""
    found: dict[str, tuple[dict[str, object], int]] = {}

    async def read(client: EtcdClient) -> None:
        for entry in (await client.get_prefix(prefix)).values:
            found[entry.text_key.removeprefix(prefix)] = (json.loads(entry.value), entry.mod_revision)

    in_store(server, read)
    return found


def run(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(cli, arguments, input=given, prog_name="felixbgp")


def test_a_resource_is_applied_changed_shown_and_deleted(server: EtcdServer, tmp_path: Path) -> None:
    file = tmp_path / "seed.yaml"
    file.write_text(SEED_EXAMPLES)

    applied = run("apply", "-f", str(file))
    assert applied.exit_code == 0, applied.output
    assert applied.output == "Successfully applied 3 resource(s)\n"
    first = stored(server)
    assert list(first) == ["bgpfilters/my-filter", "bgppeers/peer-with-filter", "bgppeers/rack1-tor"]
    assert first["bgppeers/rack1-tor"][0]["spec"] == {
        "nodeSelector": "rack == 'rack-1'",
        "peerIP": "192.20.30.40",
        "asNumber": 64567,
    }

    changed = run("apply", "-f", "-", given=SEED_EXAMPLES.replace("64567", "64568"))
    assert changed.exit_code == 0, changed.output
    second = stored(server)
    assert second["bgppeers/rack1-tor"][0]["metadata"] == first["bgppeers/rack1-tor"][0]["metadata"]
    assert second["bgppeers/rack1-tor"][0]["spec"] != first["bgppeers/rack1-tor"][0]["spec"]
    assert second["bgpfilters/my-filter"] == first["bgpfilters/my-filter"]  # the same: not written again

    assert run("get", "bgppeers").output == (
        "NAME               PEERIP         NODE               ASN     \n"
        "peer-with-filter                  (global)           0       \n"
        "rack1-tor          192.20.30.40   rack == 'rack-1'   64568   \n"
        "\n"
    )
    shown = json.loads(run("get", "bgpp", "rack1-tor", "-o", "json").output)
    assert shown["metadata"]["resourceVersion"] == str(second["bgppeers/rack1-tor"][1])

    kept = run("delete", "bgpfilter", "my-filter")
    assert kept.exit_code == 1
    assert "BGPFilter(my-filter) is in use by BGPPeer(peer-with-filter)" in kept.output
    assert "nothing was deleted" in kept.output

    deleted = run("delete", "-f", str(file))
    assert deleted.output == "Successfully deleted 3 resource(s)\n"
    assert stored(server) == {}


def test_what_get_prints_can_be_applied(server: EtcdServer) -> None:
    run("apply", "-f", "-", given=SEED_EXAMPLES)
    before = stored(server)
    for output in ("yaml", "json"):
        printed = run("get", "bgppeers", "-o", output).output
        applied = run("apply", "-f", "-", given=printed)
        assert applied.exit_code == 0, applied.output
    assert stored(server) == before


def test_one_fault_and_nothing_is_written(server: EtcdServer) -> None:
    result = run("apply", "-f", "-", given=SEED_EXAMPLES.replace("has(filter-bgp)", "has(("))
    assert result.exit_code == 1
    assert result.output.startswith(
        "error: standard input: document 3 (line 27): BGPPeer(peer-with-filter): "
    )
    assert stored(server) == {}


def test_a_resource_version_that_is_not_current_is_a_conflict(server: EtcdServer) -> None:
    run("apply", "-f", "-", given=SEED_EXAMPLES)
    before = stored(server)
    printed = run("get", "bgppeer", "rack1-tor", "-o", "yaml").output
    run("apply", "-f", "-", given=SEED_EXAMPLES.replace("64567", "64568"))
    result = run("apply", "-f", "-", given=printed)
    assert result.exit_code == 1
    version = before["bgppeers/rack1-tor"][1]
    assert version
    assert (
        result.output == "error: Failed to apply 'BGPPeer' resource: [update conflict: BGPPeer(rack1-tor)]\n"
    )


def test_what_does_not_exist_cannot_be_deleted_or_shown_but_skipped() -> None:
    missing = run("delete", "node", "a", "b")
    assert (missing.exit_code, missing.output) == (
        1,
        (
            "error: Failed to delete 'Node' resource: resource does not exist: Node(a) with error: <nil>\n"
            "error: Failed to delete 'Node' resource: resource does not exist: Node(b) with error: <nil>\n"
        ),
    )
    skipped = run("delete", "node", "a", "--skip-not-exists")
    assert skipped.output == "Successfully deleted 1 'Node' resource(s) (1 of them did not exist)\n"
    assert run("get", "node", "a").output == ("error: resource does not exist: Node(a) with error: <nil>\n")


def test_a_value_that_is_invalid_is_said_and_hides_no_other(server: EtcdServer) -> None:
    run("apply", "-f", "-", given=SEED_EXAMPLES)
    put(server, (RESOURCES + "bgppeers/broken", b"{"))
    result = run("get", "bgppeers")
    assert result.exit_code == 0
    assert f"warning: {RESOURCES}bgppeers/broken: is not JSON" in result.output
    assert "rack1-tor " in result.output
    assert run("delete", "bgppeer", "broken").exit_code == 0


class Crossing(Store):
    """A store to which nobody writes before all want to: in each round all but one are overtaken."""

    def __init__(self, client: EtcdClient, writers: int) -> None:
        super().__init__(client)
        self._writers = writers
        self._waiting = 0
        self._round = trio.Event()

    async def put_unchanged(self, puts: Sequence[Put], existing: Collection[str] = ()) -> bool:
        self._waiting += 1
        this_round = self._round
        self._begin()
        await this_round.wait()
        done = await super().put_unchanged(puts, existing)
        if done:
            self._writers -= 1
            self._begin()
        return done

    def _begin(self) -> None:
        if self._waiting == self._writers:
            self._waiting = 0
            self._round.set()
            self._round = trio.Event()


def apply_at_once(server: EtcdServer, writers: int, first_as: int = 65001) -> list[str]:
    """Several people write different values of one new resource at the same moment; gives what went wrong."""
    errors: list[str] = []

    async def write(store: Store, number: int) -> None:
        document: dict[str, object] = {
            "apiVersion": "projectcalico.org/v3",
            "kind": "BGPPeer",
            "metadata": {"name": "contended"},
            "spec": {"peerIP": "192.0.2.1", "asNumber": first_as + number},
        }
        resource = validate(document)
        assert not isinstance(resource, list)
        report = await Plan([Application(Given("", resource, document))]).run(store)
        errors.extend(text for _, text in report.errors)

    async def write_all(client: EtcdClient) -> None:
        store = Crossing(client, writers)
        async with trio.open_nursery() as nursery:
            for number in range(writers):
                nursery.start_soon(write, store, number)

    in_store(server, write_all)
    return errors


def test_whoever_is_overtaken_tries_again(server: EtcdServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert apply_at_once(server, writers=ATTEMPTS_MAX) == []  # in each round at least one gets through
    ((found, _),) = stored(server).values()
    assert found["kind"] == "BGPPeer"

    # With a single attempt more than the first one, three of five fail.
    monkeypatch.setattr(felixbgp.cli.writing, "ATTEMPTS_MAX", 1)
    errors = apply_at_once(server, writers=5, first_as=65101)
    assert len(errors) == 3
    assert all("update conflict: BGPPeer(contended): somebody else wrote it" in error for error in errors)


STATUS = NodeStatus(
    node="node-1", version="0.1.0", datastore=DatastoreState(DatastoreCondition.IN_SYNC, since=0)
)


def test_a_running_and_a_dead_node(server: EtcdServer) -> None:
    now_ns = time.time_ns()
    put(
        server,
        (alive_key("node-1"), encode_alive(AgentAlive("0.1.0", now_ns, 7))),
        (status_key("node-1"), encode(STATUS, now_ns)),
        (status_key("node-2"), encode(replace(STATUS, node="node-2"), now_ns)),
    )

    own = run("node", "status")
    assert own.exit_code == 0, own.output
    assert own.output.startswith("Node node-1: the agent (0.1.0) is running since ")
    assert "IPv4 BGP status\nNo IPv4 peers found.\n" in own.output
    assert "node-2" not in own.output

    dead = run("node", "status", "node-2")
    assert dead.exit_code == 1
    assert dead.output.startswith("Node node-2: THE AGENT IS NOT RUNNING. This is the last it told:\n")

    everybody = run("node", "status", "--all", "-o", "json")
    assert everybody.exit_code == 1
    nodes = [(entry["node"], entry["running"]) for entry in json.loads(everybody.output)]
    assert nodes == [("node-1", True), ("node-2", False)]


def test_a_node_that_never_told_anything(server: EtcdServer) -> None:
    empty = run("node", "status", "--all")
    assert (empty.exit_code, empty.output) == (
        1,
        "error: no node has published a status under /felixbgp/v1/nodes/\n",
    )
    put(server, (status_key("node-2"), encode(STATUS, 0)))
    assert run("node", "status").output == (
        "error: node 'node-1' has not published a status; these have: node-2\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [("node", "status"), ("get", "nodes"), ("delete", "node", "a"), ("apply", "-f", "-")],
    ids=" ".join,
)
def test_an_etcd_that_is_not_there_is_one_line(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETCD_ENDPOINTS", "http://127.0.0.1:1,http://127.0.0.1:2")
    result = run(*arguments, given=SEED_EXAMPLES)
    assert result.exit_code == 1
    assert "etcd cannot be reached: " in result.output
    assert all(endpoint in result.output for endpoint in ("http://127.0.0.1:1", "http://127.0.0.1:2"))
    assert result.output.count("\n") == 1


@pytest.mark.timeout(60)
def test_an_etcd_that_does_not_answer_is_given_up(server: EtcdServer) -> None:
    server.pause()
    try:
        result = run("get", "nodes")
    finally:
        server.resume()
    assert result.exit_code == 1
    assert result.output.startswith("error: etcd ")
    assert server.endpoint in result.output
