"""`felixbgp convert`."""

import json
from pathlib import Path

import yaml
from click.testing import CliRunner, Result

from felixbgp.cli.main import cli
from felixbgp.resources.documents import load_yaml_documents

PEERS = """\
- apiVersion: v1
  kind: bgpPeer
  metadata:
    scope: node
    node: Node2
    peerIP: 1.2.3.4
  spec:
    asNumber: 6455
- apiVersion: v1
  kind: bgpPeer
  metadata: {scope: global, peerIP: 192.20.30.40}
  spec: {asNumber: 64567}
"""
POOL = "{apiVersion: v1, kind: ipPool, metadata: {cidr: 10.1.0.1/16}, spec: {nat-outgoing: true}}"


def run(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["convert", *arguments], input=given, prog_name="felixbgp")


def test_one_resource_is_printed_as_calicoctl_prints_it() -> None:
    result = run("-f", "-", given=PEERS[: PEERS.index("- apiVersion", 1)])
    assert result.exit_code == 0
    assert result.output == (
        "apiVersion: projectcalico.org/v3\n"
        "kind: BGPPeer\n"
        "metadata:\n"
        "  creationTimestamp: null\n"
        "  name: node2.1-2-3-4\n"
        "spec:\n"
        "  asNumber: 6455\n"
        "  node: node2\n"
        "  peerIP: 1.2.3.4\n"
    )


def test_several_are_an_array_that_can_be_read_again() -> None:
    printed = run("-f", "-", "-o", "json", given=PEERS).output
    assert [entry["metadata"]["name"] for entry in json.loads(printed)] == ["node2.1-2-3-4", "192-20-30-40"]
    assert yaml.safe_load(run("-f", "-", given=PEERS).output) == json.loads(printed)
    read = load_yaml_documents(printed)
    assert [document.resource.name for document in read if document.resource] == [
        "node2.1-2-3-4",
        "192-20-30-40",
    ]


def test_files_and_folders_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "a.yaml").write_text(PEERS)
    (folder / "b.json").write_text(json.dumps(yaml.safe_load(POOL) | {"metadata": {"cidr": "10.1.0.0/16"}}))
    names = [entry["metadata"]["name"] for entry in yaml.safe_load(run("-f", str(folder)).output)]
    assert names == ["node2.1-2-3-4", "192-20-30-40", "10-1-0-0-16"]
    assert run("-f", str(tmp_path)).exit_code == 1
    assert run("-f", str(tmp_path), "-R").output == run("-f", str(folder)).output


def test_what_version_3_refuses_is_printed_on_demand() -> None:
    refused = run("-f", "-", given=POOL)
    assert refused.exit_code == 1
    assert refused.output == (
        'error: standard input: document 1 (line 1): spec.cidr: "10.1.0.1/16" has host bits set; '
        "the network is 10.1.0.0/16\n"
        "error: standard input: document 1 (line 1): is converted to something that version 3 refuses; "
        "--ignore-validation prints it all the same\n"
    )
    assert "cidr: 10.1.0.1/16\n" in run("-f", "-", "--ignore-validation", given=POOL).output


def test_every_fault_is_told_and_nothing_is_printed() -> None:
    policy = "{apiVersion: v1, kind: policy}\n"
    result = run("-f", "-", given=f"{PEERS}---\n{policy}---\n{PEERS.replace('6455', '0')}---\n{{")
    assert result.exit_code == 1
    assert [line.split(": ", 3)[2] for line in result.output.splitlines()] == [
        "document 2 (line 14)",
        "document 3 (line 16)",
        "document 4 (line 29)",
    ]
    assert 'kind: "policy" is no resource of BGP; those of apiVersion v1 that can' in result.output
    assert "projectcalico" not in result.output


def test_a_file_without_resources_is_an_error() -> None:
    assert run("-f", "-", given="").output == "error: no resource in -\n"
    assert run("-f", "-", "--allow-version-mismatch", given="").exit_code == 1
