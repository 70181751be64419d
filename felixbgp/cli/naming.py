"""What the verbs share that change one object named on the command line: `patch`, `label`, `annotate`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from felixbgp.cli.completion import complete_kind, complete_name
from felixbgp.cli.kinds import key_of, kind_of
from felixbgp.cli.options import etcd_settings
from felixbgp.cli.store import Stored, run_with_store
from felixbgp.cli.writing import Plan, Report, require_document
from felixbgp.resources import ResourceKey
from felixbgp.resources.editing import Json

AnyCallable = TypeVar("AnyCallable", bound=Callable[..., Any])


def object_arguments(command: AnyCallable) -> AnyCallable:
    """KIND and NAME, the namespace, and --dry-run."""
    for parameter in (
        click.option("--dry-run", is_flag=True, help="Print what would be written, and write nothing."),
        click.option(
            "-n", "--namespace", metavar="NAME", help="The object's namespace, where its kind has them."
        ),
        click.argument("name", shell_complete=complete_name),
        click.argument("kind", shell_complete=complete_kind),
    ):
        command = parameter(command)
    return command


@dataclass(frozen=True, slots=True)
class Edit:
    """A change to one object that exists; everything that it does not say stays."""

    key: ResourceKey
    change: Callable[[Json], Json]
    """Makes the new document of the stored one; may raise `RefusedError`."""

    def make(self, stored: Stored | None) -> Json:
        """The changed document."""
        return self.change(require_document(stored, self.key))


def edit(
    kind: str, name: str, change: Callable[[Json], Json], given: Mapping[str, Any]
) -> tuple[ResourceKey, Report]:
    """Change an object; gives its key and how that went."""
    key = key_of(kind_of(kind), name, given["namespace"])
    plan = Plan([Edit(key, change)], dry_run=bool(given["dry_run"]))
    return key, run_with_store(etcd_settings(given), plan.run)
