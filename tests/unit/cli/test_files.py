"""Reading resources from files."""

from pathlib import Path

import click
import pytest

from felixbgp.cli.files import read_given
from felixbgp.resources import BgpConfiguration

PEER = """\
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata:
  name: {name}
spec:
  peerIP: 192.20.30.40
  asNumber: 64567
"""


def peer(name: str) -> str:
    return PEER.format(name=name)


def names(*files: Path | str) -> list[str]:
    return [given.resource.name for given in read_given([str(file) for file in files])]


def test_documents_keep_their_order_within_and_across_files(tmp_path: Path) -> None:
    (tmp_path / "1.yaml").write_text(peer("z") + "---\n" + peer("a"))
    (tmp_path / "0.yaml").write_text(peer("m"))
    assert names(tmp_path / "1.yaml", tmp_path / "0.yaml") == ["z", "a", "m"]


def test_a_folder_stands_for_its_yaml_and_json_files(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(peer("b"))
    (tmp_path / "a.json").write_text(
        '{"apiVersion": "projectcalico.org/v3", "kind": "BGPConfiguration", "metadata": {"name": "default"}}'
    )
    (tmp_path / "README.md").write_text("no resource")
    (tmp_path / "c.yaml").mkdir()
    resources = [given.resource for given in read_given([str(tmp_path)])]
    assert [resource.name for resource in resources] == ["default", "b"]
    assert isinstance(resources[0], BgpConfiguration)


def test_every_fault_of_every_file_is_told_with_file_document_and_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(peer("a") + "---\n" + peer("b").replace("64567", "0"))
    (tmp_path / "b.yaml").write_text(peer("B") + "  colour: red\n")
    with pytest.raises(click.ClickException) as raised:
        names(tmp_path / "a.yaml", tmp_path / "b.yaml")
    first, *others = str(raised.value).splitlines()
    assert first.startswith(
        f"{tmp_path}/a.yaml: document 2 (line 9): BGPPeer(b): spec.asNumber: 0 is not between 1 and"
    )
    assert sorted(line.split(": ")[3] for line in others) == ["metadata.name", "spec.colour"]


def test_a_fault_cannot_steer_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(peer("a").replace("192.20.30.40", '"\\e[31m"'))
    with pytest.raises(click.ClickException) as raised:
        names(tmp_path / "a.yaml")
    assert "\x1b" not in str(raised.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(click.ClickException, match=r"none\.yaml: No such file"):
        names(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"name: \xe9\n")
    with pytest.raises(click.ClickException, match=r"latin\.yaml: byte 7 is not UTF-8"):
        names(tmp_path / "latin.yaml")


def test_a_file_without_end_is_refused() -> None:
    with pytest.raises(click.ClickException, match="is longer than"):
        names("/dev/zero")


def test_nothing_to_do_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("---\n# nothing\n")
    (tmp_path / "full.yaml").write_text(peer("a"))
    (tmp_path / "folder").mkdir()
    empty = rf"^No resources specified in file {tmp_path}/empty\.yaml$"
    with pytest.raises(click.ClickException, match=empty):
        names(tmp_path / "empty.yaml")
    with pytest.raises(click.ClickException, match=empty):
        names(tmp_path / "full.yaml", tmp_path / "empty.yaml")
    with pytest.raises(
        click.ClickException, match=rf"^No resources specified in directory {tmp_path}/folder$"
    ):
        names(tmp_path / "folder")
    everything = [str(tmp_path / name) for name in ("empty.yaml", "full.yaml", "folder")]
    assert [given.resource.name for given in read_given(everything, skip_empty=True)] == ["a"]
    assert read_given(everything[:1], skip_empty=True) == []


def test_a_folder_is_read_to_its_depth_when_that_is_asked_for_and_links_to_folders_are_not_followed(
    tmp_path: Path,
) -> None:
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    (tmp_path / "b.yml").write_text(peer("b"))
    (tmp_path / "deep" / "deeper" / "c.YAML").write_text(peer("c"))
    (tmp_path / "a.yaml").symlink_to(tmp_path / "b.yml")
    (tmp_path / "deep" / "loop").symlink_to(tmp_path)
    assert names(tmp_path) == ["b", "b"]
    found = read_given([str(tmp_path)], recursive=True)
    assert [given.resource.name for given in found] == ["b", "b", "c"]


WORKLOAD = """\
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {name: node--1-k8s-web-eth0, namespace: NAMESPACE}
spec: {node: node-1, orchestrator: k8s, pod: web, endpoint: eth0}
"""


@pytest.mark.parametrize(
    ("own", "flag", "namespace"),
    [("", None, "default"), ("", "shop", "shop"), ("shop", None, "shop"), ("shop", "shop", "shop")],
)
def test_the_namespace_of_the_flag_is_for_objects_that_name_none(
    tmp_path: Path, own: str, flag: str | None, namespace: str
) -> None:
    (tmp_path / "a.yaml").write_text(WORKLOAD.replace("NAMESPACE", own or "null"))
    (given,) = read_given([str(tmp_path / "a.yaml")], namespace=flag)
    assert given.resource.namespace == namespace


def test_namespaces_that_make_no_sense_are_all_told(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    in_one = peer("a").replace("name: a", "name: a\n  namespace: shop")
    file.write_text(f"{in_one}---\n{peer('b')}---\n{WORKLOAD.replace('NAMESPACE', 'mall')}")
    with pytest.raises(click.ClickException) as raised:
        read_given([str(file)], namespace="shop")
    assert raised.value.message == (
        f"{file}: document 1 (line 1): BGPPeer(a): metadata.namespace: namespace should not be specified "
        "for a non-namespaced resource. BGPPeer is not a namespaced resource\n"
        f"{file}: document 2 (line 10): BGPPeer(b): BGPPeer is not namespaced\n"
        f"{file}: document 3 (line 18): WorkloadEndpoint(mall/node--1-k8s-web-eth0): "
        "resource namespace does not match client namespace. mall != shop"
    )


def test_standard_input_is_read_once() -> None:
    with pytest.raises(click.UsageError, match="once"):
        names("-", "-")
