"""Resources as people write them: YAML or JSON, several documents, lists."""

from collections.abc import Iterator
from dataclasses import dataclass

from felixbgp.resources.decode import MODELS, AnyResource, validate
from felixbgp.resources.errors import FieldError
from felixbgp.resources.yaml_text import YamlDocument, read_yaml


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file something stands: the number of its document and its line, both from 1.

    The objects of a list share the number of their document.
    """

    number: int
    line: int

    def __str__(self) -> str:
        return f"document {self.number} (line {self.line})"


@dataclass(frozen=True, slots=True)
class PlainDocument(Place):
    """One object of a file as JSON would have given it, or why there is none."""

    value: object
    errors: tuple[FieldError, ...] = ()


@dataclass(frozen=True, slots=True)
class Document(Place):
    """One resource of a file, or its errors; `subject` is what it calls itself, as `BGPPeer(rack1-tor)`."""

    resource: AnyResource | None
    errors: tuple[FieldError, ...] = ()
    subject: str = ""


def load_yaml_documents(text: str) -> list[Document]:
    """Every resource in a text of YAML or JSON documents, in order; errors are in the documents.

    Lists and empty documents are as in `load_plain_documents`.
    """
    return [validated_document(plain) for plain in load_plain_documents(text)]


def load_plain_documents(text: str) -> list[PlainDocument]:
    """Every object in a text of YAML or JSON documents, in order; errors are in the documents.

    Empty documents are skipped; a list without a kind, `kind: List` and `kind: <Kind>List` are opened. A text
    that cannot be parsed any further ends with a document that says why.
    """
    return [plain for document in read_yaml(text) for plain in _objects(document)]


def validated_document(plain: PlainDocument) -> Document:
    """The resource that an object of a file stands for, or what is wrong with it."""
    if plain.errors:
        return Document(plain.number, plain.line, None, plain.errors)
    resource = validate(plain.value)
    if isinstance(resource, list):
        return Document(plain.number, plain.line, None, tuple(resource), _subject(plain.value))
    return Document(plain.number, plain.line, resource)


def _subject(value: object) -> str:
    """What an object calls itself, as far as that is text."""
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        return ""
    metadata = value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return f"{value['kind'][:80]}({name[:253]})" if isinstance(name, str) else str(value["kind"][:80])


def _objects(document: YamlDocument) -> Iterator[PlainDocument]:
    number, value = document.number, document.value
    if document.error:
        yield PlainDocument(number, document.line, None, (FieldError("", "", document.error),))
    elif isinstance(value, list) or (isinstance(value, dict) and _is_list(value)):
        items = value if isinstance(value, list) else value.get("items")
        if not isinstance(items, list):
            yield PlainDocument(number, document.line, None, (FieldError("items", "", "is not a list"),))
            return
        # Items by an alias have no lines of their own.
        for line, item in zip(document.item_lines or [document.line] * len(items), items, strict=True):
            yield PlainDocument(number, line, item)
    elif value is not None:
        yield PlainDocument(number, document.line, value)


def _is_list(value: dict[str, object]) -> bool:
    kind = value.get("kind")
    return (
        isinstance(kind, str)
        and (kind == "List" or kind.removesuffix("List") in MODELS)
        and kind not in MODELS
    )
