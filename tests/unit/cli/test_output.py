"""Every kind in every form, as files to look at; and what is said of a form that is none.

`pytest tests/unit/cli --update-golden` writes the files anew.
"""

import json
from collections.abc import Callable
from pathlib import Path

import click
import pytest
import yaml

from felixbgp.cli.objects import Found, as_object
from felixbgp.cli.output import Surroundings, parse_form
from felixbgp.cli.store import Stored
from felixbgp.resources.keys import PLURALS, RESOURCES

# As calicoctl stores them.
STORED: dict[str, list[tuple[str, dict[str, object]]]] = {
    "BGPPeer": [
        ("global", {"peerIP": "192.20.30.40", "asNumber": 64567}),
        ("of-a-node", {"node": "node-1", "peerIP": "[fd00::40]:1179", "asNumber": 4200000000}),
        ("reflectors", {"nodeSelector": "all()", "peerSelector": "has(rr) && rack != 'a'"}),
    ],
    "BGPConfiguration": [
        ("default", {"logSeverityScreen": "Info", "nodeToNodeMeshEnabled": False, "asNumber": 63400}),
        ("node.node-1", {"listenPort": 1790}),
    ],
    "BGPFilter": [
        ("empty", {}),
        (
            "some",
            {
                "exportV4": [{"action": "Accept", "matchOperator": "In", "cidr": "77.0.0.0/16"}],
                "importV4": [{"action": "Reject"}],
                "exportV6": [{"action": "Reject", "source": "RemotePeers"}, {"action": "Accept"}],
            },
        ),
    ],
    "Node": [
        ("node-1", {"bgp": {"ipv4Address": "10.0.0.1/24"}}),
        ("node-2", {"bgp": {"asNumber": 64600, "ipv4Address": "10.0.0.2/24", "ipv6Address": "fd00::2/64"}}),
        ("without-bgp", {}),
    ],
    "IPPool": [
        (
            "default-ipv4-ippool",
            {"cidr": "10.65.0.0/16", "vxlanMode": "Never", "ipipMode": "Always", "natOutgoing": True}
            | {"blockSize": 26, "nodeSelector": "all()", "allowedUses": ["Workload", "Tunnel"]},
        ),
        (
            "hidden",
            {"cidr": "fd65::/64", "disabled": True, "disableBGPExport": True, "nodeSelector": "a == 'b'"},
        ),
    ],
    "CalicoNodeStatus": [
        ("of-node-1", {"node": "node-1", "classes": ["Agent", "BGP"], "updatePeriodSeconds": 10}),
    ],
    "WorkloadEndpoint": [
        (
            "node--1-k8s-web-eth0",
            {"orchestrator": "k8s", "node": "node-1", "pod": "web", "endpoint": "eth0"}
            | {"ipNetworks": ["10.65.0.2/32", "fd65::2/128"], "interfaceName": "cali123"}
            | {
                "ipNATs": [{"internalIP": "10.65.0.2", "externalIP": "192.0.2.9"}],
                "profiles": ["kns.a", "ksa.a"],
            },
        ),
        ("node--2-openstack-vm-eth0", {"orchestrator": "openstack", "node": "node-2", "workload": "vm"}),
    ],
}
ALIASES = {
    "bgppeer": "BGPPeer",
    "bgpconfiguration": "BGPConfiguration",
    "bgpfilter": "BGPFilter",
    "node": "Node",
    "ippool": "IPPool",
    "caliconodestatus": "CalicoNodeStatus",
    "workloadendpoint": "WorkloadEndpoint",
}
COLUMNS = {
    "BGPPeer": "ASN,NAME",
    "BGPConfiguration": "NAME,ASNUMBER",
    "BGPFilter": "NUMEXPORTV6,NAME",
    "Node": "NAME,ASN",
    "IPPool": "NAME,ASSIGNMENTMODE",
    "CalicoNodeStatus": "CLASSES",
    "WorkloadEndpoint": "NAMESPACE,NAME,ORCHESTRATOR",
}
TEMPLATE = '{range .items[*]}{.metadata.name}{"\\t"}{.spec}{"\\n"}{end}'


def objects(kind: str) -> list[dict[str, object]]:
    found = []
    for revision, (name, spec) in enumerate(STORED[kind], start=5):
        namespace = {"namespace": "shop"} if kind == "WorkloadEndpoint" else {}
        metadata = {
            "name": name,
            **namespace,
            "uid": f"uid-{revision}",
            "creationTimestamp": "2024-05-01T10:00:00Z",
        }
        value = {"kind": kind, "apiVersion": "projectcalico.org/v3", "metadata": metadata, "spec": spec}
        made = as_object(Stored(f"{RESOURCES}{PLURALS[kind]}/{name}", json.dumps(value).encode(), revision))
        assert isinstance(made, dict)
        found.append(made)
    return found


def listed(kind: str) -> Found:
    return Found(kind, tuple(objects(kind)), 42)


def shown(form: str, *found: Found, **surroundings: object) -> str:
    return parse_form(form)(found, Surroundings(**surroundings))  # type: ignore[arg-type]


def test_every_kind_is_recorded() -> None:
    assert set(STORED) == set(PLURALS) == set(ALIASES.values())


@pytest.mark.parametrize("alias", ALIASES)
@pytest.mark.parametrize("form", ["ps", "wide", "yaml", "json", "custom-columns", "jsonpath"])
def test_all_of_a_kind(alias: str, form: str, golden: Callable[[str, str], None]) -> None:
    kind = ALIASES[alias]
    values = {"custom-columns": f"custom-columns={COLUMNS[kind]}", "jsonpath": f"jsonpath={TEMPLATE}"}
    golden(f"golden/{alias}.{form}", shown(values.get(form, form), listed(kind)))


@pytest.mark.parametrize("form", ["ps", "yaml", "json"])
def test_one_by_name_is_the_object(form: str, golden: Callable[[str, str], None]) -> None:
    first, *_ = objects("BGPPeer")
    golden(f"golden/bgppeer-one.{form}", shown(form, Found("BGPPeer", (first,))))


@pytest.mark.parametrize("form", ["ps", "yaml", "json"])
def test_several_names_are_an_array_and_a_table_each(form: str, golden: Callable[[str, str], None]) -> None:
    first, second, _ = objects("BGPPeer")
    golden(f"golden/bgppeer-two.{form}", shown(form, Found("BGPPeer", (first,)), Found("BGPPeer", (second,))))


@pytest.mark.parametrize("form", ["ps", "yaml", "json"])
def test_none_of_a_kind_is_an_empty_list(form: str, golden: Callable[[str, str], None]) -> None:
    golden(f"golden/bgppeer-none.{form}", shown(form, Found("BGPPeer", (), 42)))


def test_tables_tell_the_namespace_when_it_was_asked_for(golden: Callable[[str, str], None]) -> None:
    golden("golden/workloadendpoint-namespaced.ps", shown("ps", listed("WorkloadEndpoint"), namespaces=True))
    # Kinds without namespaces have no such column, and columns that were chosen stay as they were.
    assert shown("ps", listed("Node"), namespaces=True) == shown("ps", listed("Node"))
    chosen = shown("custom-columns=NAME", listed("WorkloadEndpoint"), namespaces=True)
    assert chosen == shown("custom-columns=NAME", listed("WorkloadEndpoint"))


def test_a_node_without_an_as_number_has_the_clusters_in_parentheses() -> None:
    assert "node-1        (63400)   " in shown("wide", listed("Node"), global_as="63400")


def test_yaml_and_json_say_the_same() -> None:
    for kind in STORED:
        found = json.loads(shown("json", listed(kind)))
        assert yaml.safe_load(shown("yaml", listed(kind)).replace("Z'", "Z'")) == found
        assert shown("yml", listed(kind)) == shown("yaml", listed(kind))


def test_what_is_stored_is_shown_whatever_it_is() -> None:
    strange = {
        "spec": ["no object"],
        "metadata": "neither",
        "unknown": {"kept": True},
    }
    made = as_object(Stored("k", json.dumps(strange).encode(), 7))
    assert isinstance(made, dict)
    for kind in STORED:
        assert json.loads(shown("json", Found(kind, (made,)))) == strange
        for form in ("ps", "wide"):
            assert shown(form, Found(kind, (made,))).count("\n") == 3


@pytest.mark.parametrize("number", [64512, "64512", "0.64512"])
def test_an_as_number_is_decimal_however_it_is_stored(number: object) -> None:
    peer: dict[str, object] = {"metadata": {"name": "a"}, "spec": {"asNumber": number}}
    assert shown("custom-columns=ASN", Found("BGPPeer", (peer,))) == "ASN     \n64512   \n\n"


def test_an_as_number_that_is_none_is_shown_as_it_is() -> None:
    peer: dict[str, object] = {"metadata": {"name": "a"}, "spec": {"asNumber": "many"}}
    assert "many" in shown("ps", Found("BGPPeer", (peer,)))


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("xml", "unrecognized output format 'xml'; there are: ps, wide, yaml, json, custom-columns="),
        ("yaml=x", "unrecognized output format 'yaml=x'"),
        ("custom-columns=", "need to specify at least one column"),
        ("custom-columns", "need to specify at least one column"),
        (
            "go-template={{.}}",
            r"go-template would need Go's template engine; use jsonpath, .*-o jsonpath='{\.items",
        ),
        ("go-template-file=x", "go-template-file would need"),
        ("jsonpath=", "need to specify a template"),
        ("jsonpath={.a", r"the template has a brace that is not closed: {\.a"),
        ("jsonpath-file=", "need to specify a template file"),
        ("jsonpath-file=/does/not/exist", "/does/not/exist: No such file"),
    ],
)
def test_what_is_no_form_is_refused(form: str, message: str) -> None:
    with pytest.raises(click.UsageError, match=message):
        parse_form(form)


def test_what_is_no_column_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        click.UsageError, match=r"Unknown heading AS, valid values are: NAME, ASN, IPV4, IPV6$"
    ):
        shown("custom-columns=NAME,AS", listed("Node"))


def test_a_template_may_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "names"
    file.write_text("{.items[*].metadata.name}")
    assert shown(f"jsonpath-file={file}", listed("Node")) == "node-1 node-2 without-bgp"
    file.write_bytes(b"\xff")
    with pytest.raises(click.UsageError, match="byte 1 is not UTF-8"):
        parse_form(f"jsonpath-file={file}")
    file.write_text("{")
    with pytest.raises(click.UsageError, match=f"{file} has a brace that is not closed"):
        parse_form(f"jsonpath-file={file}")
