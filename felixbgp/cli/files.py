"""Resources from files: everything is read and checked before anything is done with it."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from felixbgp.cli.table import printable
from felixbgp.resources import AnyResource
from felixbgp.resources.documents import MAX_TEXT_CHARACTERS, Document, load_yaml_documents

_SUFFIXES = (".yaml", ".yml", ".json")
STANDARD_INPUT = "-"


def read_resources(names: Sequence[str]) -> list[AnyResource]:
    """All resources in the files, in order; `-` is standard input, a folder all its YAML and JSON files.

    Anything wrong anywhere ends the command with a line for each fault.
    """
    resources: list[AnyResource] = []
    faults: list[str] = []
    for name, text in texts(names):
        for document in load_yaml_documents(text):
            if document.resource is not None:
                resources.append(document.resource)
            faults += faults_of(name, document)
    if faults:
        raise click.ClickException("\n".join(faults))
    if not resources:
        raise click.ClickException(f"no resource in {', '.join(names)}")
    return resources


def faults_of(name: str, document: Document) -> Iterator[str]:
    """A line for each fault of a document."""
    for error in document.errors:
        yield printable(f"{name}: {document}: {error}")


def texts(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each file's name and text, in order; `-` is standard input, a folder all its YAML and JSON files."""
    if names.count(STANDARD_INPUT) > 1:
        raise click.UsageError("standard input can be read once")
    for name in names:
        if name == STANDARD_INPUT:
            yield "standard input", sys.stdin.read(MAX_TEXT_CHARACTERS + 1)
            continue
        for path in _files(Path(name)):
            yield str(path), _text(path)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(entry for entry in path.iterdir() if entry.suffix in _SUFFIXES and entry.is_file())


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            # One more than is accepted, so that a longer file is refused and not silently cut.
            return file.read(MAX_TEXT_CHARACTERS + 1)
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{path}: byte {error.start + 1} is not UTF-8") from error
