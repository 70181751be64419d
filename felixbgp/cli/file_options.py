"""The flags of the verbs that read files."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

AnyCallable = TypeVar("AnyCallable", bound=Callable[..., Any])

NOTHING = "No resources specified"
"""Calicoctl's words when empty files were asked to be skipped, and there was nothing else."""


def folder_options(command: AnyCallable) -> AnyCallable:
    """The flags that say what of the files is taken, and how much is told."""
    for option in (
        click.option("-v", "--verbose", is_flag=True, help="Name every object."),
        click.option("-n", "--namespace", metavar="NAME", help="Namespace of objects that name none."),
        click.option("--skip-empty", is_flag=True, help="A file or folder without objects is no error."),
        click.option("-R", "--recursive", is_flag=True, help="Look into the folders of a folder too."),
    ):
        command = option(command)
    return command


def file_options(command: AnyCallable) -> AnyCallable:
    """The flags that say which files, and what to do with them."""
    command = folder_options(
        click.option("--dry-run", is_flag=True, help="Print what would be written, and write nothing.")(
            command
        )
    )
    return click.option(
        "-f",
        "--filename",
        "files",
        multiple=True,
        required=True,
        metavar="FILE",
        help="YAML or JSON file, folder of such files, or - for standard input. May be repeated.",
    )(command)
