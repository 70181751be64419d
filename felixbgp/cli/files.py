"""Resources from files: everything is read and checked before anything is done with it."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import click

from felixbgp.cli.kinds import described
from felixbgp.cli.table import printable
from felixbgp.resources import AnyResource, FieldError
from felixbgp.resources.decode import MODELS, read_known
from felixbgp.resources.documents import (
    Document,
    PlainDocument,
    load_plain_documents,
    validated_document,
)
from felixbgp.resources.keys import NAMESPACED
from felixbgp.resources.schema import unknown_fields
from felixbgp.resources.yaml_text import MAX_TEXT_CHARACTERS

_SUFFIXES = (".yaml", ".yml", ".json")
STANDARD_INPUT = "-"
STANDARD_INPUT_NAME = "standard input"


class Given(NamedTuple):
    """One object of a file: where it stands, the resource, and the fields we do not know as faults.

    What a newer Calico wrote and somebody edited may come back with such fields: a verb that writes accepts
    them where the stored object has the very same, and refuses them otherwise.
    """

    place: str
    resource: AnyResource
    document: dict[str, object]
    unknown: tuple[FieldError, ...] = ()


def read_given(
    names: Sequence[str],
    *,
    recursive: bool = False,
    skip_empty: bool = False,
    namespace: str | None = None,
) -> list[Given]:
    """All objects in the files, in order; `-` is standard input, a folder all its YAML and JSON files.

    Anything wrong anywhere ends the command with a line for each fault; fields that we do not know are left
    to whoever looks at what is stored. Without `skip_empty` a file or a folder that has nothing is a fault.
    `namespace` is that of the objects that name none and are of a kind that has them; one of another kind, or
    in another namespace, is a fault.
    """
    found: list[Given] = []
    faults: list[str] = []
    for name, text in texts(names, recursive=recursive):
        plains = load_plain_documents(text)
        if not plains and not skip_empty:
            faults.append(f"No resources specified in {_called(name)}")
        for plain in plains:
            document = validated_document(plain)
            if document.resource is not None and isinstance(plain.value, dict):
                found.append(Given(f"{name}: {document}", document.resource, plain.value))
            elif (known := _known_part(name, plain)) is not None:
                found.append(known)
            else:
                faults += faults_of(name, document)
    faults += [fault for one in found for fault in _faults_of_namespace(one, namespace)]
    if not found and not faults and not skip_empty:
        faults.append(f"No resources specified in directory {', '.join(names)}")
    if faults:
        raise click.ClickException("\n".join(map(printable, faults)))
    return [_in_namespace(one, namespace) for one in found]


def faults_of(name: str, document: Document) -> Iterator[str]:
    """A line for each fault of a document, with the object's name as far as it has one."""
    subject = f" {document.subject}:" if document.subject else ""
    for error in document.errors:
        yield printable(f"{name}: {document}:{subject} {error}")


def texts(names: Sequence[str], *, recursive: bool = False) -> Iterator[tuple[str, str]]:
    """Each file's name and text, in order; `-` is standard input, a folder all its YAML and JSON files."""
    if names.count(STANDARD_INPUT) > 1:
        raise click.UsageError("standard input can be read once")
    for name in names:
        if name == STANDARD_INPUT:
            try:
                text = _text(STANDARD_INPUT_NAME, sys.stdin.buffer)
            except OSError as error:
                raise click.ClickException(f"{STANDARD_INPUT_NAME}: {error.strerror}") from error
            yield STANDARD_INPUT_NAME, text
            continue
        for path in _files(Path(name), recursive=recursive):
            try:
                with path.open("rb") as file:
                    text = _text(str(path), file)
            except OSError as error:
                raise click.ClickException(f"{path}: {error.strerror}") from error
            yield str(path), text


def _called(name: str) -> str:
    return name if name == STANDARD_INPUT_NAME else f"file {name}"


def _faults_of_namespace(given: Given, namespace: str | None) -> Iterator[str]:
    """What is wrong with the namespace of an object, in calicoctl's words."""
    resource = given.resource
    own, subject = resource.metadata.namespace, f"{given.place}: {described(resource.key)}"
    if resource.kind not in NAMESPACED:
        if own is not None:
            reason = "namespace should not be specified for a non-namespaced resource."
            yield f"{subject}: metadata.namespace: {reason} {resource.kind} is not a namespaced resource"
        elif namespace is not None:
            yield f"{subject}: {resource.kind} is not namespaced"
    elif own is not None and namespace not in (None, own):
        yield f"{subject}: resource namespace does not match client namespace. {own} != {namespace}"


def _in_namespace(given: Given, namespace: str | None) -> Given:
    if namespace is None:
        return given
    metadata = given.resource.metadata.model_copy(update={"namespace": namespace})
    return given._replace(resource=given.resource.model_copy(update={"metadata": metadata}))


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
    """The file, or of a folder its YAML and JSON files by name."""
    if not path.is_dir():
        return [path]
    entries = path.rglob("*") if recursive else path.iterdir()
    try:
        found = [entry for entry in entries if entry.suffix.lower() in _SUFFIXES and entry.is_file()]
    except OSError as error:
        raise click.ClickException(f"{error.filename or path}: {error.strerror}") from error
    return sorted(found)


def _text(name: str, file: BinaryIO) -> str:
    # One more than is accepted, so that a longer file is refused and not silently cut.
    octets = file.read(MAX_TEXT_CHARACTERS + 1)
    if len(octets) > MAX_TEXT_CHARACTERS:
        raise click.ClickException(f"{name} is longer than {MAX_TEXT_CHARACTERS} bytes")
    try:
        return octets.decode()
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{name}: byte {error.start + 1} is not UTF-8") from error
