"""`felixbgp plan`: what a change would do to every node's sessions and routes, before it is made."""

# ruff: noqa: D301 - click wants the character \b itself: "leave this paragraph's lines as they are"

import importlib
import io
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import Any, TypeVar

import click

from felixbgp.cli.file_options import NOTHING
from felixbgp.cli.plan_report import FORMS, Planned, printed
from felixbgp.cli.rehearsal import RehearsedStore
from felixbgp.cli.store import REHEARSAL, Store, StoreError
from felixbgp.cli.table import some
from felixbgp.cluster.demands import WORKLOAD_ENDPOINTS
from felixbgp.cluster.drains import DRAINS
from felixbgp.cluster.inputs import StoredValue
from felixbgp.cluster.state import required_prefixes
from felixbgp.intent.types import Problem
from felixbgp.net import Address, AddressError, Prefix, PrefixError
from felixbgp.plan.outcome import Outcome, Presence
from felixbgp.plan.planning import plan as planned
from felixbgp.runtime.etcd.client import EtcdClient
from felixbgp.status.keys import NODES, alive_key

Result = TypeVar("Result")

EXIT_LOSES = 3
"""Some node is left without a route that it has now."""
EXIT_REFUSED = 4
"""More nodes are affected than --max-affected allows."""
LEAVES = Presence.LEAVES
NAMED_MAX = 5
"""Nodes without an agent that are named, and routers."""
NOTES_MAX = 10
"""Of one kind; a cluster of 1,000 nodes may have as many that are invalid."""
VERBS = ("apply", "create", "replace", "patch", "label", "annotate", "delete")
DEFAULT_VERB = "apply"
_NEEDS_ENDPOINTS = b"localWorkloadSelector"
"""A BGPPeer has this field by which workloads become peers; else nobody reads the endpoints of all nodes."""


@dataclass(slots=True)
class Reading:
    """Lets a verb do its work on a store of its own, and reads what the prediction needs."""

    values: list[StoredValue] = field(default_factory=list)
    changed: dict[str, bytes | None] = field(default_factory=dict)
    alive: frozenset[str] | None = None
    """The keys of the agents that run; None where they may not be read."""
    revision: int = 0
    notes: list[str] = field(default_factory=list)

    async def run(self, client: EtcdClient, work: Callable[[Store], Awaitable[Result]]) -> Result:
        """Run the work of a verb. Raises `StoreError`."""
        store = RehearsedStore(client)
        await store.pin()
        result = await work(store)
        self.changed, self.revision = store.changed, store.revision
        for prefix in required_prefixes():
            await self._read(store, prefix)
        everything = [*(one.value for one in self.values), *filter(None, self.changed.values())]
        if any(_NEEDS_ENDPOINTS in value for value in everything):
            await self._read(store, WORKLOAD_ENDPOINTS)
        try:
            await self._read(store, DRAINS)
            self.alive = frozenset(await store.keys(NODES))
        except StoreError as error:
            self.notes.append(f"drains and agents are not known: {error.message}")
        return result

    async def _read(self, store: RehearsedStore, prefix: str) -> None:
        self.values += [StoredValue(*one) for one in await store.before(prefix)]


class PlanGroup(click.Group):
    """The verbs that write, each as a plan; `plan -f FILE` is `plan apply -f FILE`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Those verbs."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """One of them, loaded when it is called."""
        if cmd_name not in VERBS:
            return None
        verb = getattr(importlib.import_module(f"felixbgp.cli.{cmd_name}"), cmd_name)
        return _as_plan(cmd_name, verb)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Without a verb, and with flags, it is `apply`."""
        if args and args[0].startswith("-") and args[0] not in ("-h", "--help"):
            args = [DEFAULT_VERB, *args]
        return super().parse_args(ctx, args)


@click.group(cls=PlanGroup)
def plan() -> None:
    """Say what a change would do to every node, before it is made; nothing is written.

    Takes what the verbs take: `plan -f FILE` (as apply), or `plan VERB …`. Sessions that are kept, changed in
    place, reset, added and removed; prefixes gained, lost, moved to other next hops, and left without a path.

    Exit status: 0 nothing is lost, 3 a node loses a route, 4 more nodes are affected than --max-affected.

    \b
    Examples:
      felixbgp plan -f no-mesh.yaml
      felixbgp plan patch bgpconfiguration default -p '{"spec": {"nodeToNodeMeshEnabled": false}}'
      felixbgp plan delete bgppeer rack1-tor --max-affected 0 -o json
    """


def _as_plan(name: str, verb: click.Command) -> click.Command:
    """A verb that plans what it would do: its own parameters, but for --dry-run, and those of a plan."""
    own = [one for one in verb.params if one.name != "dry_run"]
    return click.Command(
        name,
        callback=lambda **given: _run(verb, given),
        params=[*own, *_plan_params()],
        help=f"Plan what `felixbgp {name}` would do.\n\n\b\nExample:\n  felixbgp plan {name} --help",
        short_help=f"Plan what `felixbgp {name}` would do.",
    )


def _plan_params() -> list[click.Parameter]:
    return [
        click.Option(
            ["-o", "--output", "form"],
            type=click.Choice(FORMS),
            default="table",
            show_default=True,
            help="Form of the plan; wide names every prefix and session that changes.",
        ),
        click.Option(
            ["--max-affected"],
            type=click.IntRange(0),
            metavar="N",
            help="End with 4 when more than N nodes have other sessions or routes.",
        ),
        click.Option(
            ["--announces"],
            multiple=True,
            metavar="ADDRESS=PREFIX[,PREFIX…]",
            help="What a router that is no node announces; the default route unless said. May be repeated.",
        ),
    ]


def _run(verb: click.Command, given: dict[str, Any]) -> None:
    form, most = given.pop("form"), given.pop("max_affected")
    announced = parse_announced(given.pop("announces"))
    reading = Reading()
    context = click.get_current_context()
    context.meta[REHEARSAL] = reading
    with redirect_stdout(io.StringIO()):  # What it says was done was done to no store.
        context.invoke(verb, **given, dry_run=False)
    if not reading.revision:
        click.echo(NOTHING)
        return
    outcome = planned(reading.values, reading.changed, announced)
    _require_outsiders(announced, outcome.outside)
    notes = tuple(notes_of(outcome, announced, reading.alive, reading.notes))
    click.echo(printed(Planned(outcome, reading.revision, reading.changed, notes), form), nl=False)
    if most is not None and outcome.affected > most:
        click.echo(f"error: {outcome.affected} nodes are affected, more than {most}", err=True)
        context.exit(EXIT_REFUSED)
    if outcome.loses:
        context.exit(EXIT_LOSES)


def parse_announced(texts: Sequence[str]) -> dict[Address, tuple[Prefix, ...]]:
    """What routers announce, of `ADDRESS=PREFIX,PREFIX` each. Raises `click.UsageError`."""
    found: dict[Address, tuple[Prefix, ...]] = {}
    for text in texts:
        address, equals, prefixes = text.partition("=")
        if not equals:
            raise click.UsageError(f"{text!r} is not ADDRESS=PREFIX[,PREFIX…]")
        try:
            key = Address.parse(address)
            found[key] = (*found.get(key, ()), *map(Prefix.parse, filter(None, prefixes.split(","))))
        except (AddressError, PrefixError) as error:
            raise click.UsageError(f"{text!r}: {error}") from error
    return found


def _require_outsiders(announced: Iterable[Address], outside: Collection[str]) -> None:
    """Raise `click.UsageError` for an address that is not one of a router beside the cluster."""
    unknown = [str(address) for address in announced if str(address) not in outside]
    if unknown:
        there = some(outside, NAMED_MAX) or "there are none"
        raise click.UsageError(
            f"--announces: {some(unknown, NAMED_MAX)}: not among the peers that are no nodes ({there})"
        )


def notes_of(
    outcome: Outcome,
    announced: Collection[Address],
    alive: Collection[str] | None,
    faults: Iterable[str] = (),
) -> Iterator[str]:
    """What was assumed, and what could not be known."""
    yield from faults
    for name in outcome.outside:
        known = "as --announces says" if Address.parse(name) in announced else "the default route"
        yield f"{name} is no node: taken to announce {known}, and to be configured as its sessions are now"
    if alive is not None:
        staying = (name for name, node in outcome.nodes.items() if node.presence is not LEAVES)
        dead = [name for name in staying if alive_key(name) not in alive]
        if dead:
            yield f"no agent runs on {some(dead, NAMED_MAX)}: predicted as if one did"
    yield from _limited([f"{key} counts as absent: {reason}" for key, reason in outcome.invalid.items()])
    yield from _limited(_problems(outcome.problems))
    for prefix in outcome.unsettled:
        yield f"{prefix}: the policies allow no choice that stays, so that nothing is said of it"


def _problems(problems: Iterable[Problem]) -> list[str]:
    """Each object that is to be mended once, with the first of what is wrong with it."""
    found: dict[tuple[str, str], list[str]] = {}
    for problem in problems:
        found.setdefault((problem.subject, problem.field), []).append(problem.reason)
    return [
        ": ".join(filter(None, (subject, where, first))) + (f" (and {len(more)} more)" if more else "")
        for (subject, where), (first, *more) in found.items()
    ]


def _limited(notes: Sequence[str]) -> Iterator[str]:
    """The first of them, and how many there are besides."""
    yield from notes[:NOTES_MAX]
    if len(notes) > NOTES_MAX:
        yield f"and {len(notes) - NOTES_MAX} more of this kind"
