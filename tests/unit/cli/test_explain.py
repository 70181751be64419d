"""`felixbgp explain`: whom it asks, and of what."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from click.testing import CliRunner

from felixbgp.cli import explain as command
from felixbgp.cli.explain_report import NodeAnswer
from felixbgp.cli.main import cli
from felixbgp.cli.node_report import NodeReport
from felixbgp.cli.store import Store, Stored
from felixbgp.net import Prefix
from felixbgp.runtime.settings import TlsFiles
from felixbgp.status.explanation import (
    ExplainedKernel,
    ExplainedPath,
    Explanation,
    KernelOutcome,
    PathOutcome,
)
from felixbgp.status.keys import alive_key

BLOCK = "10.65.0.128/26"
TLS = TlsFiles(Path("c"), Path("k"), Path("a"))
SELECTED = ExplainedPath(outcome=PathOutcome.SELECTED)


class OneNode:
    """A store with one node in it, and its agent, which knows some prefixes."""

    def __init__(self, *known: str) -> None:
        self.known = known
        self.asked: list[str] = []
        self.names: Sequence[str] = ("a",)

    async def list(self, _prefix: str) -> list[Stored]:
        return [Stored(alive_key(name), b"{}", 1) for name in self.names]

    async def ask(self, report: NodeReport, prefix: Prefix, tls: TlsFiles, _seconds: float) -> NodeAnswer:
        assert (report.node, tls) == ("a", TLS)
        self.asked.append(str(prefix))
        is_known = str(prefix) in self.known
        return NodeAnswer("a", explanation(prefix, [SELECTED] if is_known else [], "" if is_known else BLOCK))


def explanation(prefix: Prefix, paths: Sequence[ExplainedPath], covering: str) -> Explanation:
    return Explanation(
        node="a",
        version="1",
        prefix=str(prefix),
        datastore="InSync",
        revision=1,
        paths=tuple(paths),
        sessions=(),
        kernel=ExplainedKernel(outcome=KernelOutcome.NOT_WANTED),
        covering=covering,
    )


@pytest.mark.parametrize(
    ("known", "is_address", "asked"),
    [
        pytest.param([BLOCK], True, ["10.65.0.130/32", BLOCK], id="an address inside a block"),
        pytest.param([BLOCK, "10.65.0.130/32"], True, ["10.65.0.130/32"], id="an address with a route"),
        pytest.param([BLOCK], False, ["10.65.0.130/32"], id="a prefix that is asked for as such"),
    ],
)
@pytest.mark.trio
async def test_an_address_is_explained_by_what_it_is_routed_by(
    monkeypatch: pytest.MonkeyPatch, known: Sequence[str], is_address: bool, asked: Sequence[str]
) -> None:
    node = OneNode(*known)
    monkeypatch.setattr(command, "_ask", node.ask)
    prefix = Prefix.parse("10.65.0.130")
    [answer] = await command._explain(prefix, None, TLS, 1, cast("Store", node), is_address=is_address)
    assert node.asked == asked
    assert answer.explanation is not None
    assert answer.explanation.prefix == asked[-1]


@pytest.mark.trio
async def test_each_node_says_what_it_routes_an_address_by(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a workload's node, which has a route to it alone, and the others, which have the block."""
    owner, other = OneNode("10.65.0.130/32", BLOCK), OneNode(BLOCK)

    async def ask(report: NodeReport, prefix: Prefix, tls: TlsFiles, seconds: float) -> NodeAnswer:
        node = owner if report.node == "a" else other
        return replace(await node.ask(replace(report, node="a"), prefix, tls, seconds), node=report.node)

    monkeypatch.setattr(command, "_ask", ask)
    owner.names = ("a", "b")
    prefix = Prefix.parse("10.65.0.130")
    found = await command._explain(prefix, None, TLS, 1, cast("Store", owner), is_address=True)
    prefixes = [(one.node, one.explanation and one.explanation.prefix) for one in found]
    assert prefixes == [("a", "10.65.0.130/32"), ("b", BLOCK)]


def test_without_a_certificate_it_is_said_what_to_give_and_what_agents_need() -> None:
    environment = {"ETCD_ENDPOINTS": "http://127.0.0.1:1", "HOME": "/nonexistent", "XDG_CONFIG_HOME": None}
    result = CliRunner().invoke(cli, ["explain", "10.0.0.0/8"], env=environment)
    assert result.exit_code == 1
    assert "agents answer nobody without a certificate" in result.output
    for named in ("--status-cert-file", "--status-key-file", "--status-ca-cert-file", "status.address"):
        assert named in result.output
    place = Path(__file__).parents[3] / "docs/use.md"
    assert "docs/use.md, Ask the agents" in result.output
    assert "\n## Ask the agents\n" in place.read_text()
