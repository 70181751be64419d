"""What the verbs share that write objects as files state them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from felixbgp.cli.files import Given
from felixbgp.cli.kinds import described, namespace_of
from felixbgp.cli.options import etcd_settings
from felixbgp.cli.outcome import Words, tell
from felixbgp.cli.store import Stored, run_with_store
from felixbgp.cli.writing import InvalidError, Plan, document_of
from felixbgp.resources import ResourceKey
from felixbgp.resources.editing import Json, validate_edited

AnyCallable = TypeVar("AnyCallable", bound=Callable[..., Any])


def file_options(command: AnyCallable) -> AnyCallable:
    """The flags that say which files, and what to do with them."""
    for option in (
        click.option("--dry-run", is_flag=True, help="Print what would be written, and write nothing."),
        click.option("-n", "--namespace", metavar="NAME", help="Namespace of objects that name none."),
        click.option("-R", "--recursive", is_flag=True, help="Look into the folders of a folder too."),
        click.option(
            "-f",
            "--filename",
            "files",
            multiple=True,
            required=True,
            metavar="FILE",
            help="YAML or JSON file, folder of such files, or - for standard input. May be repeated.",
        ),
    ):
        command = option(command)
    return command


class FileWrite(ABC):
    """An object of a file on its way to the store."""

    __slots__ = ()

    given: Given

    @property
    def key(self) -> ResourceKey:
        """Where it is stored."""
        return self.given.resource.key

    def make(self, stored: Stored | None) -> Json:
        """The document to store, of what is stored now. Raises `RefusedError` and `Skipped`."""
        document = self.made(stored)
        self._refuse_unknown(stored)
        return document

    @abstractmethod
    def made(self, stored: Stored | None) -> Json:
        """The same, where fields that we do not know are let pass."""

    def _refuse_unknown(self, stored: Stored | None) -> None:
        """A field that we do not know may come back as it is stored; given anew it is a mistake."""
        if not self.given.unknown:
            return
        before = {} if stored is None else document_of(stored)
        checked = validate_edited(self.given.document, {} if isinstance(before, list) else before)
        wrong = {error.field for error in checked} if isinstance(checked, list) else set()
        faults = [error for error in self.given.unknown if error.field in wrong]
        if faults:
            raise InvalidError([f"{self.given.place}: {described(self.key)}: {error}" for error in faults])


def write_files(words: Words, writes: Sequence[FileWrite], given: Mapping[str, Any]) -> None:
    """Write all, and tell what came of it."""
    dry_run = bool(given["dry_run"])
    plan = Plan(writes, dry_run=dry_run)
    report = run_with_store(etcd_settings(given), plan.run)
    tell(words, [write.key for write in writes], report, dry_run=dry_run)


def in_namespace(given: Sequence[Given], name: str | None) -> list[Given]:
    """The same objects, in the namespace of the flag where they are of a kind that has one and name none."""
    if name is None:
        return list(given)
    moved = []
    for one in given:
        resource = one.resource
        namespace_of(resource.kind, name)
        own = resource.metadata.namespace
        if own not in (None, name):
            raise click.UsageError(f"resource namespace does not match client namespace. {own} != {name}")
        metadata = resource.metadata.model_copy(update={"namespace": name})
        moved.append(one._replace(resource=resource.model_copy(update={"metadata": metadata})))
    return moved
