"""Reading resources from files."""

from pathlib import Path

import click
import pytest

from felixbgp.cli.files import read_resources
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
    return [resource.name for resource in read_resources([str(file) for file in files])]


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
    resources = read_resources([str(tmp_path)])
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
    (tmp_path / "a.yaml").write_text(peer("a") + '  "\\e[31m": 1\n')
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
    with pytest.raises(click.ClickException, match=r"no resource in .*empty\.yaml"):
        names(tmp_path / "empty.yaml")


def test_standard_input_is_read_once() -> None:
    with pytest.raises(click.UsageError, match="once"):
        names("-", "-")
