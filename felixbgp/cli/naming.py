"""What the verbs share that change one object named on the command line: `patch`, `label`, `annotate`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from felixbgp.cli.completion import complete_kind, complete_name
from felixbgp.cli.drafting import RefusedError, conflict, require_document
from felixbgp.cli.kinds import described, key_of, kind_of
from felixbgp.cli.options import etcd_settings
from felixbgp.cli.report import Report
from felixbgp.cli.store import Stored, run_with_store
from felixbgp.cli.table import printable
from felixbgp.cli.writing import Plan
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
    version: str | None = None
    """The resourceVersion that it must have."""

    @property
    def subject(self) -> str:
        """The object as it was named."""
        return described(self.key)

    def make(self, stored: Stored | None) -> Json:
        """The changed document. Raises `RefusedError`."""
        document = require_document(stored, self.key)
        if stored is not None and self.version not in (None, str(stored.revision)):
            raise RefusedError(conflict(self.key))
        return self.change(document)


def edit(write: Edit, given: Mapping[str, Any]) -> Report:
    """Change an object; tells how that went."""
    plan = Plan([write], dry_run=bool(given["dry_run"]))
    return run_with_store(etcd_settings(given), plan.run)


def key_of_object(kind: str, name: str, given: Mapping[str, Any]) -> ResourceKey:
    """The key of the object that KIND, NAME and --namespace name."""
    return key_of(kind_of(kind), name, given["namespace"])


def failure_of(report: Report) -> str:
    """Why the object was not changed, on one line; nothing when it was."""
    failure = report.broken_off or next((error for _, error in report.errors), "")
    unknown = "; it is not known whether the object was changed" if report.unknown else ""
    return printable(failure + unknown)


def tell_dry(report: Report) -> None:
    """What --dry-run found."""
    click.echo("".join(report.dry), nl=False)
    click.echo("nothing was written", err=True)
