"""`felixbgp replace`: update resources that exist."""

from dataclasses import dataclass
from typing import Any

import click

from felixbgp.cli.apply import Application
from felixbgp.cli.drafting import RefusedError, missing
from felixbgp.cli.file_options import file_options
from felixbgp.cli.options import etcd_options
from felixbgp.cli.outcome import Words
from felixbgp.cli.stating import read_files, write_files
from felixbgp.cli.store import Stored
from felixbgp.resources.editing import Json


@click.command()
@file_options
@etcd_options
def replace(files: tuple[str, ...], **given: Any) -> None:
    """Update resources that exist from FILE; one that does not exist is an error.

    With a resourceVersion in FILE the object is only replaced when nobody has written it since.

    \b
    Examples:
      felixbgp replace -f rack1-tor.yaml
      felixbgp replace -f - --dry-run < rack1-tor.yaml
    """  # noqa: D301 - \b tells click not to wrap
    found = read_files(files, given)
    write_files(Words("replace", "replaced"), [Replacement(one) for one in found], given)


@dataclass(frozen=True, slots=True)
class Replacement(Application):
    """One object to update."""

    def made(self, stored: Stored | None) -> Json:
        """The object as the file has it; refused where there is none."""
        if stored is None:
            raise RefusedError(missing(self.key))
        return Application.made(self, stored)
