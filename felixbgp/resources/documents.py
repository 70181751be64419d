"""Resources as people write them: YAML or JSON, several documents, lists.

YAML is read with the scalars of JSON (YAML 1.2 core: null, true, false, numbers; everything else is text),
so `no` is a name, `12:30` is no number, and a time stays the text it was.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from felixbgp.resources.decode import MODELS, AnyResource, validate
from felixbgp.resources.errors import FieldError

MAX_TEXT_CHARACTERS = 16 * 1024 * 1024
"""Ten times what fits into one etcd value; a larger file is a mistake."""

MAX_NODES = 1_000_000
"""Scalars, lists and objects of one document, aliases written out: stops a text that unfolds without end."""

MAX_DEPTH = 64


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


class _RefusedError(ValueError):
    """The text is YAML, but not one we read."""

    def __init__(self, line: int, reason: str) -> None:
        self.line = line
        super().__init__(reason)


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
    if len(text) > MAX_TEXT_CHARACTERS:
        error = FieldError("", "", f"is longer than {MAX_TEXT_CHARACTERS} characters")
        return [PlainDocument(1, 1, None, (error,))]
    found: list[PlainDocument] = []
    number = 0
    try:
        for node in yaml.compose_all(text, Loader=yaml.SafeLoader):
            number += 1
            found += _objects(number, node)
    except yaml.YAMLError as error:
        found.append(_unreadable(number + 1, error))
    except RecursionError:
        reason = FieldError("", "", f"has more than {MAX_DEPTH} objects and lists inside each other")
        found.append(PlainDocument(number + 1, 1, None, (reason,)))
    return found


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


def _objects(number: int, node: yaml.Node | None) -> Iterator[PlainDocument]:
    if node is None:
        return
    line = _line(node)
    try:
        value = _Plain().of(node)
    except _RefusedError as error:
        yield PlainDocument(number, error.line, None, (FieldError("", "", str(error)),))
        return
    if value is None:
        return
    if not (isinstance(value, list) or (isinstance(value, dict) and _is_list(value))):
        yield PlainDocument(number, line, value)
        return
    items = value if isinstance(value, list) else value.get("items")
    if not isinstance(items, list):
        yield PlainDocument(number, line, None, (FieldError("items", "", "is not a list"),))
        return
    lines = _lines_of_items(node)
    for index, item in enumerate(items):
        yield PlainDocument(number, lines[index], item)


def _is_list(value: dict[str, object]) -> bool:
    kind = value.get("kind")
    return (
        isinstance(kind, str)
        and (kind == "List" or kind.removesuffix("List") in MODELS)
        and kind not in MODELS
    )


def _lines_of_items(node: yaml.Node) -> list[int]:
    if isinstance(node, yaml.SequenceNode):
        return [_line(item) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == "items":
                return [_line(item) for item in value.value]
    return []


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _unreadable(number: int, error: yaml.YAMLError) -> PlainDocument:
    mark = getattr(error, "problem_mark", None)
    line = 1 if mark is None else mark.line + 1
    problem = getattr(error, "problem", None) or "it has a character that YAML does not allow"
    return PlainDocument(number, line, None, (FieldError("", "", f"is not YAML: {problem}"),))


_INTEGER = re.compile(r"[-+]?[0-9]{1,19}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_WORDS = {"null": None, "~": None, "": None, "true": True, "false": False}
_STRING_TAG = "tag:yaml.org,2002:str"


class _Plain:
    """Turns composed YAML into what JSON would have given; raises `_RefusedError`."""

    def __init__(self) -> None:
        self._count = 0

    def of(self, node: yaml.Node, depth: int = 1) -> object:
        self._count += 1
        if self._count > MAX_NODES:
            raise _RefusedError(_line(node), f"unfolds to more than {MAX_NODES} values")
        if depth > MAX_DEPTH:
            raise _RefusedError(_line(node), f"has more than {MAX_DEPTH} objects and lists inside each other")
        match node:
            case yaml.ScalarNode():
                return self._scalar(node)
            case yaml.SequenceNode():
                return [self.of(item, depth + 1) for item in node.value]
            case _:
                return self._mapping(node, depth)

    def _scalar(self, node: yaml.ScalarNode) -> object:
        text = str(node.value)
        if node.style is not None or node.tag == _STRING_TAG:
            return text
        if text.lower() in _WORDS and text in (text.lower(), text.capitalize(), text.upper()):
            return _WORDS[text.lower()]
        if _INTEGER.fullmatch(text):
            return int(text)
        return float(text) if _FLOAT.fullmatch(text) else text

    def _mapping(self, node: yaml.Node, depth: int) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _RefusedError(_line(key), "has a field whose name is no text")
            if key.value in found:
                raise _RefusedError(_line(key), f'has the field "{key.value[:80]}" twice')
            found[str(key.value)] = self.of(value, depth + 1)
        return found
