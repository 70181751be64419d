"""Resources from files: everything is read and checked before anything is done with it."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from felixbgp.cli.kinds import described
from felixbgp.cli.table import printable
from felixbgp.resources import AnyResource, FieldError, ResourceKey
from felixbgp.resources.decode import MODELS, read_known
from felixbgp.resources.documents import (
    MAX_TEXT_CHARACTERS,
    Document,
    PlainDocument,
    load_plain_documents,
    validated_document,
)
from felixbgp.resources.schema import unknown_fields

_SUFFIXES = (".yaml", ".yml", ".json")
STANDARD_INPUT = "-"


class Given(NamedTuple):
    """One object of a file: where it stands, the resource, and the fields we do not know as faults.

    What a newer Calico wrote and somebody edited may come back with such fields: a verb that writes accepts
    them where the stored object has the very same, and refuses them otherwise.
    """

    place: str
    resource: AnyResource
    document: dict[str, object]
    unknown: tuple[FieldError, ...] = ()


def read_resources(names: Sequence[str], *, recursive: bool = False) -> list[AnyResource]:
    """All resources in the files, in order; `-` is standard input, a folder all its YAML and JSON files.

    Anything wrong anywhere, a field that is not known too, ends the command with a line for each fault.
    """
    given = read_given(names, recursive=recursive)
    faults = [fault for one in given for fault in unknown_faults(one)]
    if faults:
        raise click.ClickException("\n".join(faults))
    return [one.resource for one in given]


def read_given(names: Sequence[str], *, recursive: bool = False, skip_empty: bool = False) -> list[Given]:
    """The same, with the fields that we do not know left to whoever looks at what is stored.

    With `skip_empty` it is no fault that there is nothing in the files.
    """
    found: list[Given] = []
    faults: list[str] = []
    for name, text in texts(names, recursive=recursive):
        for plain in load_plain_documents(text):
            document = validated_document(plain)
            if document.resource is not None and isinstance(plain.value, dict):
                found.append(Given(f"{name}: {document}", document.resource, plain.value))
            elif (known := _known_part(name, plain)) is not None:
                found.append(known)
            else:
                faults += faults_of(name, document)
    if faults:
        raise click.ClickException("\n".join(faults))
    if not found and not skip_empty:
        raise click.ClickException(f"no resource in {', '.join(names)}")
    return found


def faults_of(name: str, document: Document) -> Iterator[str]:
    """A line for each fault of a document, with the object's name as far as it has one."""
    subject = f" {document.subject}:" if document.subject else ""
    for error in document.errors:
        yield printable(f"{name}: {document}:{subject} {error}")


def unknown_faults(given: Given) -> Iterator[str]:
    """A line for each field that is not known."""
    for error in given.unknown:
        yield printable(f"{given.place}: {described(given.resource.key)}: {error}")


def key_of_given(given: Given) -> ResourceKey:
    """Where the object is stored."""
    return given.resource.key


def texts(names: Sequence[str], *, recursive: bool = False) -> Iterator[tuple[str, str]]:
    """Each file's name and text, in order; `-` is standard input, a folder all its YAML and JSON files."""
    if names.count(STANDARD_INPUT) > 1:
        raise click.UsageError("standard input can be read once")
    for name in names:
        if name == STANDARD_INPUT:
            yield "standard input", sys.stdin.read(MAX_TEXT_CHARACTERS + 1)
            continue
        for path in _files(Path(name), recursive=recursive):
            yield str(path), _text(path)


def _known_part(name: str, plain: PlainDocument) -> Given | None:
    """The object without the fields that we do not know; None when something else is wrong with it."""
    if not isinstance(plain.value, dict):
        return None
    model = MODELS.get(str(plain.value.get("kind")))
    unknown = [] if model is None else list(unknown_fields(model, plain.value))
    if model is None or not unknown:
        return None
    resource, unread = read_known(model, plain.value, unknown)
    document = validated_document(plain)
    if isinstance(resource, list) or unread:
        return None
    return Given(f"{name}: {document}", resource, plain.value, document.errors)


def _files(path: Path, *, recursive: bool) -> list[Path]:
    if not path.is_dir():
        return [path]
    entries = path.rglob("*") if recursive else path.iterdir()
    return sorted(entry for entry in entries if entry.suffix in _SUFFIXES and entry.is_file())


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            # One more than is accepted, so that a longer file is refused and not silently cut.
            return file.read(MAX_TEXT_CHARACTERS + 1)
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{path}: byte {error.start + 1} is not UTF-8") from error
