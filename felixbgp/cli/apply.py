"""`felixbgp apply`: create resources, or update those that exist."""

from dataclasses import dataclass
from typing import Any

import click

from felixbgp.cli.files import Given, read_given
from felixbgp.cli.options import etcd_options
from felixbgp.cli.outcome import Words
from felixbgp.cli.stating import FileWrite, file_options, in_namespace, write_files
from felixbgp.cli.store import Stored
from felixbgp.cli.writing import RefusedError, conflict, new_document, updated_document
from felixbgp.resources.editing import Json


@click.command()
@file_options
@etcd_options
def apply(files: tuple[str, ...], **given: Any) -> None:
    """Create resources, or update those that exist, from FILE.

    Everything is checked before anything is written. Of an object that exists, spec, labels and annotations
    become those of FILE; all else stays.

    \b
    Examples:
      felixbgp apply -f rack1-tor.yaml
      cat peers/*.yaml | felixbgp apply -f -
      felixbgp apply -f manifests/ --recursive --dry-run
    """  # noqa: D301 - \b tells click not to wrap
    found = in_namespace(read_given(files, recursive=given["recursive"]), given["namespace"])
    write_files(Words("apply", "applied"), [Application(one) for one in found], given)


@dataclass(frozen=True, slots=True)
class Application(FileWrite):
    """One object to create or to update."""

    given: Given

    def made(self, stored: Stored | None) -> Json:
        """The object as the file has it."""
        version = self.given.resource.metadata.resource_version
        if version is not None and (stored is None or str(stored.revision) != version):
            raise RefusedError(conflict(self.key))
        return new_document(self.given.resource) if stored is None else self.updated(stored)

    def updated(self, stored: Stored) -> Json:
        """The stored object as the file has it."""
        return updated_document(self.given.resource, stored)
