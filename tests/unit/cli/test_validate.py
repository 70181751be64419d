"""`felixbgp validate`."""

from collections.abc import Iterator
from pathlib import Path

from click.testing import CliRunner, Result

from felixbgp.cli.main import cli
from felixbgp.cli.validate import Together, warnings_of
from felixbgp.resources import ResourceKey
from felixbgp.resources.documents import load_yaml_documents

PEER = "{{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {{name: {name}}}, spec: {spec}}}\n---\n"
FILTER = (
    "{apiVersion: projectcalico.org/v3, kind: BGPFilter, metadata: {name: f}, "
    "spec: {importV4: [{action: Reject}, {action: Accept, matchOperator: In, cidr: 10.0.0.0/8}]}}\n---\n"
)
NODE = "{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: node-1}}\n---\n"


def peer(name: str, spec: str = "{peerIP: 10.0.0.1, asNumber: 64512}") -> str:
    return PEER.format(name=name, spec=spec)


def one(kind: str, name: str, spec: str) -> str:
    metadata = f"metadata: {{name: {name}}}"
    return f"{{apiVersion: projectcalico.org/v3, kind: {kind}, {metadata}, spec: {spec}}}\n---\n"


def run(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["validate", *arguments], input=given, prog_name="felixbgp")


def test_what_is_right_is_counted_in_calicoctls_words(tmp_path: Path) -> None:
    one = run("-f", "-", given=peer("a") + peer("b", "{peerIP: 10.0.0.2, asNumber: 64512}"))
    assert (one.exit_code, one.output) == (0, "Successfully validated 2 'BGPPeer' resource(s)\n")
    (tmp_path / "peers.yaml").write_text(peer("a"))
    (tmp_path / "node.yml").write_text(NODE)
    several = run("-f", str(tmp_path), "--allow-version-mismatch")
    assert (several.exit_code, several.output) == (0, "Successfully validated 2 resource(s)\n")


def test_every_fault_of_every_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(peer("a", "{peerIP: x, asNumber: 0}") + peer("fine") + "{kind: Pod}")
    (tmp_path / "b.json").write_text("{")
    result = run("-f", str(tmp_path / "a.yaml"), "-f", str(tmp_path / "b.json"))
    assert result.exit_code == 1
    *faults, last = result.output.splitlines()
    first = f"error: {tmp_path}/a.yaml: document 1 (line 1): BGPPeer(a):"
    assert faults[:2] == [
        f'{first} spec.peerIP: "x" is not an IP address, or IPv4:port, or [IPv6]:port',
        f"{first} spec.asNumber: 0 is not between 1 and 4294967295",
    ]
    assert faults[2].startswith(
        f'error: {tmp_path}/a.yaml: document 3 (line 5): Pod: kind: "Pod" is not one of '
    )
    assert last.startswith(f"error: {tmp_path}/b.json: document 1 (line 1): is not YAML: ")


def test_what_is_hardly_meant_is_a_warning() -> None:
    with_filters = peer("a", "{peerIP: 10.0.0.1, asNumber: 1, filters: [f, missing], node: node-2}")
    given = with_filters + FILTER + NODE + NODE
    result = run("-f", "-", given=given)
    assert result.exit_code == 0
    place = "warning: standard input: document {} (line {}): {}".format
    never = "spec.importV4[0] decides before it on every route that it would match"
    assert result.output.splitlines() == [
        place(
            1,
            1,
            "BGPPeer(a): spec.filters[1]: no BGPFilter 'missing' is given; sessions stay down without it",
        ),
        place(1, 1, "BGPPeer(a): no Node 'node-2' is given"),
        place(2, 3, f"BGPFilter(f): spec.importV4[1]: can never match: {never}"),
        place(4, 7, "Node(node-1) is given before; the last one counts"),
        "Successfully validated 4 resource(s)",
    ]
    strict = run("-f", "-", "--strict", given=given)
    assert strict.exit_code == 1
    assert strict.output.splitlines() == [
        line.replace("warning: ", "error: ", 1) for line in result.output.splitlines()[:-1]
    ]


def test_a_node_is_missed_only_where_nodes_are_given() -> None:
    of_a_node = peer("a", "{node: node-2, peerIP: 10.0.0.1, asNumber: 1}")
    assert run("-f", "-", given=of_a_node).output == "Successfully validated 1 'BGPPeer' resource(s)\n"
    configuration = (
        "{apiVersion: projectcalico.org/v3, kind: BGPConfiguration, metadata: {name: node.node-2}}"
    )
    status = (
        "\n---\n{apiVersion: projectcalico.org/v3, kind: CalicoNodeStatus, metadata: {name: s}, "
        "spec: {node: node-2, classes: [BGP], updatePeriodSeconds: 10}}"
    )
    result = run("-f", "-", given=NODE + configuration + status)
    assert result.exit_code == 0
    assert result.output.count("no Node 'node-2' is given") == 2


def test_what_the_verbs_that_write_would_refuse_is_a_fault() -> None:
    pools = [
        one("IPPool", name, f"{{cidr: {cidr}}}")
        for name, cidr in (("p4", "10.71.0.0/16"), ("p5", "10.70.0.0/16"), ("p6", "10.70.0.0/24"))
    ]
    load_balancers = one(
        "IPPool", "lb", "{cidr: 10.72.0.0/16, allowedUses: [LoadBalancer], ipipMode: Always}"
    )
    secret = peer("s", "{peerIP: 10.0.0.1, asNumber: 1, password: {secretKeyRef: {name: ../x, key: a/b}}}")
    result = run("-f", "-", given="".join(pools) + load_balancers + secret)
    assert result.exit_code == 1
    place = "error: standard input: document {} (line {}): {}".format
    assert result.output.splitlines() == [
        place(2, 3, 'IPPool(p5): spec.cidr: "10.70.0.0/16" overlaps with IPPool(p6), 10.70.0.0/24'),
        place(3, 5, 'IPPool(p6): spec.cidr: "10.70.0.0/24" overlaps with IPPool(p5), 10.70.0.0/16'),
        place(4, 7, 'IPPool(lb): spec.ipipMode: "Always" cannot be set for a pool of load balancers'),
        place(5, 9, 'BGPPeer(s): spec.password.secretKeyRef.name: "../x" is no name of a secret'),
        place(5, 9, 'BGPPeer(s): spec.password.secretKeyRef.key: "a/b" is no key of a secret'),
    ]


def test_pools_of_the_same_range_overlap_and_a_pool_that_is_given_twice_does_not() -> None:
    text = "".join(one("IPPool", name, "{cidr: 10.70.0.0/16}") for name in ("a", "b", "c", "c"))
    faults = [
        line.split("IPPool", 1)[1] for line in run("-f", "-", "--strict", given=text).output.splitlines()
    ]
    overlaps = '({}): spec.cidr: "10.70.0.0/16" overlaps with IPPool({}), 10.70.0.0/16'.format
    of_c = [overlaps("c", "a"), overlaps("c", "b")]
    others = [overlaps("a", "b"), overlaps("a", "c"), overlaps("b", "a"), overlaps("b", "c")]
    assert faults == [*others, *of_c, *of_c, "(c) is given before; the last one counts"]


def test_what_no_agent_does_anything_by_is_a_fault_in_the_agents_words() -> None:
    named = peer("selecting", "{peerSelector: all()}") + peer(
        "w", "{localWorkloadSelector: all(), asNumber: 1}"
    )
    of_nodes = one("BGPConfiguration", "default", "{}") + one("BGPConfiguration", "node.x", "{}")
    given = peer("nobody", "{}") + one("BGPConfiguration", "mine", "{bindMode: NodeIP}") + named + of_nodes
    place, no_peer = "error: standard input:", "names no peer: it has neither peerIP nor peerSelector"
    ignored = "is ignored: only the names default and node.<name> mean something"
    result = run("-f", "-", given=given)
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        f"{place} document 1 (line 1): BGPPeer(nobody): spec: {no_peer}",
        f"{place} document 2 (line 3): BGPConfiguration(mine): {ignored}",
    ]


def test_fields_without_effect_and_peers_that_come_second_are_warnings_in_the_agents_words() -> None:
    text = (
        peer("b", "{peerIP: '10.0.0.1:179', asNumber: 2}")
        + peer("a", "{peerIP: 10.0.0.1, asNumber: 1}")
        + peer("of-n", "{peerIP: 10.0.0.1, asNumber: 1, node: n}")
        + peer("selected", "{peerIP: 10.0.0.1, asNumber: 1, nodeSelector: has(x)}")
        + peer("other-port", "{peerIP: '10.0.0.1:180', asNumber: 1}")
        + peer("d", "{peerIP: 10.0.0.2, asNumber: 1, node: n}")
        + peer("e", "{peerIP: 10.0.0.2, asNumber: 1, node: n}")
        + peer("elsewhere", "{peerIP: 10.0.0.2, asNumber: 1, node: m}")
        + one("BGPConfiguration", "node.n", "{bindMode: NodeIP}")
    )
    result = run("-f", "-", given=text)
    assert result.exit_code == 0
    place = "warning: standard input: document {} (line {}): {}".format
    second = "BGPPeer({}): spec.peerIP: {} is already a peer by BGPPeer {}, which comes first".format
    ignored = "is ignored: only that of the BGPConfiguration default counts"
    assert result.output.splitlines()[:-1] == [
        place(1, 1, second("b", "10.0.0.1", "a")),
        place(3, 5, second("of-n", "10.0.0.1", "a")),
        place(7, 13, second("e", "10.0.0.2", "d")),
        place(9, 17, f"BGPConfiguration(node.n): spec.bindMode: {ignored}"),
    ]


class NotWalkedThrough(frozenset[ResourceKey]):
    """Keys that may be asked for one by one alone."""

    def __iter__(self) -> Iterator[ResourceKey]:
        raise AssertionError("twenty thousand resources, each held against all, take half a minute")


def test_no_resource_is_held_against_all_others() -> None:
    documents = load_yaml_documents(NODE + peer("a", "{node: node-2, peerIP: 10.0.0.1, asNumber: 1}"))
    together = Together.of([each.resource for each in documents if each.resource is not None])
    together = together._replace(keys=NotWalkedThrough(together.keys))
    told = [text for _, _, text in warnings_of([("file", each) for each in documents], together)]
    assert told == ["BGPPeer(a): no Node 'node-2' is given"]


def test_a_file_without_resources_is_an_error() -> None:
    assert run("-f", "-", given="---\n").output == "error: no resource in standard input\n"


def test_folders_of_folders_are_looked_into_on_demand(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.yaml").write_text(peer("a"))
    assert run("-f", str(tmp_path)).output == f"error: no resource in {tmp_path}\n"
    skipped = run("-f", str(tmp_path), "--skip-empty")
    assert (skipped.exit_code, skipped.output) == (0, "No resources specified\n")
    assert run("-f", str(tmp_path), "-R").output == "Successfully validated 1 'BGPPeer' resource(s)\n"
