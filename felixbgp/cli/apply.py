"""`felixbgp apply`: create resources, or update those that exist."""

from dataclasses import dataclass
from typing import Any

import click

from felixbgp.cli.drafting import RefusedError, conflict, new_document, updated_document
from felixbgp.cli.file_options import file_options
from felixbgp.cli.files import Given
from felixbgp.cli.options import etcd_options
from felixbgp.cli.outcome import Words
from felixbgp.cli.stating import FileWrite, read_files, write_files
from felixbgp.cli.store import Stored
from felixbgp.resources.editing import Json


@click.command()
@file_options
@etcd_options
def apply(files: tuple[str, ...], **given: Any) -> None:
    """Create resources, or update those that exist, from FILE.

    Everything is checked before anything is written. Of an object that exists the spec becomes that of FILE,
    labels and annotations are added (`felixbgp label … KEY-` removes one); all else stays.

    \b
    Examples:
      felixbgp apply -f rack1-tor.yaml
      cat peers/*.yaml | felixbgp apply -f -
      felixbgp apply -f manifests/ --recursive --dry-run
    """  # noqa: D301 - \b tells click not to wrap
    found = read_files(files, given)
    write_files(Words("apply", "applied"), [Application(one) for one in found], given)


@dataclass(frozen=True, slots=True)
class Application(FileWrite):
    """One object to create or to update."""

    given: Given

    def made(self, stored: Stored | None) -> Json:
        """The object as the file has it."""
        version = self.given.resource.metadata.resource_version
        if stored is None:
            # There is nothing to be in conflict with; calicoctl creates it as well.
            return new_document(self.given.resource)
        if version not in (None, str(stored.revision)):
            raise RefusedError(conflict(self.key))
        return self.updated(stored)

    def updated(self, stored: Stored) -> Json:
        """The stored object as the file has it."""
        return updated_document(self.given.resource, stored)
