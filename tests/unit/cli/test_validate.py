"""`felixbgp validate`."""

from pathlib import Path

from click.testing import CliRunner, Result

from felixbgp.cli.main import cli

PEER = "{{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {{name: {name}}}, spec: {spec}}}\n---\n"
FILTER = (
    "{apiVersion: projectcalico.org/v3, kind: BGPFilter, metadata: {name: f}, "
    "spec: {importV4: [{action: Reject}, {action: Accept, matchOperator: In, cidr: 10.0.0.0/8}]}}\n---\n"
)
NODE = "{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: node-1}}\n---\n"


def peer(name: str, spec: str = "{peerIP: 10.0.0.1, asNumber: 64512}") -> str:
    return PEER.format(name=name, spec=spec)


def run(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["validate", *arguments], input=given, prog_name="felixbgp")


def test_what_is_right_is_counted_in_calicoctls_words(tmp_path: Path) -> None:
    one = run("-f", "-", given=peer("a") + peer("b"))
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


def test_a_file_without_resources_is_an_error() -> None:
    assert run("-f", "-", given="---\n").output == "error: no resource in -\n"


def test_folders_of_folders_are_looked_into_on_demand(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.yaml").write_text(peer("a"))
    assert run("-f", str(tmp_path)).output == f"error: no resource in {tmp_path}\n"
    skipped = run("-f", str(tmp_path), "--skip-empty")
    assert (skipped.exit_code, skipped.output) == (0, "No resources specified\n")
    assert run("-f", str(tmp_path), "-R").output == "Successfully validated 1 'BGPPeer' resource(s)\n"
