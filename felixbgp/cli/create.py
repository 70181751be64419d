"""`felixbgp create`: write resources that do not exist yet."""

from dataclasses import dataclass
from typing import Any

import click

from felixbgp.cli.drafting import RefusedError, Skipped, new_document
from felixbgp.cli.file_options import file_options
from felixbgp.cli.files import Given
from felixbgp.cli.kinds import described
from felixbgp.cli.options import etcd_options
from felixbgp.cli.outcome import Words
from felixbgp.cli.stating import FileWrite, read_files, write_files
from felixbgp.cli.store import Stored
from felixbgp.resources.editing import Json


@click.command()
@file_options
@click.option("--skip-exists", is_flag=True, help="Leave alone, and count as done, what exists already.")
@etcd_options
def create(files: tuple[str, ...], skip_exists: bool, **given: Any) -> None:
    """Create resources from FILE; one that exists already is an error.

    Nothing is written while anything in FILE is wrong. One that exists already keeps no other from being
    created.

    \b
    Examples:
      felixbgp create -f rack1-tor.yaml
      cat peers/*.yaml | felixbgp create -f - --dry-run
    """  # noqa: D301 - \b tells click not to wrap
    found = read_files(files, given)
    write_files(
        Words("create", "created", "of them existed already"),
        [Creation(one, skip_exists) for one in found],
        given,
    )


@dataclass(frozen=True, slots=True)
class Creation(FileWrite):
    """One object to create."""

    given: Given
    skip_exists: bool = False

    def made(self, stored: Stored | None) -> Json:
        """The new object; refused where there is one."""
        if stored is not None:
            if self.skip_exists:
                raise Skipped
            raise RefusedError(f"resource already exists: {described(self.key)}")
        if self.given.resource.metadata.resource_version is not None:
            raise RefusedError(
                f"{described(self.key)}: resourceVersion must not be set when an object is created"
            )
        return new_document(self.given.resource)
