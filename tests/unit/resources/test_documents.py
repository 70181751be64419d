"""Files of resources as people write them."""

import pytest

from felixbgp.net import Prefix
from felixbgp.resources import BgpFilter, BgpPeer, Node
from felixbgp.resources.bgp_filter import FilterAction, FilterSource, MatchOperator
from felixbgp.resources.decode import MODELS
from felixbgp.resources.documents import load_yaml_documents
from felixbgp.resources.yaml_text import MAX_DEPTH, MAX_TEXT_CHARACTERS

SEED = """\
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
    - action: Reject
      interface: '*.calico'
  importV4:
    - action: Reject
      matchOperator: NotIn
      cidr: 44.0.0.0/16
  exportV6:
    - action: Reject
      source: RemotePeers
    - action: Reject
      interface: '*.calico'
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
    - first-bgp-filter
    - second-bgp-filter
"""


def test_the_examples_of_the_documentation_load_as_they_stand() -> None:
    documents = load_yaml_documents(SEED)
    assert [(d.number, d.line, d.errors) for d in documents] == [(1, 1, ()), (2, 10, ()), (3, 38, ())]
    tor, bgp_filter, filtered = (document.resource for document in documents)
    assert isinstance(tor, BgpPeer)
    assert tor.spec.node_selector is not None
    assert tor.spec.node_selector.matches({"rack": "rack-1"})
    assert isinstance(bgp_filter, BgpFilter)
    first, second, third = bgp_filter.spec.export_v4
    assert (first.action, first.match_operator, first.cidr) == (
        FilterAction.ACCEPT,
        MatchOperator.IN,
        Prefix.parse("77.0.0.0/16"),
    )
    assert second.source is FilterSource.REMOTE_PEERS
    assert third.interface == "*.calico"
    assert bgp_filter.spec.import_v6[0].cidr == Prefix.parse("5000::/64")
    assert isinstance(filtered, BgpPeer)
    assert filtered.spec.filters == ("first-bgp-filter", "second-bgp-filter")


def test_lists_are_opened_and_each_item_has_its_line() -> None:
    text = """\
kind: List
apiVersion: v1
items:
- {kind: Node, apiVersion: projectcalico.org/v3, metadata: {name: a}}
- kind: Node
  apiVersion: projectcalico.org/v3
  metadata: {name: b}
  spec: {colour: red}
---
{"kind": "NodeList", "items": [
  {"kind": "Node", "apiVersion": "projectcalico.org/v3", "metadata": {"name": "c"}}]}
---
kind: NodeList
items: {}
"""
    found = [
        (d.number, d.line, d.resource and d.resource.name, list(map(str, d.errors)))
        for d in load_yaml_documents(text)
    ]
    assert found == [
        (1, 4, "a", []),
        (1, 5, None, ["spec.colour: is not a field this resource has"]),
        (2, 11, "c", []),
        (3, 13, None, ["items: is not a list"]),
    ]
    assert str(load_yaml_documents(text)[1]) == "document 1 (line 5)"


def test_empty_documents_are_skipped() -> None:
    assert load_yaml_documents("") == []
    assert load_yaml_documents("---\n# nothing\n---\n\n---\nnull\n") == []


def test_scalars_are_those_of_json() -> None:
    text = """\
kind: Node
apiVersion: projectcalico.org/v3
metadata:
  name: no
  annotations: {b: 12:30}
  creationTimestamp: 2024-05-01T10:00:00Z
  labels: {a: "1", c: yes, d: 0x10, e: '2'}
spec:
  bgp: {asNumber: 64512, ipv4Address: ~}
"""
    (document,) = load_yaml_documents(text)
    node = document.resource
    assert isinstance(node, Node), document
    assert node.name == "no"
    assert node.metadata.creation_timestamp == "2024-05-01T10:00:00Z"
    assert node.labels == {"a": "1", "c": "yes", "d": "0x10", "e": "2"}
    assert node.metadata.annotations == {"b": "12:30"}
    assert node.spec.bgp is not None
    assert node.spec.bgp.as_number == 64512
    assert node.spec.bgp.ipv4_address is None


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("a: \x00", 1, "is not YAML: it has a character that YAML does not allow"),
        ("a: *nothing", 1, "is not YAML: found undefined alias 'nothing'"),
        ("kind: Node\nkind: Node\n", 2, 'has the field "kind" twice'),
        ("? [a]\n: b\n", 1, "has a field whose name is no text"),
        ("&a [*a]", 1, f"has more than {MAX_DEPTH} objects and lists inside each other"),
        ("- a", 1, "is not an object"),
        ("just words", 1, "is not an object"),
        ("{kind: Pod}", 1, f'kind: "Pod" is not one of {", ".join(MODELS)}'),
        (" " * (MAX_TEXT_CHARACTERS + 1), 1, f"is longer than {MAX_TEXT_CHARACTERS} characters"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_cannot_be_read(text: str, line: int, sentence: str) -> None:
    (document,) = load_yaml_documents(text)
    assert (document.line, [str(error) for error in document.errors]) == (line, [sentence])


def test_a_text_that_unfolds_without_end_is_stopped() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    (document,) = load_yaml_documents("\n".join(lines))
    (error,) = document.errors
    assert "unfolds to more than" in error.reason


def test_what_was_read_before_an_unreadable_document_is_kept() -> None:
    text = "kind: Node\napiVersion: projectcalico.org/v3\nmetadata: {name: a}\n---\na: b: c\n"
    first, second = load_yaml_documents(text)
    assert first.resource is not None
    assert (second.number, second.line) == (2, 5)


def test_deep_text_is_refused() -> None:
    (document,) = load_yaml_documents("[" * 5000)
    assert document.errors
