"""What the verbs share that write objects as files state them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import click

from felixbgp.cli.drafting import InvalidError, document_of
from felixbgp.cli.file_options import NOTHING
from felixbgp.cli.files import Given, read_given
from felixbgp.cli.kinds import described
from felixbgp.cli.options import etcd_settings
from felixbgp.cli.outcome import Words, tell, told_when_broken_off
from felixbgp.cli.store import Stored, run_with_store
from felixbgp.cli.writing import Plan
from felixbgp.resources import ResourceKey
from felixbgp.resources.base import is_namespace
from felixbgp.resources.editing import Json, validate_edited


class FileWrite(ABC):
    """An object of a file on its way to the store."""

    __slots__ = ()

    given: Given

    @property
    def key(self) -> ResourceKey:
        """Where it is stored."""
        return self.given.resource.key

    @property
    def subject(self) -> str:
        """File, document, line, and the object itself."""
        return f"{self.given.place}: {described(self.key)}"

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
            raise InvalidError([f"{self.subject}: {error}" for error in faults])


def write_files(words: Words, writes: Sequence[FileWrite], given: Mapping[str, Any]) -> None:
    """Write all, and tell what came of it."""
    if not writes:
        click.echo(NOTHING)
        return
    plan = Plan(writes, dry_run=bool(given["dry_run"]))
    keys = [write.key for write in writes]
    settings = etcd_settings(given)
    with told_when_broken_off(words, keys, plan.report, verbose=bool(given["verbose"])):
        run_with_store(settings, plan.run)
    tell(words, keys, plan.report, dry_run=bool(given["dry_run"]), verbose=bool(given["verbose"]))


def read_files(files: Sequence[str], given: Mapping[str, Any]) -> list[Given]:
    """The objects in the files, as the flags of `file_options` say. Raises `click.ClickException`."""
    namespace = given["namespace"]
    if namespace is not None and not is_namespace(namespace):
        raise click.UsageError(f"{namespace!r} is not a namespace (lower case letters, digits and '-')")
    return read_given(
        files,
        recursive=bool(given["recursive"]),
        skip_empty=bool(given["skip_empty"]),
        namespace=namespace,
    )
