"""Names of kinds."""

import click
import pytest

from felixbgp.cli.kinds import counted, described, key_of, kind_of, namespace_of
from felixbgp.resources import ResourceKey
from felixbgp.resources.keys import PLURALS


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("bgpPeers", "BGPPeer"),
        ("bp", "BGPPeer"),
        ("BGPCONFIG", "BGPConfiguration"),
        ("bfs", "BGPFilter"),
        ("pool", "IPPool"),
        ("no", "Node"),
        ("NodeStatuses", "CalicoNodeStatus"),
        ("weps", "WorkloadEndpoint"),
    ],
)
def test_aliases_of_calicoctl(text: str, kind: str) -> None:
    assert kind_of(text) == kind


def test_every_kind_and_its_plural_are_known() -> None:
    assert [kind_of(kind) for kind in PLURALS] == list(PLURALS)
    assert [kind_of(plural) for plural in PLURALS.values()] == list(PLURALS)


def test_what_is_no_kind_is_refused_with_those_there_are() -> None:
    with pytest.raises(click.UsageError, match=r"'pod' is not supported; there are: BGPConfiguration, BGPF"):
        kind_of("pod")


@pytest.mark.parametrize("name", ["", "A", "a/b", "../x", "a" * 254])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(click.UsageError, match="is not a name"):
        key_of("Node", name)


def test_only_some_kinds_have_namespaces() -> None:
    assert namespace_of("Node", None) is None
    assert namespace_of("WorkloadEndpoint", None) == "default"
    assert str(key_of("WorkloadEndpoint", "a", "shop")).endswith("/workloadendpoints/shop/a")
    with pytest.raises(click.UsageError, match=r"^Node is not namespaced$"):
        key_of("Node", "a", "shop")
    for wrong in ("Shop", "a/b", "a" * 64, ""):
        with pytest.raises(click.UsageError, match="is not a namespace"):
            namespace_of("WorkloadEndpoint", wrong)


def test_sentences() -> None:
    peers = [ResourceKey("BGPPeer", "a"), ResourceKey("BGPPeer", "b")]
    assert counted("applied", peers) == "Successfully applied 2 'BGPPeer' resource(s)"
    assert counted("deleted", [*peers, ResourceKey("Node", "n")]) == "Successfully deleted 3 resource(s)"
    assert described(peers[0]) == "BGPPeer(a)"
    assert described(ResourceKey("WorkloadEndpoint", "a", "shop")) == "WorkloadEndpoint(shop/a)"
